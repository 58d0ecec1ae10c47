"""Annotations: what gives each pixel of one image its raw id."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from sceneparse.data.io.mask_encodings import PLAIN_IDS, MaskEncoding
from sceneparse.labels import Mask


class Annotation(Protocol):
    """The raw ids of one image, from a mask file or from shapes in an annotation file."""

    @property
    def path(self) -> Path:
        """The file that holds the annotation, which may hold those of other images too."""
        ...

    def size(self) -> tuple[int, int]:
        """Return height and width, without reading the ids if that is possible.

        Raises:
            InputError: If the file is broken, or of another kind than expected.
        """
        ...

    def read(self) -> Mask:
        """Read raw ids `(H, W)`, uint8 or uint16.

        Raises:
            InputError: If the file is broken, or of another kind than expected.
        """
        ...


@dataclass(frozen=True)
class MaskFile:
    """A mask file.

    Attributes:
        path: The file.
        encoding: How it stores raw ids.
    """

    path: Path
    encoding: MaskEncoding = PLAIN_IDS

    def size(self) -> tuple[int, int]:
        """Read height and width from the header, and check the format of the mask."""
        return self.encoding.size(self.path)

    def read(self) -> Mask:
        """Read raw ids `(H, W)`."""
        return self.encoding.read(self.path)
