"""The bundled model as one HTML file, in Chromium from disk: size, times, agreement with Python.

It starts Chromium anew in each round, and without a network. Labels are compared with those of ONNX
Runtime in Python, in fp32, on real images: as PNG, which a browser decodes to the same pixels, and
as JPEG, which it decodes in its own way.
"""

import base64
import os
import shutil
import statistics
import tempfile
import time
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Page, Playwright, sync_playwright

from harness import parser
from machine import ROOT
from rows import Claim, Row, make_row, report
from sceneparse.data.io.decode import read_image
from sceneparse.factory.loading import load
from sceneparse.scenes import draw_scene
from sceneparse.tasks.export import export

NAME = "single_page"
MAX_MB = 22
MIN_AGREEMENT = 0.999
SIZE = (512, 683)
SETTINGS = ("trained", "plain")
ROUNDS, TIMED, IMAGES = 3, 5, 20
START = """async () => {
  window.engine = createEngine();
  await engine.models(() => {});
}"""
SEGMENT = """async ([data, model]) => {
  const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
  const { labels, seconds } = await engine.segment(new Blob([bytes]), { model });
  let letters = "";
  for (let first = 0; first < labels.length; first += 32768) {
    letters += String.fromCharCode(...labels.subarray(first, first + 32768));
  }
  return { labels: btoa(letters), seconds };
}"""


def main() -> None:
    """Measure and report."""
    options = parser(__doc__)
    options.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "ade20k")
    arguments = options.parse_args()
    quick: bool = arguments.quick
    rounds, timed, images = (1, 1, 2) if quick else (ROUNDS, TIMED, IMAGES)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        page = export("bundled", out=Path(folder) / "page.html")
        size = page.size / 1e6
        rows = [row("size", f"{MAX_MB} MB", "MB", size, MAX_MB, MAX_MB / size, min_ratio=1)]
        rows += times(playwright, page.path, rounds, timed)
        rows += agreements(playwright, page.path, arguments.data, images, quick=quick)
    report(NAME, rows, arguments)


def times(playwright: Playwright, path: Path, rounds: int, timed: int) -> list[Row]:
    """Measure from opening to ready, and per image; Python uses all cores, the page one."""
    image = draw_scene(0, 0, *SIZE)[0]
    ready: list[float] = []
    ours: dict[str, list[float]] = {setting: [] for setting in SETTINGS}
    theirs: dict[str, list[float]] = {setting: [] for setting in SETTINGS}
    for _ in range(rounds):
        page, seconds = opened(playwright, path)
        ready.append(seconds)
        for setting in SETTINGS:
            predictor = load(runtime="onnxruntime", flip=setting == "trained")
            for number in range(-1, timed):
                start = time.perf_counter()
                predictor.segment(image)
                python = time.perf_counter() - start
                browser: float = segmented(page, encoded(image), setting)["seconds"]
                if number >= 0:
                    ours[setting].append(browser)
                    theirs[setting].append(python)
        close(page)
    rows = [row("from opening to ready", "none", "s", statistics.median(ready), None, None)]
    for setting in SETTINGS:
        our, their = statistics.median(ours[setting]), statistics.median(theirs[setting])
        metric, peer = f"{SIZE[0]}×{SIZE[1]}, {setting}", "ONNX Runtime in Python"
        rows.append(row(metric, peer, "s", our, their, their / our, repeats=len(ours[setting])))
    return rows


def agreements(
    playwright: Playwright, path: Path, data: Path, images: int, *, quick: bool
) -> list[Row]:
    """Compare labels on real images, as PNG and as they are."""
    files = sorted(data.glob("images/validation/*.jpg"))
    files = files[:: max(1, len(files) // images)][:images]
    if not files:
        raise SystemExit(f"{data}: found no images/validation/*.jpg; give a data set by --data")
    page, _ = opened(playwright, path)
    same, pixels = {"PNG": 0, "JPEG": 0}, 0
    for file in files:
        expected = load(runtime="onnxruntime").segment(image := read_image(file)).mask
        pixels += expected.size
        for kind, content in (("PNG", encoded(image)), ("JPEG", file.read_bytes())):
            found = np.frombuffer(
                base64.b64decode(segmented(page, content, "trained")["labels"]), np.uint8
            )
            same[kind] += int(np.count_nonzero(found == expected.ravel()))
    close(page)
    rows: list[Row] = []
    for kind, count in same.items():
        share = count / pixels
        target = MIN_AGREEMENT if kind == "PNG" and not quick else None
        metric, peer = f"equal labels, {kind}", "ONNX Runtime in Python"
        rows.append(
            row(metric, peer, "share", share, 1.0, share, min_ratio=target, repeats=len(files))
        )
    return rows


def row(
    metric: str,
    peer: str,
    unit: str,
    ours: float,
    theirs: float | None,
    ratio: float | None,
    *,
    min_ratio: float | None = None,
    repeats: int = 1,
) -> Row:
    """Make a row of this benchmark."""
    claim = Claim(benchmark=NAME, peer=peer, metric=metric, min_ratio=min_ratio)
    return make_row(claim, unit, ours, theirs, ratio, repeats=repeats)


def opened(playwright: Playwright, path: Path) -> tuple[Page, float]:
    """Open a page in a new Chromium, and wait until its model is ready: the page, and seconds."""
    program = shutil.which("chromium")
    if program is None:
        raise SystemExit("chromium: not found; install it")
    # Chromium's sandbox does not start as root.
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    browser = playwright.chromium.launch(executable_path=program, args=arguments)
    page = browser.new_context(offline=True).new_page()
    start = time.perf_counter()
    page.goto(path.as_uri())
    page.locator("#models").wait_for()
    seconds = time.perf_counter() - start
    page.evaluate(START)
    return page, seconds


def close(page: Page) -> None:
    """Close the browser of a page."""
    assert page.context.browser is not None  # noqa: S101 - it was launched
    page.context.browser.close()


def segmented(page: Page, content: bytes, setting: str) -> dict[str, Any]:
    """Segment an image file in a page."""
    return page.evaluate(SEGMENT, [base64.b64encode(content).decode(), setting])


def encoded(image: NDArray[np.uint8]) -> bytes:
    """Return an image as a PNG file."""
    file = BytesIO()
    Image.fromarray(image).save(file, "PNG")
    return file.getvalue()


if __name__ == "__main__":
    main()
