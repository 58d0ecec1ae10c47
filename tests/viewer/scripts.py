"""Scripts of the viewer in a page of their own, and what they take and return."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from playwright.sync_api import Page

from sceneparse.viewer import asset

# Makes a segmentation of the plain data that Playwright passes.
SEGMENTATION = """
function segmentationOf({ width, height, labels, confidence, classes }) {
  const Labels = classes.length > 255 ? Uint16Array : Uint8Array;
  return { width, height, classes, labels: Labels.from(labels), seconds: 0,
    confidence: confidence && Uint8Array.from(confidence) };
}
"""


def load_scripts(page: Page, *names: str) -> None:
    """Run scripts of the viewer in an empty page."""
    for name in names:
        page.add_script_tag(content=asset(name).decode())
    page.add_script_tag(content=SEGMENTATION)


def segmentation(
    labels: NDArray[np.unsignedinteger[Any]], confidence: NDArray[np.uint8] | None, classes: int
) -> dict[str, Any]:
    """Return what `segmentationOf` takes: train ids `(H, W)`, confidence in 0..255."""
    height, width = labels.shape
    return {
        "width": width,
        "height": height,
        "labels": labels.ravel().tolist(),
        "confidence": None if confidence is None else confidence.ravel().tolist(),
        "classes": [
            {"id": 3 * index + 1, "name": f"class {index}", "color": [index % 256, 0, 0]}
            for index in range(classes)
        ],
    }
