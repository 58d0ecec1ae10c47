"""Draw `docs/images/page.jpg`: the page of `sceneparse serve` with a generated scene, in Chromium.

Run by `make docs`, where Chromium is installed.
"""

import os
import shutil
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parents[1]
TARGET = ROOT / "docs" / "images" / "page.jpg"
SIZE = (1280, 760)
# A pixel of the page in the sky of the scene.
POINT = (480, 280)


def main() -> None:
    """Draw the page."""
    sys.path.insert(0, str(ROOT / "benchmarks"))
    from serve_process import server_process  # pyright: ignore[reportMissingImports]

    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with server_process("bundled") as server, sync_playwright() as playwright:
        path = shutil.which("chromium")
        browser = playwright.chromium.launch(executable_path=path, args=arguments)
        page = browser.new_page(viewport={"width": SIZE[0], "height": SIZE[1]})
        page.goto(f"http://127.0.0.1:{server.port}")
        page.get_by_role("button", name="Street").click()
        page.locator(".classes li").first.wait_for()
        page.mouse.move(*POINT)
        page.locator(".tip:visible").first.wait_for()
        page.screenshot(path=TARGET, type="jpeg", quality=85)
        browser.close()
    print(f"written: {TARGET}")


if __name__ == "__main__":
    main()
