"""A file of which a part has arrived, and what its servers said about it."""

import json
from pathlib import Path
from typing import IO

from sceneparse.system.files import write_whole


class PartialFile:
    """A file that grows at its end until it is complete, over several runs of a command.

    Beside it lies a JSON file with the validators of the servers that sent it. A validator is the
    text by which a server tells whether a file has changed: an `ETag`, or the time of the last
    change.

    Attributes:
        path: The file, which need not exist.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._validators_path = path.with_name(f"{path.name}.json")

    def length(self) -> int:
        """Return how many bytes have arrived."""
        try:
            return self.path.stat().st_size
        except FileNotFoundError:
            return 0

    def validator(self, url: str) -> str | None:
        """Return the validator that a server sent with its part of the file."""
        return self._validators().get(url)

    def set_validator(self, url: str, validator: str | None) -> None:
        """Store the validator of a server."""
        if validator is not None and self.validator(url) != validator:
            validators = {**self._validators(), url: validator}
            write_whole(self._validators_path, json.dumps(validators, indent=1).encode())

    def append(self) -> IO[bytes]:
        """Open the file to write at its end."""
        return self.path.open("ab")

    def remove(self) -> None:
        """Delete the file, and what is known about it."""
        self.path.unlink(missing_ok=True)
        self._validators_path.unlink(missing_ok=True)

    def _validators(self) -> dict[str, str]:
        try:
            document = json.loads(self._validators_path.read_bytes())
        except (OSError, ValueError, RecursionError):
            # Without validators, size and checksum of the complete file decide.
            return {}
        return document if isinstance(document, dict) else {}
