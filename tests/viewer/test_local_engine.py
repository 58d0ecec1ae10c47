"""A model as one HTML file, opened from disk in Chromium without a network."""

import base64
import gzip
import socket
import struct
import zlib
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, ViewportSize, expect

import sceneparse
from sceneparse.data.io.decode import read_image
from sceneparse.inference.predictor import Predictor
from sceneparse.scenes import draw_scene
from tests.browser import DESKTOP, PHONE
from tests.local_page import encoded, html_of_bundled, segment

pytestmark = pytest.mark.browser

# Of the setting that sees larger images: small ones save time.
SCALE = 0.25


@pytest.fixture(scope="module")
def html(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundled model as a page, whose setting `larger` has another scale."""
    path = html_of_bundled(tmp_path_factory.mktemp("html") / "bundled.html")
    text = path.read_text("utf-8")
    assert text.count('"scale": 1.5') == 1
    path.write_text(text.replace('"scale": 1.5', f'"scale": {SCALE}'), "utf-8")
    return path


@pytest.fixture(scope="module")
def opened(chromium: Browser, html: Path) -> Iterator[Page]:
    """The page, opened from disk without a network."""
    context = chromium.new_context(viewport=DESKTOP, offline=True)
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(html.as_uri())
    yield page
    context.close()
    assert errors == []


@cache
def python(setting: str = "larger") -> Predictor:
    """The bundled model in fp32, as a setting of the page."""
    scale = SCALE if setting == "larger" else 1
    return sceneparse.load(runtime="onnxruntime", flip=setting != "plain", scales=[scale])


@pytest.mark.parametrize("setting", ["trained", "plain", "larger"])
def test_a_page_gives_the_labels_and_the_confidence_of_python(opened: Page, setting: str) -> None:
    predictor = python(setting)
    image, _ = draw_scene(3, 1, 211, 283)
    found, expected = segment(opened, encoded(image), setting), predictor.segment(image)
    assert np.mean(found["labels"] == expected.mask) >= 0.999
    assert expected.confidence is not None
    # Bytes round by half of 1/255; the rest is fp32.
    assert np.abs(found["confidence"] / 255 - expected.confidence).max() < 0.51 / 255
    assert found["imageSize"] == [283, 211]
    names = [entry["name"] for entry in found["classes"]]
    assert names == list(predictor.labels.class_names)


@pytest.mark.real
@pytest.mark.parametrize("index", range(3))
def test_a_page_gives_the_labels_of_python_for_real_images(
    opened: Page, real_root: Path, index: int
) -> None:
    image = read_image(sorted(real_root.glob("images/validation/*.jpg"))[40 * index])
    found, expected = segment(opened, encoded(image), "trained"), python("trained").segment(image)
    assert np.mean(found["labels"] == expected.mask) >= 0.999


def unusual_images() -> dict[str, bytes]:
    """Return images of other kinds than RGB of 8 bits, upright and of many pixels."""
    image, _ = draw_scene(5, 1, 120, 160)
    ramp = np.tile(np.linspace(0, 255, 160).astype(np.uint8), (120, 1))
    upside_down = Image.Exif()
    upside_down[0x0112] = 3
    grey = Image.fromarray(image[..., 1])
    return {
        "transparent": encoded(np.dstack([image, ramp])),
        "grey and transparent": encoded(Image.merge("LA", [grey, Image.fromarray(ramp)])),
        "palette": encoded(Image.fromarray(image).quantize(64)),
        "grey of 16 bits": encoded(image[..., 1].astype(np.uint16) * 257),
        "turned by EXIF": encoded(image, exif=upside_down),
        "GIF": encoded(Image.fromarray(image).quantize(64), "GIF"),
        "one pixel": encoded(image[:1, :1]),
        "one row": encoded(image[:1].repeat(30, axis=1)),
        "larger than a tile": encoded(image[:9].repeat(230, axis=0)[:, :2]),
    }


@pytest.mark.parametrize("name", unusual_images())
def test_a_page_reads_images_as_python_does(opened: Page, name: str) -> None:
    content = unusual_images()[name]
    expected = python()(content)
    assert np.mean(segment(opened, content)["labels"] == expected.mask) >= 0.999


def black_png(width: int, height: int) -> bytes:
    """Return a PNG file of many pixels and few bytes."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        checksum = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + checksum

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    pixels = zlib.compress(bytes((width + 1) * height))
    chunks = ((b"IHDR", header), (b"IDAT", pixels), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*each) for each in chunks)


def test_a_page_says_what_is_wrong_with_an_image_and_goes_on(opened: Page) -> None:
    image = encoded(draw_scene(5, 1, 96, 128)[0])
    for content in (b"", b"some text", image[:2000], b"<svg xmlns='http://www.w3.org/2000/svg'/>"):
        assert "not an image that this browser can read" in segment(opened, content)["error"]
    message = segment(opened, black_png(9000, 8000))["error"]
    assert "9000×8000 pixels; at most 64 million" in message
    assert segment(opened, image)["width"] == 128


def test_a_page_stops_when_it_is_asked_to_and_goes_on(opened: Page) -> None:
    image = encoded(draw_scene(5, 1, 512, 683)[0])
    assert "AbortError" in segment(opened, image, abort_after=0)["error"]
    assert "AbortError" in segment(opened, image, "trained", abort_after=150)["error"]
    assert segment(opened, image)["width"] == 683


def test_images_are_segmented_in_turn(opened: Page) -> None:
    images = [encoded(draw_scene(5, index, 60 + index, 80)[0]) for index in range(3)]
    heights = opened.evaluate(
        """(images) => Promise.all(images.map(async (data) => {
          const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
          return (await engine.segment(new Blob([bytes]), { model: "larger" })).height;
        }))""",
        [base64.b64encode(image).decode() for image in images],
    )
    assert heights == [60, 61, 62]


def received(server: socket.socket) -> bytes:
    """Return what anyone sends to a server within a second."""
    content = b""
    server.settimeout(1)
    with suppress(TimeoutError):
        while True:
            connection, _ = server.accept()
            with connection:
                connection.settimeout(1)
                with suppress(TimeoutError):
                    content += connection.recv(4096)
    return content


@pytest.mark.slow
def test_nothing_leaves_a_page(chromium: Browser, html: Path) -> None:
    # With a network, so that only the file itself forbids it.
    context = chromium.new_context()
    page = context.new_page()
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.goto(html.as_uri())
    segment(page, encoded(draw_scene(0, 0, 64, 64)[0]))
    assert {url.partition(":")[0] for url in requests} <= {"file", "blob", "data"}
    with socket.create_server(("127.0.0.1", 0)) as server:
        page.evaluate(
            """async (host) => {
              const url = `http://${host}/`;
              const attempts = [
                () => fetch(url, { mode: "no-cors" }),
                () => navigator.sendBeacon(url, "pixels"),
                () => new WebSocket(`ws://${host}/`),
                () => { new Image().src = url; },
                () => import(url),
                () => new Worker(url),
                () => document.body.append(Object.assign(document.createElement("iframe"),
                  { src: url })),
                () => document.head.append(Object.assign(document.createElement("script"),
                  { src: url })),
                () => { const form = document.createElement("form");
                  Object.assign(form, { action: url, method: "post" });
                  document.body.append(form); form.submit(); },
              ];
              for (const attempt of attempts) {
                try { await attempt(); } catch {}
              }
            }""",
            f"127.0.0.1:{server.getsockname()[1]}",
        )
        # Chromium connects before it asks whether it may, but sends nothing.
        assert received(server) == b""
    context.close()


def test_an_old_browser_is_told_what_it_lacks(page: Page, html: Path) -> None:
    page.add_init_script("delete window.DecompressionStream")
    page.goto(html.as_uri())
    expect(page.locator("#message")).to_contain_text("too old for this page: it lacks Decomp")


def test_a_browser_that_hides_pixels_is_refused(page: Page, html: Path, tmp_path: Path) -> None:
    # As Firefox does with `privacy.resistFingerprinting`: the worker reads white.
    script = b"OffscreenCanvasRenderingContext2D.prototype.getImageData = function (x, y, w, h) {"
    script += b" return new ImageData(new Uint8ClampedArray(4 * w * h).fill(255), w, h); };"
    changed = tmp_path / "changed.html"
    changed.write_text(with_worker_prefix(html.read_text("utf-8"), script), "utf-8")
    page.goto(changed.as_uri())
    expect(page.locator("#message")).to_contain_text("hides the pixels of images")


@pytest.mark.slow
def test_a_browser_without_newer_functions_computes(page: Page, html: Path, tmp_path: Path) -> None:
    changed = tmp_path / "changed.html"
    text = with_worker_prefix(html.read_text("utf-8"), b"delete Uint8Array.fromBase64;")
    changed.write_text(text, "utf-8")
    page.goto(changed.as_uri())
    assert segment(page, encoded(draw_scene(0, 0, 64, 64)[0]))["width"] == 64


def with_worker_prefix(page: str, script: bytes) -> str:
    """Put a script before that of the worker; gzip allows members one after the other."""
    start = 'id="data-worker">'
    before, _, after = page.partition(start)
    worker, _, rest = after.partition("<")
    content = gzip.compress(script + gzip.decompress(base64.b64decode(worker)))
    return f"{before}{start}{base64.b64encode(content).decode()}<{rest}"


@pytest.mark.parametrize("share", [0.3, 0.9, 0.999])
def test_an_incomplete_page_says_so(page: Page, html: Path, tmp_path: Path, share: float) -> None:
    content = html.read_bytes()
    part = tmp_path / "part.html"
    part.write_bytes(content[: int(share * len(content))])
    page.goto(part.as_uri())
    expect(page.locator("#message")).to_contain_text("This file is incomplete")


@pytest.mark.slow
@pytest.mark.parametrize("viewport", [DESKTOP, PHONE])
def test_people_can_use_a_page(chromium: Browser, html: Path, viewport: ViewportSize) -> None:
    context = chromium.new_context(viewport=viewport, offline=True)
    page = context.new_page()
    page.goto(html.as_uri())
    expect(page.locator("#note")).to_contain_text("Images stay on this device")
    page.get_by_role("button", name="Park").click()
    expect(page.locator(".classes li").first).to_be_visible(timeout=60_000)
    page.get_by_role("button", name="About").click()
    notices = page.locator("#about-notices")
    for text in ("non-commercial research", "Apache License", "MIT License", "ONNX Runtime"):
        expect(notices).to_contain_text(text)
    context.close()
