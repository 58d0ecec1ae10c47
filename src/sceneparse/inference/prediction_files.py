"""The files that a prediction is saved as."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sceneparse.labels import Mask
from sceneparse.system.files import write_whole


@dataclass(frozen=True)
class PredictionFiles:
    """The files that a prediction is saved as; iterating yields their paths.

    Attributes:
        mask: Index map, in the ids of the data set's annotations.
        color: The same in the data set's colours.
        overlay: The image under its classes, with a legend.
        summary: The classes found, as JSON.
        geotiff: The index map with the georeference of the image; none if it has none.
    """

    mask: Path
    color: Path
    overlay: Path
    summary: Path
    geotiff: Path | None = None

    def __iter__(self) -> Iterator[Path]:
        """Yield the path of each file."""
        yield from (self.mask, self.color, self.overlay, self.summary)
        if self.geotiff is not None:
            yield self.geotiff

    def __len__(self) -> int:
        """Return the number of files."""
        return 4 if self.geotiff is None else 5

    @classmethod
    def in_folder(
        cls, folder: Path, name: str, *, is_georeferenced: bool = False
    ) -> "PredictionFiles":
        """Return the files of a name, without suffix, in a folder.

        Args:
            folder: The folder.
            name: The name.
            is_georeferenced: Whether there is a GeoTIFF too.
        """
        return cls(
            mask=folder / f"{name}.png",
            color=folder / f"{name}_color.png",
            overlay=folder / f"{name}_overlay.jpg",
            summary=folder / f"{name}.json",
            geotiff=folder / f"{name}.tif" if is_georeferenced else None,
        )

    def write(
        self,
        mask: Mask,
        color: NDArray[np.uint8],
        overlay: NDArray[np.uint8],
        summary: Mapping[str, Any],
        geotiff: bytes | None = None,
    ) -> None:
        """Write the files, each whole, and the summary last: it means that all others are there.

        Args:
            mask: Raw ids `(H, W)`.
            color: The same in colours, `(H, W, 3)`.
            overlay: RGB image `(H', W', 3)`.
            summary: Plain data for JSON.
            geotiff: Content of the GeoTIFF, if there is one.

        Raises:
            OSError: If a file cannot be written.
        """
        self.mask.parent.mkdir(parents=True, exist_ok=True)
        write_whole(self.overlay, _encoded(overlay, "JPEG", quality=92))
        write_whole(self.color, _encoded(color, "PNG"))
        if self.geotiff is not None and geotiff is not None:
            write_whole(self.geotiff, geotiff)
        write_whole(self.mask, _encoded(mask, "PNG"))
        text = json.dumps(summary, ensure_ascii=False, indent=1)
        write_whole(self.summary, f"{text}\n".encode())


def _encoded(pixels: NDArray[Any], kind: str, **options: Any) -> bytes:
    """Encode an image as the bytes of a file."""
    file = BytesIO()
    Image.fromarray(pixels).save(file, kind, **options)
    return file.getvalue()
