"""How a prediction shows itself: in a notebook, and as a figure."""

from base64 import b64encode
from html import escape
from io import BytesIO
from typing import TYPE_CHECKING

from PIL import Image

from sceneparse import drawing
from sceneparse.errors import InputError
from sceneparse.labels import Color

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from sceneparse.inference.prediction import Prediction

# Longest side of the image in a notebook, and in a figure, in pixels.
MAX_HTML_SIDE = 640
MAX_PLOT_SIDE = 1600
_MAX_LEGEND_ENTRIES = 12


def figure_of(prediction: "Prediction") -> "Figure":
    """Draw image, mask and overlay of a prediction side by side.

    Raises:
        InputError: If matplotlib is not installed.
    """
    try:
        from matplotlib.patches import Patch

        from sceneparse.inference.notebook_figure import NotebookFigure
    except ImportError:
        raise InputError("plot needs matplotlib; run pip install matplotlib") from None
    small = prediction.scaled(MAX_PLOT_SIDE)
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
        for color, text in _legend_entries(prediction)
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=4, frameon=False)
    return figure


def html_of(prediction: "Prediction") -> str:
    """Return HTML with the overlay and a legend."""
    file = BytesIO()
    Image.fromarray(prediction.scaled(MAX_HTML_SIDE).overlay()).save(file, "JPEG", quality=85)
    data = b64encode(file.getvalue()).decode("ascii")
    rows = "".join(
        f'<tr><td style="{_swatch(color)}"></td>'
        f'<td style="text-align: left">{escape(text)}</td></tr>'
        for color, text in _legend_entries(prediction, for_fonts=False)
    )
    return (
        '<div style="display: flex; flex-wrap: wrap; gap: 1em; align-items: flex-start">'
        f'<img alt="{escape(repr(prediction))}" style="max-width: 100%" '
        f'src="data:image/jpeg;base64,{data}"><table>{rows}</table></div>'
    )


def _legend_entries(
    prediction: "Prediction", *, for_fonts: bool = True
) -> list[drawing.LegendEntry]:
    return drawing.entries_by_share(
        prediction.mask, prediction.labels, _MAX_LEGEND_ENTRIES, for_fonts=for_fonts
    )


def _swatch(color: Color | None) -> str:
    """Return the style of a table cell in a colour."""
    return "" if color is None else f"background: {_hex(color)}; min-width: 1.5em"


def _hex(color: Color | None) -> str:
    return "none" if color is None else "#{:02x}{:02x}{:02x}".format(*color)
