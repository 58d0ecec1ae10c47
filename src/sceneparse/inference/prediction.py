"""The segmentation of one image, and how it is shown and saved."""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sceneparse import drawing
from sceneparse.data.io.geotiff import Georeference, geotiff_of_mask
from sceneparse.data.io.resizing import resized_pixels
from sceneparse.errors import InputError
from sceneparse.inference.prediction_files import PredictionFiles
from sceneparse.labels import Color, Labels, Mask
from sceneparse.system.paths import expand_user

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# A JPEG has at most 65,500 rows and columns; the legend needs some of them.
MAX_OVERLAY_SIDE = 60_000
# Longest side of the image in a notebook, and in a figure, in pixels.
MAX_HTML_SIDE = 640
MAX_PLOT_SIDE = 1600
_MAX_LEGEND_ENTRIES = 12
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
        return f"Prediction({width}×{height}, {len(found)} {noun}: {text})"

    def classes(self) -> list[dict[str, Any]]:
        """List the classes found, largest first: id, name, share of pixels, mean confidence.

        Example:
            >>> largest = sceneparse.load()("image.jpg").classes()[0]
            >>> list(largest)
            ['id', 'name', 'share', 'confidence']
        """
        ids, number = self.mask.ravel(), self.labels.num_classes
        counts = np.bincount(ids, minlength=number)
        confidences = np.bincount(ids, self.confidence.ravel(), minlength=number)
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

    def to_dict(self) -> dict[str, Any]:
        """Return width, height and classes as plain data, for JSON.

        Example:
            >>> list(sceneparse.load()("image.jpg").to_dict())
            ['width', 'height', 'classes']
        """
        height, width = self.mask.shape
        return {"width": width, "height": height, "classes": self.classes()}

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
        try:
            from matplotlib.patches import Patch

            from sceneparse.inference.figure import NotebookFigure
        except ImportError:
            raise InputError("plot needs matplotlib; run pip install matplotlib") from None
        small = self._scaled(MAX_PLOT_SIDE)
        height, width = small.mask.shape
        figure = NotebookFigure(
            figsize=(12, 12 / 3 * min(3.0, height / width) + 1.2), layout="constrained"
        )
        panels = {
            "image": drawing.displayed_rgb(small.image),
            "mask": small.color_mask(),
            "overlay": small.overlay(),
        }
        for axes, (title, panel) in zip(figure.subplots(1, 3), panels.items(), strict=True):
            axes.imshow(panel)
            axes.set_title(title)
            axes.set_axis_off()
        # A dollar would start a formula.
        handles = [
            Patch(color=_hex(color), label=text.replace("$", r"\$"))
            for color, text in self._legend_entries()
        ]
        figure.legend(handles=handles, loc="outside lower center", ncols=4, frameon=False)
        return figure

    def save(
        self,
        folder: str | Path,
        name: str = "prediction",
        *,
        image_name: str | None = None,
        overwrite: bool = False,
        more: Mapping[str, str] | None = None,
        georeference: Georeference | None = None,
    ) -> PredictionFiles:
        """Write index map, coloured map, overlay with legend, and the classes as JSON.

        Args:
            folder: Where the files go; it is made if it does not exist.
            name: Name of the files, without suffix.
            image_name: Name of the image in the JSON; `name` if not given.
            overwrite: Whether files that exist may be replaced.
            more: More entries of the JSON.
            georeference: Where the image lies, from `read_georeference`: then the index map is
                written as a GeoTIFF too.

        Returns:
            The files written: `NAME.png`, in the ids of the data set's annotations,
            `NAME_color.png`, `NAME_overlay.jpg` and `NAME.json`; and `NAME.tif` with a
            georeference.

        Raises:
            InputError: If a file exists, or one cannot be written.

        Example:
            >>> files = sceneparse.load()("image.jpg").save("results", name="first")
            >>> sorted(path.name for path in files)
            ['first.json', 'first.png', 'first_color.png', 'first_overlay.jpg']
        """
        if not name or name != Path(name).name:
            raise InputError(f"{name!r}: not a file name; name a folder as `folder`")
        files = PredictionFiles.in_folder(
            expand_user(folder), name, is_georeferenced=georeference is not None
        )
        for path in files:
            if path.exists() and not overwrite:
                raise InputError(
                    f"{path}: exists already; choose another folder or name, or allow overwriting",
                    "overwrite",
                )
        try:
            step = -(-max(self.mask.shape) // MAX_OVERLAY_SIDE)
            ids = self.labels.decode(self.mask)
            colors = dict(zip(self.labels.raw_ids, self.labels.colors, strict=True))
            files.write(
                ids,
                self.color_mask(),
                self._every(step).overlay(legend=True),
                {"image": image_name or name, **(more or {}), **self.to_dict()},
                None if georeference is None else geotiff_of_mask(ids, georeference, colors),
            )
        except OSError as error:
            raise InputError(f"{folder}: the prediction cannot be written ({error})") from None
        return files

    def _repr_html_(self) -> str:
        small = self._scaled(MAX_HTML_SIDE)
        file = BytesIO()
        Image.fromarray(small.overlay()).save(file, "JPEG", quality=85)
        data = b64encode(file.getvalue()).decode("ascii")
        rows = "".join(
            f'<tr><td style="{_swatch(color)}"></td>'
            f'<td style="text-align: left">{escape(text)}</td></tr>'
            for color, text in self._legend_entries(for_fonts=False)
        )
        return (
            '<div style="display: flex; flex-wrap: wrap; gap: 1em; align-items: flex-start">'
            f'<img alt="{escape(repr(self))}" style="max-width: 100%" '
            f'src="data:image/jpeg;base64,{data}"><table>{rows}</table></div>'
        )

    def _legend_entries(self, *, for_fonts: bool = True) -> list[drawing.LegendEntry]:
        return drawing.entries_by_share(
            self.mask, self.labels, _MAX_LEGEND_ENTRIES, for_fonts=for_fonts
        )

    def _scaled(self, max_side: int) -> "Prediction":
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

    def _every(self, step: int) -> "Prediction":
        """Keep one of `step` rows and columns."""
        return Prediction(
            self.image[::step, ::step],
            self.mask[::step, ::step],
            self.confidence[::step, ::step],
            self.labels,
        )


def _swatch(color: Color | None) -> str:
    """Return the style of a table cell in a colour."""
    return "" if color is None else f"background: {_hex(color)}; min-width: 1.5em"


def _hex(color: Color | None) -> str:
    return "none" if color is None else "#{:02x}{:02x}{:02x}".format(*color)
