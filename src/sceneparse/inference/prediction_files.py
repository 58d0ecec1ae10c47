"""The files that a prediction is saved as, what they are in bytes, and what made them."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from PIL import Image

from sceneparse.errors import InputError
from sceneparse.system.files import read_short_text

SUFFIXES = {
    "mask": ".png",
    "color": "_color.png",
    "overlay": "_overlay.jpg",
    "json": ".json",
    "coco": "_coco.json",
    "geojson": ".geojson",
}
# JSON is the last, and the label map the last of the images.
WRITING_ORDER = ("overlay", "color", "mask", "coco", "geojson", "json")
DEFAULT_FORMATS = ("mask", "color", "overlay", "json")
# Key of what made a file, in the text of a PNG and in GeoJSON.
RECORD_KEY = "sceneparse"
_IMAGE_DESCRIPTION = 270


def checked_formats(formats: Sequence[str]) -> tuple[str, ...]:
    """Return formats without repetitions, in the order in which results are listed.

    Raises:
        InputError: If one is unknown, or there are none.
    """
    unknown = [name for name in formats if name not in SUFFIXES]
    if unknown or not formats:
        near = get_close_matches(unknown[0].lower(), SUFFIXES, 1) if unknown else []
        found = f"{unknown[0]!r} is no format of results" if unknown else "no format of results"
        advice = f"did you mean {near[0]}?" if near else f"choose from {', '.join(SUFFIXES)}"
        raise InputError(f"{found}; {advice}")
    return tuple(name for name in SUFFIXES if name in formats)


@dataclass(frozen=True)
class PredictionFiles:
    """The files that a prediction is saved as; iterating yields their paths.

    Attributes:
        folder: Where they are.
        name: Their name, without suffix.
        formats: Which there are; the paths of the other attributes may not exist.
        is_georeferenced: Whether there is a GeoTIFF beside the label map.
    """

    folder: Path
    name: str
    formats: tuple[str, ...] = DEFAULT_FORMATS
    is_georeferenced: bool = False

    @property
    def mask(self) -> Path:
        """Index map, in the ids of the data set's annotations."""
        return self.path("mask")

    @property
    def color(self) -> Path:
        """The same in the data set's colours."""
        return self.path("color")

    @property
    def overlay(self) -> Path:
        """The image under its classes, with a legend."""
        return self.path("overlay")

    @property
    def summary(self) -> Path:
        """The classes found, as JSON."""
        return self.path("json")

    @property
    def coco(self) -> Path:
        """The classes as run lengths, as COCO JSON."""
        return self.path("coco")

    @property
    def geojson(self) -> Path:
        """The classes as polygons."""
        return self.path("geojson")

    @property
    def geotiff(self) -> Path | None:
        """The label map with the georeference of the image; none if it has none."""
        if self.is_georeferenced and "mask" in self.formats:
            return self.folder / f"{self.name}.tif"
        return None

    def path(self, kind: str) -> Path:
        """Return the path of a format."""
        return self.folder / f"{self.name}{SUFFIXES[kind]}"

    def __iter__(self) -> Iterator[Path]:
        """Yield the path of each file."""
        yield from (self.path(kind) for kind in self.formats)
        if self.geotiff is not None:
            yield self.geotiff

    def __len__(self) -> int:
        """Return the number of files."""
        return len(self.formats) + (self.geotiff is not None)

    def are_done(self, record: Mapping[str, str]) -> bool:
        """Return whether all files exist, made from the same image by the same model and settings.

        Args:
            record: What makes them, as it is stored in each file.

        Raises:
            InputError: If a file exists that something else has made.
        """
        existing = [path for path in self if path.exists()]
        for path in existing:
            found = read_record(path)
            if any(found.get(key) != value for key, value in record.items()):
                raise InputError(
                    f"{path}: exists already, and is no result of this model, its settings and "
                    f"{record['image']}; allow overwriting, or choose another folder",
                    "overwrite",
                    "out",
                )
        return len(existing) == len(self)


def read_record(path: Path) -> Mapping[str, Any]:
    """Read from a result what made it; nothing if the file is no result."""
    try:
        if path.suffix in (".json", ".geojson"):
            document = json.loads(read_short_text(path, 2**30))
            for key in ("info", RECORD_KEY):
                document = document.get(key, document)
        else:
            with Image.open(path) as image:
                tags = getattr(image, "tag_v2", {})
                text = image.info.get(RECORD_KEY) or image.info.get("comment")
                document = json.loads(text or tags.get(_IMAGE_DESCRIPTION, "{}"))
    except (OSError, ValueError, AttributeError, RecursionError):
        return {}
    return document if isinstance(document, Mapping) else {}
