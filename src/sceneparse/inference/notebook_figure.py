"""A figure that a notebook shows without further setup."""

from io import BytesIO

from matplotlib.figure import Figure


class NotebookFigure(Figure):
    """A matplotlib figure without pyplot, which notebooks show as an image."""

    def _repr_png_(self) -> bytes:
        file = BytesIO()
        self.savefig(file, format="png", dpi=80)
        return file.getvalue()
