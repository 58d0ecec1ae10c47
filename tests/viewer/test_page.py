"""The page of `sceneparse serve` in Chromium, as people use it."""

import re
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Browser, Page, expect

import sceneparse
from sceneparse.scenes import draw_scene
from tests.browser import DESKTOP, PHONE
from tests.viewer.running import running_server

pytestmark = pytest.mark.browser
SIZE = (96, 128)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server of the bundled model, with and without flipping."""
    folder = tmp_path_factory.mktemp("server")
    with running_server("bundled", "bundled", "inference.flip=false", folder=folder) as address:
        yield address


@pytest.fixture
def opened(page: Page, server: str) -> Page:
    """The page, ready."""
    page.goto(server)
    expect(page.locator("#model option")).to_have_count(2)
    return page


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A generated scene as a PNG file."""
    path = tmp_path_factory.mktemp("images") / "scene.png"
    Image.fromarray(draw_scene(0, 7, *SIZE)[0]).save(path)
    return path


def choose(page: Page, *images: Path) -> None:
    """Choose images, and wait until the first of them is segmented."""
    page.set_input_files("#choose", images)
    expect(page.locator(".classes li").first).to_be_visible()


def pixels_of(page: Page, stage: int = 0) -> NDArray[np.uint8]:
    """Return what a stage shows, `(H, W, 3)`."""
    page.wait_for_timeout(100)  # A frame is drawn when the browser wants one.
    content = page.locator(".stage canvas").nth(stage).screenshot()
    with Image.open(BytesIO(content)) as shown:
        return np.asarray(shown.convert("RGB")).copy()


def names_of(page: Page) -> list[str]:
    return page.locator(".classes .name").all_inner_texts()


def test_a_chosen_image_is_shown_with_the_classes_of_its_prediction(
    opened: Page, image: Path
) -> None:
    choose(opened, image)
    expected = sceneparse.load("bundled")(image).classes()
    assert names_of(opened) == [each["name"] for each in expected]
    shares = opened.locator(".classes .number").all_inner_texts()
    assert shares[0] == f"{expected[0]['share']:.0%}"
    expect(opened.locator(".summary")).to_contain_text(f"128×96 · {len(expected)} class")


def test_pasted_and_dropped_images_are_segmented(opened: Page, image: Path) -> None:
    give = """([kind, bytes]) => {
      const transfer = new DataTransfer();
      transfer.items.add(new File([Uint8Array.from(bytes)], `${kind}.png`, { type: "image/png" }));
      const property = kind === "paste" ? "clipboardData" : "dataTransfer";
      const event = new Event(kind, { bubbles: true, cancelable: true });
      document.body.dispatchEvent(Object.assign(event, { [property]: transfer }));
    }"""
    for count, kind in enumerate(["paste", "drop"], start=1):
        opened.evaluate(give, [kind, list(image.read_bytes())])
        expect(opened.locator("#strip li")).to_have_count(count + 1)
        expect(opened.get_by_label(f"{kind}.png", exact=True)).to_have_attribute(
            "aria-current", "true"
        )
    expect(opened.locator(".classes li").first).to_be_visible()


def test_an_example_is_segmented_with_one_click(opened: Page) -> None:
    opened.get_by_role("button", name="Street").click()
    expect(opened.locator(".classes li").first).to_be_visible()
    assert {"building", "sky"} <= set(names_of(opened))


def test_opacity_and_hidden_classes_change_what_is_shown(opened: Page, image: Path) -> None:
    choose(opened, image)
    opened.mouse.move(0, 0)
    both = pixels_of(opened)
    opened.locator("#opacity").fill("0")
    plain = pixels_of(opened)
    opened.locator("#opacity").fill("100")
    full = pixels_of(opened)
    opened.get_by_role("button", name="None").click()
    opened.mouse.move(0, 0)
    hidden = pixels_of(opened)
    difference = np.abs(both.astype(int) - plain).sum()
    assert 0 < difference < np.abs(full.astype(int) - plain).sum()
    assert np.array_equal(hidden, plain)
    opened.get_by_role("button", name="All").click()
    opened.mouse.move(0, 0)
    assert np.array_equal(pixels_of(opened), full)


def test_the_search_filters_the_legend(opened: Page, image: Path) -> None:
    choose(opened, image)
    name = names_of(opened)[-1]
    opened.get_by_placeholder("Find a class").fill(name.upper())
    visible = opened.locator(".classes li:visible .name").all_inner_texts()
    assert name in visible
    assert all(name in each for each in visible)
    opened.get_by_placeholder("Find a class").fill("no such class")
    expect(opened.get_by_text("No class of this name.")).to_be_visible()


def test_the_region_under_the_pointer_lights_up_with_its_name(opened: Page, image: Path) -> None:
    choose(opened, image)
    prediction = sceneparse.load("bundled")(image)
    box = opened.locator(".stage canvas").first.bounding_box()
    assert box is not None
    scale = min(box["width"] / SIZE[1], box["height"] / SIZE[0])
    left = box["x"] + (box["width"] - SIZE[1] * scale) / 2
    top = box["y"] + (box["height"] - SIZE[0] * scale) / 2
    for y, x in [(5, 10), (90, 64), (50, 120)]:
        opened.mouse.move(left + (x + 0.5) * scale, top + (y + 0.5) * scale)
        name = prediction.labels.class_names[prediction.mask[y, x]]
        expect(opened.locator(".tip strong").first).to_have_text(name)
        sure = round(100 * float(prediction.confidence[y, x]))
        shown = opened.locator(".tip").first.inner_text()
        found = re.search(r"(\d+)% sure here", shown)
        assert found is not None
        assert abs(int(found[1]) - sure) <= 1  # Confidence is sent in 256 levels.


def test_the_keyboard_reaches_regions_and_zoom(opened: Page, image: Path) -> None:
    choose(opened, image)
    stage = opened.locator(".stage canvas").first
    stage.focus()
    opened.keyboard.press("n")
    largest = names_of(opened)[0]
    expect(opened.locator("[aria-live]")).to_contain_text("Region 1 of")
    expect(opened.locator(".tip strong").first).to_be_visible()
    opened.keyboard.press("Escape")
    expect(opened.locator(".tip").first).to_be_hidden()
    whole = pixels_of(opened)
    opened.keyboard.press("+")
    zoomed = pixels_of(opened)
    assert not np.array_equal(whole, zoomed)
    opened.keyboard.press("ArrowRight")
    assert not np.array_equal(zoomed, pixels_of(opened))
    opened.keyboard.press("0")
    assert np.array_equal(whole, pixels_of(opened))
    assert largest in (stage.get_attribute("aria-label") or "")


def test_a_pinch_zooms_around_the_fingers(chromium: Browser, server: str, image: Path) -> None:
    context = chromium.new_context(viewport=PHONE, has_touch=True, is_mobile=True)
    page = context.new_page()
    page.goto(server)
    choose(page, image)
    before = pixels_of(page)
    # Playwright has no gesture of two fingers.
    page.locator(".stage canvas").first.evaluate(
        """(canvas) => {
          const { left, top, width, height } = canvas.getBoundingClientRect();
          canvas.setPointerCapture = () => {};
          const send = (kind, pointerId, x) => canvas.dispatchEvent(new PointerEvent(kind, {
            pointerId, pointerType: "touch", clientX: left + x * width,
            clientY: top + height / 2 }));
          send("pointerdown", 1, 0.45); send("pointerdown", 2, 0.55);
          for (let step = 1; step <= 10; step++) {
            send("pointermove", 1, 0.45 - 0.02 * step); send("pointermove", 2, 0.55 + 0.02 * step);
          }
          send("pointerup", 1, 0.25); send("pointerup", 2, 0.75);
        }"""
    )
    after = pixels_of(page)
    assert not np.array_equal(before, after)
    assert (
        page.locator(".stage canvas").first.evaluate("(each) => each.style.touchAction") == "none"
    )
    context.close()


def test_downloads_equal_the_files_of_predict(opened: Page, image: Path, tmp_path: Path) -> None:
    choose(opened, image)
    with opened.expect_download() as download:
        opened.get_by_title("Download the mask").click()
    assert download.value.suggested_filename == "scene_mask.png"
    prediction = sceneparse.load("bundled")(image)
    download.value.save_as(tmp_path / "mask.png")
    with Image.open(tmp_path / "mask.png") as mask:
        assert np.array_equal(np.asarray(mask), prediction.labels.decode(prediction.mask))
    with opened.expect_download() as download:
        opened.get_by_title("Download the overlay").click()
    download.value.save_as(tmp_path / "overlay.png")
    with Image.open(tmp_path / "overlay.png") as overlay:
        assert overlay.size == (SIZE[1], SIZE[0])
        difference = np.asarray(overlay.convert("RGB")).astype(int) - prediction.overlay(0.6)
    # The page draws lines between classes elsewhere, and shows the image as a JPEG.
    assert np.median(np.abs(difference)) <= 4


def test_two_settings_are_compared_side_by_side(opened: Page, image: Path) -> None:
    choose(opened, image)
    expect(opened.locator(".stage:visible")).to_have_count(1)
    opened.select_option("#other", index=2)
    expect(opened.locator(".stage:visible")).to_have_count(2)
    one, other = (sceneparse.load("bundled", flip=flip)(image).mask for flip in (True, False))
    agreement = f"{round(100 * float((one == other).mean()))}%"
    expect(opened.locator(".summary")).to_contain_text(f"same class in {agreement}")
    opened.get_by_text("Difference").click()
    opened.locator("#opacity").fill("100")
    shown = pixels_of(opened)
    red = (shown == [235, 64, 82]).all(axis=-1)
    canvas = shown.shape
    scale = min(canvas[1] / SIZE[1], canvas[0] / SIZE[0])
    assert red.sum() / scale**2 == pytest.approx((one != other).sum(), rel=0.1)
    opened.select_option("#other", index=0)
    expect(opened.locator(".stage:visible")).to_have_count(1)


def test_a_bad_file_gets_a_message_and_the_others_stay(
    opened: Page, image: Path, tmp_path: Path
) -> None:
    choose(opened, image)
    bad = tmp_path / "notes.jpg"
    bad.write_text("no image")
    opened.set_input_files("#choose", bad)
    expect(opened.get_by_role("alert")).to_contain_text("not an image of a known format")
    expect(opened.get_by_role("alert")).to_contain_text("notes.jpg")
    opened.get_by_role("alert").get_by_text("Remove").click()
    expect(opened.get_by_role("alert")).to_be_hidden()
    expect(opened.locator(".classes li").first).to_be_visible()
    expect(opened.locator("#strip li")).to_have_count(2)
    opened.get_by_label("Remove scene.png").click()
    expect(opened.locator("#welcome")).to_be_visible()


def test_the_page_says_that_the_server_is_gone_and_tries_again(opened: Page, image: Path) -> None:
    opened.context.set_offline(True)
    opened.set_input_files("#choose", image)
    expect(opened.get_by_role("alert")).to_contain_text("The server does not answer")
    opened.context.set_offline(False)
    opened.get_by_role("alert").get_by_text("Try again").click()
    expect(opened.locator(".classes li").first).to_be_visible()


@pytest.mark.slow
def test_a_token_is_asked_for_once(page: Page, image: Path, tmp_path: Path) -> None:
    with running_server("bundled", "--token", "open-sesame", folder=tmp_path) as address:
        page.goto(address)
        page.get_by_label("This server needs a token").fill("wrong")
        page.get_by_text("Continue").click()
        # The page asks again, in another dialog.
        expect(page.get_by_label("This server needs a token")).to_have_value("")
        page.get_by_label("This server needs a token").fill("open-sesame")
        page.get_by_text("Continue").click()
        expect(page.locator("#model option")).to_have_count(1)
        choose(page, image)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [DESKTOP, PHONE])
def test_everyone_can_use_the_page(
    chromium: Browser, server: str, image: Path, viewport: Any, scheme: Any
) -> None:
    context = chromium.new_context(viewport=viewport, color_scheme=scheme)
    page = context.new_page()
    page.goto(server)
    expect(page.locator("#model option")).to_have_count(2)
    check_accessibility(page)
    page.get_by_text("About", exact=True).click()
    check_accessibility(page)
    page.keyboard.press("Escape")
    choose(page, image)
    page.select_option("#other", index=2)
    expect(page.locator(".stage:visible")).to_have_count(2)
    check_accessibility(page)
    wider = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    assert wider <= 0, "the page scrolls sideways"
    context.close()


def check_accessibility(page: Page) -> None:
    """Check the page as it is now with axe-core: labels, contrast, order of focus and more."""
    result = Axe().run(page)
    assert len(result.response["passes"]) > 10
    assert result.violations_count == 0, result.generate_report()


def test_the_order_of_focus_is_that_of_the_page(opened: Page, image: Path) -> None:
    choose(opened, image)
    opened.locator("h1").click()
    focused: list[str] = []
    for _ in range(14):
        opened.keyboard.press("Tab")
        focused.append(
            opened.evaluate(
                "() => { const it = document.activeElement;"
                " return it.ariaLabel ?? it.id ?? it.textContent; }"
            )
        )
    wanted = ["model", "other", "about-open", "scene.png", "Add images", "Zoom in", "opacity"]
    positions = [focused.index(each) for each in wanted]
    assert positions == sorted(positions)
