"""The page of `sceneparse serve` in Chromium: seconds to the first paint, and to masks.

Each round starts the browser anew, with an empty cache; the server keeps running.
"""

import os
import shutil
import statistics
import tempfile
import time
from pathlib import Path

from PIL import Image
from playwright.sync_api import Playwright, sync_playwright

from harness import parser
from rows import Claim, Row, make_row, report
from sceneparse.scenes import draw_scene
from serve_process import server_process

NAME = "page"
SIZE = (512, 683)
ROUNDS = 7
FIRST_PAINT = """() => new Promise((resolve) => {
  new PerformanceObserver((list) => {
    const found = list.getEntriesByName("first-contentful-paint");
    if (found.length) resolve(found[0].startTime / 1000);
  }).observe({ type: "paint", buffered: true });
})"""


def main() -> None:
    """Measure and report."""
    arguments = parser(__doc__).parse_args()
    times: dict[str, list[float]] = {}
    with (
        tempfile.TemporaryDirectory() as folder,
        server_process("bundled") as server,
        sync_playwright() as playwright,
    ):
        image = Path(folder) / "scene.png"
        Image.fromarray(draw_scene(0, 0, *SIZE)[0]).save(image)
        for _ in range(2 if arguments.quick else ROUNDS):
            visit(playwright, f"http://127.0.0.1:{server.port}", image, times)
    report(NAME, [row(metric, seconds) for metric, seconds in times.items()], arguments)


def visit(playwright: Playwright, address: str, image: Path, times: dict[str, list[float]]) -> None:
    """Open the page in a new browser, segment an image twice, and add the seconds."""
    program = shutil.which("chromium")
    if program is None:
        raise SystemExit("chromium: not found; install it")
    # Chromium's sandbox does not start as root.
    options = ["--no-sandbox"] if os.geteuid() == 0 else []
    browser = playwright.chromium.launch(executable_path=program, args=options)
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    start = time.perf_counter()
    page.goto(address)
    times.setdefault("first paint", []).append(page.evaluate(FIRST_PAINT))
    page.locator("#model option").first.wait_for(state="attached")
    times.setdefault("models listed", []).append(time.perf_counter() - start)
    metric = f"chosen image of {SIZE[0]}×{SIZE[1]} to masks"
    start = time.perf_counter()
    page.set_input_files("#choose", image)
    page.locator(".classes li").first.wait_for()
    times.setdefault(metric, []).append(time.perf_counter() - start)
    browser.close()


def row(metric: str, seconds: list[float]) -> Row:
    """Make a row of this benchmark."""
    claim = Claim(benchmark=NAME, peer="none", metric=metric, min_ratio=None)
    median = statistics.median(seconds)
    return make_row(claim, "s", median, None, None, repeats=len(seconds))


if __name__ == "__main__":
    main()
