"""Pages that compute in the browser, and what they give."""

import base64
import shutil
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Page

from sceneparse.tasks.export import export

SEGMENT = """async ({ data, model, abortAfter }) => {
  const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
  const controller = new AbortController();
  if (abortAfter != null) setTimeout(() => controller.abort(), abortAfter);
  const encoded = (values) => {
    let letters = "";
    for (let first = 0; first < values.length; first += 32768) {
      letters += String.fromCharCode(...values.subarray(first, first + 32768));
    }
    return btoa(letters);
  };
  window.engine ??= createEngine();
  try {
    const found = await engine.segment(new Blob([bytes]), { model, signal: controller.signal });
    const { width, height, classes, image } = found;
    return { width, height, classes, imageSize: [image.width, image.height],
      labels: encoded(found.labels), confidence: encoded(found.confidence) };
  } catch (error) {
    return { error: `${error.name}: ${error.message}` };
  }
}"""


def html_of_bundled(path: Path) -> Path:
    """Write the bundled model as a page; without npm, the test is skipped."""
    require_npm()
    return export("bundled", out=path).path


def require_npm() -> None:
    """Skip the test if npm, which gets the runtime, is not installed."""
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed")


def segment(
    page: Page, content: bytes, model: str = "larger", abort_after: int | None = None
) -> dict[str, Any]:
    """Segment an image file in a page."""
    data = base64.b64encode(content).decode()
    found = page.evaluate(SEGMENT, {"data": data, "model": model, "abortAfter": abort_after})
    if "error" not in found:
        for name in ("labels", "confidence"):
            values = np.frombuffer(base64.b64decode(found[name]), np.uint8)
            found[name] = values.reshape(found["height"], found["width"])
    return found


def encoded(image: Image.Image | NDArray[Any], kind: str = "PNG", **options: Any) -> bytes:
    """Return an image as a file."""
    file = BytesIO()
    whole = image if isinstance(image, Image.Image) else Image.fromarray(image)
    whole.save(file, kind, **options)
    return file.getvalue()
