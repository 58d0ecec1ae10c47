"""Tests of shapes and of the one way from shapes to a mask."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.path import Path as Outline
from numpy.typing import NDArray
from PIL import Image
from pycocotools import mask as coco_masks

from sceneparse.data.formats.outlines import areas, outlines, polygon_area, without_holes
from sceneparse.data.formats.rasterizer import ShapeAnnotation, draw
from sceneparse.data.formats.run_lengths import (
    compressed,
    decompressed,
    pixels_of_runs,
    runs_of_pixels,
)
from sceneparse.data.formats.shapes import (
    Bitmap,
    Polygon,
    Region,
    RelativePolygon,
    RunLengths,
    Shape,
    ellipse,
    rectangle,
)
from sceneparse.errors import InputError


def filled(region: Region, height: int, width: int) -> NDArray[np.bool_]:
    """Return the pixels of a whole image."""
    pixels = np.zeros((height, width), np.bool_)
    rows, columns = region.pixels.shape
    pixels[region.top : region.top + rows, region.left : region.left + columns] = region.pixels
    return pixels


def in_image(shape: Shape, height: int, width: int) -> NDArray[np.bool_]:
    return filled(shape.region(height, width), height, width)


def test_a_polygon_covers_the_pixels_whose_centres_it_holds() -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        turns = np.sort(rng.random(int(rng.integers(3, 9)))) * 2 * np.pi
        radii = rng.uniform(3, 30, len(turns))
        # Some reach beyond the image, of 40 by 50 pixels.
        points = np.stack([np.cos(turns), np.sin(turns)], 1) * radii[:, None] + [25, 20]
        rows, columns = np.mgrid[:40, :50] + 0.5
        centres = np.stack([columns.ravel(), rows.ravel()], axis=1)
        outline = Outline(np.concatenate([points, points[:1]]), closed=True)
        expected = outline.contains_points(centres).reshape(40, 50)
        found = in_image(Polygon(1, (points,)), 40, 50)
        # COCO rounds to fifths of a pixel, which matters on the outline alone.
        distance = _distance_to_outline(points, centres).reshape(40, 50)
        np.testing.assert_array_equal(found[distance > 0.75], expected[distance > 0.75])


def _distance_to_outline(
    points: NDArray[np.float64], centres: NDArray[np.float64]
) -> NDArray[np.float64]:
    starts, ends = points, np.roll(points, -1, axis=0)
    along = ends - starts
    offset = centres[:, None] - starts
    position = (offset * along).sum(2) / np.maximum((along**2).sum(1), 1e-9)
    nearest = starts + position.clip(0, 1)[..., None] * along
    return np.linalg.norm(centres[:, None] - nearest, axis=2).min(axis=1)


def test_a_polygon_in_its_window_is_that_of_coco_in_the_whole_image() -> None:
    rng = np.random.default_rng(1)
    for _ in range(50):
        points = np.round(rng.uniform(-20, 90, (int(rng.integers(3, 8)), 2)), 1)
        corners: Any = [points.ravel().tolist()]
        encoded: Any = coco_masks.frPyObjects(corners, 60, 70)
        counts = decompressed(encoded[0]["counts"].decode())
        expected = pixels_of_runs(counts, 70, 60).T
        np.testing.assert_array_equal(in_image(Polygon(1, (points,)), 60, 70), expected)


def test_a_rectangle_with_whole_corners_covers_exactly_its_pixels() -> None:
    pixels = in_image(Polygon(1, (rectangle(3, 4, 10, 9),)), 20, 30)
    expected = np.zeros((20, 30), np.bool_)
    expected[4:9, 3:10] = True
    np.testing.assert_array_equal(pixels, expected)


def test_holes_are_not_covered() -> None:
    pixels = in_image(Polygon(1, (rectangle(0, 0, 10, 10),), (rectangle(2, 2, 5, 5),)), 12, 12)
    assert pixels.sum() == 100 - 9
    assert not pixels[2:5, 2:5].any()


@pytest.mark.parametrize("points", [np.zeros((0, 2)), np.ones((1, 2)), np.ones((2, 2))])
def test_a_polygon_of_less_than_three_points_covers_nothing(points: NDArray[np.float64]) -> None:
    assert not in_image(Polygon(1, (points,)), 5, 5).any()
    assert not in_image(Polygon(1, ()), 5, 5).any()


@pytest.mark.parametrize("far", [1e9, 1e300, np.inf, np.nan])
def test_a_polygon_that_would_take_all_memory_is_refused(far: float) -> None:
    points = np.array([[0, 0], [far, 0], [3, 3]], np.float64)
    with pytest.raises(InputError, match="a polygon that is not of an image of 5×5 pixels"):
        Polygon(1, (points,)).region(5, 5)


def test_an_ellipse_and_a_turned_rectangle_have_their_areas() -> None:
    assert polygon_area(ellipse((50, 40), (30, 20))) == pytest.approx(np.pi * 600, rel=0.01)
    turned = rectangle(10, 10, 30, 20, angle=90)
    assert sorted(turned.round(6).tolist()) == sorted(rectangle(15, 5, 25, 25).tolist())


def test_compressed_run_lengths_are_those_of_coco() -> None:
    rng = np.random.default_rng(2)
    for share in (0.0, 0.02, 0.5, 1.0):
        pixels = rng.random((37, 53)) < share
        encoded = coco_masks.encode(np.asfortranarray(pixels.astype(np.uint8)))
        text = encoded["counts"].decode()  # pyright: ignore[reportAttributeAccessIssue]
        assert decompressed(text) == tuple(runs_of_pixels(pixels.T))
        np.testing.assert_array_equal(in_image(RunLengths(1, 37, 53, text), 37, 53), pixels)
        plain = RunLengths(1, 37, 53, tuple(runs_of_pixels(pixels.T)))
        np.testing.assert_array_equal(in_image(plain, 37, 53), pixels)


def test_run_lengths_of_a_window_are_those_of_coco_in_the_whole_image() -> None:
    rng = np.random.default_rng(3)
    for share in (0.0, 0.3, 1.0):
        for top, left, bottom, right in ((0, 0, 9, 13), (2, 3, 9, 13), (0, 4, 5, 13), (3, 0, 4, 1)):
            image = np.zeros((9, 13), np.bool_)
            window = image[top:bottom, left:right]
            window[:] = rng.random(window.shape) < share
            encoded = coco_masks.encode(np.asfortranarray(image.astype(np.uint8)))
            text = encoded["counts"].decode()  # pyright: ignore[reportAttributeAccessIssue]
            assert compressed(window, (top, left), image.shape) == text


@pytest.mark.parametrize(
    "counts",
    [(), (3,), (20,), (-4, 16, 4), (2**62, 2**62, 2**62, 2**62, 16), "", "~~~~", "0", "\n"],
)
def test_run_lengths_that_do_not_fit_are_refused(counts: tuple[int, ...] | str) -> None:
    with pytest.raises(InputError, match="run lengths"):
        RunLengths(1, 4, 4, counts).region(4, 4)


def test_run_lengths_of_another_size_are_refused() -> None:
    with pytest.raises(InputError, match="of an image of 5×4 pixels, expected 4×5"):
        RunLengths(1, 4, 5, (20,)).region(5, 4)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "RGBA"])
def test_a_bitmap_covers_its_pixels_within_the_image(mode: str, tmp_path: Path) -> None:
    pixels = np.random.default_rng(3).random((6, 8)) < 0.5
    values = (pixels * 255).astype(np.uint8)
    image = Image.fromarray(values).convert("1" if mode == "1" else "L")
    if mode in ("LA", "RGBA"):
        image = Image.merge(mode, [*([Image.new("L", (8, 6), 9)] * (len(mode) - 1)), image])
    image.save(tmp_path / "a.png")
    found = in_image(Bitmap(1, tmp_path / "a.png", top=-2, left=3), 5, 9)
    expected = np.zeros((5, 9), np.bool_)
    expected[:4, 3:] = pixels[2:, :6]
    np.testing.assert_array_equal(found, expected)
    assert not in_image(Bitmap(1, tmp_path / "a.png", top=40, left=-90), 5, 9).any()
    with pytest.raises(InputError, match="8×6 pixels, expected 9×5"):
        Bitmap(1, tmp_path / "a.png", fills_image=True).region(5, 9)


def test_outlines_are_filled_to_exactly_their_pixels() -> None:
    rng = np.random.default_rng(4)
    for share in (0.1, 0.5, 0.9):
        pixels = rng.random((23, 31)) < share
        drawn = np.zeros_like(pixels)
        joined = np.zeros_like(pixels)
        for area in areas(pixels.astype(np.uint8), (1,)):
            drawn |= in_image(Polygon(1, (area.outline,), area.holes), 23, 31)
            joined |= in_image(Polygon(1, (without_holes(area),)), 23, 31)
        np.testing.assert_array_equal(drawn, pixels)
        np.testing.assert_array_equal(joined, pixels)
    assert list(outlines(np.zeros((4, 4), np.bool_))) == []


BOXES: list[Shape] = [
    Polygon(1, (rectangle(0, 0, 4, 4),)),
    Polygon(2, (rectangle(2, 2, 8, 8),)),
    Polygon(1, (rectangle(3, 3, 5, 5),)),
]


def test_later_shapes_lie_on_top_where_the_format_has_an_order() -> None:
    drawn = draw(BOXES, (10, 10), 0, in_order=True)
    expected = np.zeros((10, 10), np.uint8)
    expected[:4, :4] = 1
    expected[2:8, 2:8] = 2
    expected[3:5, 3:5] = 1
    np.testing.assert_array_equal(drawn.raw, expected)
    assert drawn.uncovered == 100 - 16 - 36 + 4
    # Where 1 and 2 overlap, and where 1 lies over 2.
    assert drawn.overlapped == 4 + 3


def test_else_smaller_shapes_lie_over_larger_ones() -> None:
    large_last = [*BOXES[2:], *BOXES[:2]]
    drawn = draw(large_last, (10, 10), 0, in_order=False)
    expected = np.zeros((10, 10), np.uint8)
    expected[2:8, 2:8] = 2
    expected[:4, :4] = 1
    expected[3:5, 3:5] = 1
    np.testing.assert_array_equal(drawn.raw, expected)
    assert drawn.overlapped == 4 + 3


def test_shapes_of_one_class_do_not_overlap() -> None:
    assert draw([BOXES[0], BOXES[2]], (10, 10), 0, in_order=True).overlapped == 0


def test_ids_beyond_a_byte_are_kept() -> None:
    drawn = draw([Polygon(300, (rectangle(0, 0, 2, 2),))], (3, 3), 65535, in_order=True)
    assert drawn.raw.dtype == np.uint16
    assert sorted(np.unique(drawn.raw).tolist()) == [300, 65535]


def test_uncovered_pixels_need_a_word(tmp_path: Path) -> None:
    def annotation(shapes: list[Shape], uncovered: int | None) -> ShapeAnnotation:
        return ShapeAnnotation(
            tmp_path / "a.json", tmp_path / "a.jpg", shapes, uncovered, True, stated_size=(10, 10)
        )

    with pytest.raises(InputError, match=r"a\.json: 52% of the pixels of a\.jpg lie in no shape"):
        annotation(BOXES, None).read()
    assert annotation(BOXES, 7).read()[9, 9] == 7
    whole: list[Shape] = [Polygon(1, (rectangle(0, 0, 10, 10),))]
    assert (annotation(whole, None).read() == 1).all()


def test_without_a_stated_size_the_image_has_it(tmp_path: Path) -> None:
    Image.new("RGB", (7, 5)).save(tmp_path / "a.png")
    shapes: list[Shape] = [RelativePolygon(1, rectangle(0, 0, 1, 1))]
    annotation = ShapeAnnotation(tmp_path / "a.txt", tmp_path / "a.png", shapes, None, False)
    assert annotation.size() == (5, 7)
    assert (annotation.read() == np.ones((5, 7))).all()
