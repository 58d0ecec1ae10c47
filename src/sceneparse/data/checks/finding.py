"""Findings about a data set."""

from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning"]
_NAMED = 3


@dataclass(frozen=True)
class Finding:
    """One kind of fault in a data set.

    Attributes:
        kind: Its name, such as `one_class`.
        severity: `error` if training would learn or score something wrong, else `warning`.
        text: What was found, what was expected, and the config line or command that mends it.
        files: The files that have it, relative to the data set; empty if it concerns them all.
    """

    kind: str
    severity: Severity
    text: str
    files: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Return the text, with the number of files and the first of them."""
        if not self.files:
            return self.text
        names = ", ".join(self.files[:_NAMED]) + (", …" if len(self.files) > _NAMED else "")
        noun = "file" if len(self.files) == 1 else "files"
        return f"{self.text} [{len(self.files)} {noun}: {names}]"
