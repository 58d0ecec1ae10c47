"""The segmentation of one image, and how it is shown and saved."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sceneparse import drawing
from sceneparse.data.io.geotiff import Georeference
from sceneparse.data.io.resizing import resized_pixels
from sceneparse.errors import InputError
from sceneparse.inference.annotations import coco_document, geojson_document
from sceneparse.inference.prediction_encoding import encoded, write
from sceneparse.inference.prediction_files import (
    DEFAULT_FORMATS,
    PredictionFiles,
    checked_formats,
)
from sceneparse.labels import Labels, Mask
from sceneparse.system.paths import expand_user

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_NAMED_CLASSES = 3


@dataclass(frozen=True, eq=False, repr=False)
class Prediction:
    """The segmentation of one image, at its own size.

    In a notebook it shows itself as an overlay with a legend.

    Attributes:
        image: The image that was segmented, RGB `(H, W, 3)` uint8, or the model's bands
            `(H, W, B)`, of which four or more are shown by their first three, and one or two as
            grey.
        mask: Train ids `(H, W)`.
        confidence: Probability of the class chosen, `(H, W)` float32 in 0..1.
        labels: The classes.

    Example:
        >>> prediction = sceneparse.load()("image.jpg")
        >>> prediction
        Prediction(320×240, ... classes: ...)
        >>> prediction.mask.shape, prediction.confidence.dtype
        ((240, 320), dtype('float32'))
        >>> overlay = prediction.overlay(opacity=0.7)
        >>> prediction.save("results", name="image").mask.name
        'image.png'
    """

    image: NDArray[np.uint8]
    mask: Mask
    confidence: NDArray[np.float32]
    labels: Labels

    def __repr__(self) -> str:
        """Return width and height, the number of classes, and the largest of them."""
        found = self.classes()
        named = [f"{each['name']} {drawing.percent(each['share'])}" for each in found]
        text = ", ".join(named[:_NAMED_CLASSES] + ["…"] * (len(named) > _NAMED_CLASSES))
        height, width = self.mask.shape
        noun = "class" if len(found) == 1 else "classes"
        listed = f": {text}" if found else ""
        return f"Prediction({width}×{height}, {len(found)} {noun}{listed})"

    def classes(self) -> list[dict[str, Any]]:
        """List the classes found, largest first: id, name, share of pixels, mean confidence.

        Example:
            >>> largest = sceneparse.load()("image.jpg").classes()[0]
            >>> list(largest)
            ['id', 'name', 'share', 'confidence']
        """
        counts = drawing.class_counts(self.mask, self.labels)
        confidences = drawing.class_counts(self.mask, self.labels, self.confidence)
        order: Sequence[int] = np.argsort(-counts, kind="stable").tolist()
        return [
            {
                "id": self.labels.raw_ids[index],
                "name": self.labels.class_names[index],
                "share": float(counts[index] / self.mask.size),
                "confidence": float(confidences[index] / counts[index]),
            }
            for index in order
            if counts[index]
        ]

    def only(self, *classes: str | int) -> "Prediction":
        """Return the prediction with some classes alone; all other pixels are void.

        Void has the first ignored id of the data set in saved masks, or 255 (65535 with more than
        255 classes) if it has none. Void is black in the coloured mask, and the overlay shows the
        image there. Shares stay those of all pixels; `confidence` does not change.

        Args:
            classes: Names or ids of classes.

        Raises:
            InputError: If one is no class of the model.

        Example:
            >>> walls = sceneparse.load()("image.jpg").only("wall", "floor")
            >>> {each["name"] for each in walls.classes()} <= {"wall", "floor"}
            True
        """
        kept = np.full(self.labels.ignore_index + 1, self.labels.ignore_index, self.mask.dtype)
        train_ids = list(self.labels.train_ids(classes))
        kept[train_ids] = train_ids
        return replace(self, mask=kept[self.mask])

    def to_dict(self) -> dict[str, Any]:
        """Return width, height and classes as plain data, for JSON.

        Example:
            >>> list(sceneparse.load()("image.jpg").to_dict())
            ['width', 'height', 'classes']
        """
        height, width = self.mask.shape
        return {"width": width, "height": height, "classes": self.classes()}

    def to_coco(self, image_name: str = "image") -> dict[str, Any]:
        """Return the classes as plain data in COCO's form, for JSON.

        There is one annotation for each class that was found, with the id of the data set as its
        category, and compressed run lengths, as pycocotools reads them.

        Args:
            image_name: File name of the image.

        Example:
            >>> document = sceneparse.load()("image.jpg").to_coco("image.jpg")
            >>> list(document)
            ['info', 'images', 'categories', 'annotations']
        """
        return coco_document(self, image_name, {})

    def to_geojson(self, georeference: Georeference | None = None) -> dict[str, Any]:
        """Return the classes as polygons, as plain data in the form of GeoJSON (RFC 7946).

        There is one feature for each class that was found. Coordinates are pixels: x grows to the
        right and y down, from the upper left corner of the image. With a georeference they are
        longitude and latitude (WGS 84). The document says which, as `coordinates_are`. In masks
        of more than 4096 rows or columns, polygons end at the edges of tiles of this size.

        Args:
            georeference: Where the image lies, from `read_georeference`.

        Example:
            >>> sceneparse.load()("image.jpg").to_geojson()["features"][0]["geometry"]["type"]
            'MultiPolygon'
        """
        return geojson_document(self, georeference)

    def color_mask(self) -> NDArray[np.uint8]:
        """Paint each class in its colour, `(H, W, 3)`.

        Example:
            >>> sceneparse.load()("image.jpg").color_mask().shape
            (240, 320, 3)
        """
        return drawing.color_mask(self.mask, self.labels)

    def overlay(self, opacity: float = 0.5, *, legend: bool = False) -> NDArray[np.uint8]:
        """Lay the class colours over the image.

        Args:
            opacity: Opacity of the colours, in 0..1.
            legend: Whether to add a legend beneath the image.

        Returns:
            RGB `(H, W, 3)`; larger with a legend.

        Raises:
            InputError: If the opacity is out of range.

        Example:
            >>> sceneparse.load()("image.jpg").overlay().shape
            (240, 320, 3)
        """
        if not 0 <= opacity <= 1:
            raise InputError(f"opacity {opacity:g}; expected 0..1, such as 0.5")
        drawn = drawing.overlay(self.image, self.mask, self.labels, opacity)
        return drawing.with_legend(drawn, self.mask, self.labels) if legend else drawn

    def plot(self) -> "Figure":
        """Draw image, mask and overlay side by side, with a legend; works without a display.

        Returns:
            A matplotlib figure that pyplot does not know: call its `savefig`, or let a notebook
            show it.

        Raises:
            InputError: If matplotlib is not installed.

        Example:
            >>> figure = sceneparse.load()("image.jpg").plot()
            >>> figure.savefig("figure.png")
        """
        from sceneparse.inference.figure import figure_of

        return figure_of(self)

    def encode(
        self,
        kind: str,
        *,
        image_name: str = "image",
        more: Mapping[str, str] | None = None,
        georeference: Georeference | None = None,
        opacity: float = 0.5,
    ) -> bytes:
        """Return the content of one of the files that `save` writes.

        Args:
            kind: `mask`, `color`, `overlay`, `json`, `coco` or `geojson`.
            image_name: Name of the image in the file.
            more: More entries of the JSON, and of the metadata of other formats.
            georeference: Where the image lies, for GeoJSON.
            opacity: Opacity of the colours of an overlay, in 0..1.

        Raises:
            InputError: If there is no such format, or the opacity is out of range.

        Example:
            >>> sceneparse.load()("image.jpg").encode("mask")[1:4]
            b'PNG'
        """
        (kind,) = checked_formats([kind])
        record = {"image": image_name, **(more or {})}
        return encoded(self, kind, record, georeference, opacity)

    def save(
        self,
        folder: str | Path,
        name: str = "prediction",
        *,
        formats: Sequence[str] = DEFAULT_FORMATS,
        image_name: str | None = None,
        overwrite: bool = False,
        more: Mapping[str, str] | None = None,
        georeference: Georeference | None = None,
    ) -> PredictionFiles:
        """Write label map, coloured map, overlay with legend, and the classes as JSON.

        Each file is written whole, and JSON last. An overlay of more than 25 million pixels shows
        one of two or more rows and columns.

        Args:
            folder: Where the files go; it is made if it does not exist.
            name: Name of the files, without suffix.
            formats: Which files: `mask`, `color`, `overlay`, `json`, `coco`, `geojson`.
            image_name: Name of the image in the files; `name` if not given.
            overwrite: Whether files that exist may be replaced.
            more: More entries of the JSON, and of the metadata of other formats.
            georeference: Where the image lies, from `read_georeference`: then the label map is
                written as a GeoTIFF too, and GeoJSON has coordinates on Earth.

        Returns:
            The files written: `NAME.png`, in the ids of the data set's annotations,
            `NAME_color.png`, `NAME_overlay.jpg` and `NAME.json`; `NAME_coco.json` and
            `NAME.geojson` if asked for; and `NAME.tif` with a georeference.

        Raises:
            InputError: If a format is unknown, a file exists, or one cannot be written.

        Example:
            >>> files = sceneparse.load()("image.jpg").save("results", name="first")
            >>> sorted(path.name for path in files)
            ['first.json', 'first.png', 'first_color.png', 'first_overlay.jpg']
        """
        if not name or name != Path(name).name:
            raise InputError(f"{name!r}: not a file name; name a folder as `folder`")
        chosen, at = checked_formats(formats), expand_user(folder)
        files = PredictionFiles(at, name, chosen, georeference is not None)
        for path in files:
            if path.exists() and not overwrite:
                raise InputError(
                    f"{path}: exists already; choose another folder or name, or allow overwriting",
                    "overwrite",
                )
        try:
            write(self, files, {"image": image_name or name, **(more or {})}, georeference)
        except OSError as error:
            raise InputError(f"{folder}: the prediction cannot be written ({error})") from None
        return files

    def _repr_html_(self) -> str:
        from sceneparse.inference.figure import html_of

        return html_of(self)

    def scaled(self, max_side: int) -> "Prediction":
        """Reduce the prediction until no side is longer than a number of pixels."""
        height, width = self.mask.shape
        factor = max_side / max(height, width)
        if factor >= 1:
            return self
        size = max(1, round(width * factor)), max(1, round(height * factor))
        rows = (np.arange(size[1]) + 0.5) * height / size[1]
        columns = (np.arange(size[0]) + 0.5) * width / size[0]
        nearest = np.ix_(rows.astype(np.intp), columns.astype(np.intp))
        image = resized_pixels(self.image, (size[1], size[0]), Image.Resampling.BOX)
        return Prediction(image, self.mask[nearest], self.confidence[nearest], self.labels)

    def every(self, step: int) -> "Prediction":
        """Keep one of `step` rows and columns, without interpolation."""
        return Prediction(
            self.image[::step, ::step],
            self.mask[::step, ::step],
            self.confidence[::step, ::step],
            self.labels,
        )
