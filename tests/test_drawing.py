"""Drawings of masks: colours, overlay and legend."""

import numpy as np
import pytest
from PIL import Image

from sceneparse.drawing import (
    color_mask,
    entries_by_share,
    entry_width,
    legend,
    overlay,
    printable,
    with_legend,
)
from sceneparse.labels import Labels, ade20k_labels
from sceneparse.labels.label_files import distinct_colors

WHITE = (255, 255, 255)
LABELS = ade20k_labels()


def blocks(height: int, width: int, classes: int = 4, seed: int = 0) -> np.ndarray:
    """Make a mask of rectangles of the first classes, with void at the lower right."""
    small = np.random.default_rng(seed).integers(0, classes, (4, 4), dtype=np.uint8)
    small[-1, -1] = LABELS.ignore_index
    return np.asarray(Image.fromarray(small).resize((width, height), Image.Resampling.NEAREST))


def noise(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (height, width, 3), dtype=np.uint8)


def contains_color(image: np.ndarray, color: tuple[int, int, int]) -> bool:
    return bool((image == color).all(axis=-1).any())


def test_color_mask_equals_slow_look_up():
    mask = np.random.default_rng(0).integers(0, 150, (13, 9), dtype=np.uint8)
    mask[2, 3] = mask[12, 8] = LABELS.ignore_index
    expected = [
        [(0, 0, 0) if i == LABELS.ignore_index else LABELS.colors[i] for i in row] for row in mask
    ]
    np.testing.assert_array_equal(color_mask(mask, LABELS), np.array(expected, dtype=np.uint8))


def test_color_mask_takes_more_than_255_classes():
    many = Labels(tuple(f"class {i}" for i in range(300)), distinct_colors(300), tuple(range(300)))
    mask = np.array([[299, many.ignore_index]], dtype=np.uint16)
    np.testing.assert_array_equal(color_mask(mask, many)[0], [many.colors[299], (0, 0, 0)])


def test_overlay_does_not_change_void_pixels():
    image, mask = noise(160, 200), blocks(160, 200)
    drawn, void = overlay(image, mask, LABELS), mask == LABELS.ignore_index
    np.testing.assert_array_equal(drawn[void], image[void])
    assert (drawn[~void] != image[~void]).any(axis=-1).mean() > 0.9


def test_overlay_blends_by_opacity_away_from_borders():
    image = np.full((200, 200, 3), 100, dtype=np.uint8)
    mask = np.full((200, 200), 2, dtype=np.uint8)
    blended = LABELS.palette[2] / 2 + 50
    np.testing.assert_allclose(overlay(image, mask, LABELS, 0.5)[50, 50], blended, atol=1)
    np.testing.assert_array_equal(overlay(image, mask, LABELS, 0.0), image)
    np.testing.assert_array_equal(overlay(image, mask, LABELS, 1.0), color_mask(mask, LABELS))


@pytest.mark.parametrize(("side", "thickness"), [(64, 0), (200, 1), (1400, 2)])
def test_overlay_draws_thin_borders_that_grow_with_the_image(side: int, thickness: int):
    mask = np.zeros((side, side), dtype=np.uint8)
    mask[:, side // 2 :] = 1
    drawn = overlay(np.zeros((side, side, 3), dtype=np.uint8), mask, LABELS)
    assert (drawn[side // 3] == WHITE).all(axis=-1).sum() == thickness


@pytest.mark.parametrize(
    ("height", "width"), [(1, 1), (8, 8), (24, 32), (383, 512), (40, 3000), (3000, 2000)]
)
def test_with_legend_keeps_the_image_and_shows_every_color(height: int, width: int):
    image, mask = noise(height, width), blocks(height, width)
    drawn = with_legend(image, mask, LABELS)
    np.testing.assert_array_equal(drawn[:height, :width], image)
    legend_image = drawn[height:]
    present = set(np.unique(mask).tolist()) - {LABELS.ignore_index}
    for index in (1, 2, 3, 4, 5, 7):  # no grey ones, as text has grey pixels too
        assert contains_color(legend_image, LABELS.colors[index]) == (index in present)


@pytest.mark.parametrize(("height", "width"), [(300, 200), (512, 384), (200, 1000), (2000, 3000)])
def test_with_legend_keeps_the_width_of_images_that_are_not_tiny(height: int, width: int):
    mask = blocks(height, width, classes=150)
    assert with_legend(noise(height, width), mask, LABELS).shape[1] == width


def test_entries_by_share_put_the_largest_first_and_count_the_rest():
    mask = np.repeat(np.array([0, 2, 4, 6, 255], dtype=np.uint8), [100, 600, 250, 8, 42])
    mask = mask.reshape(50, 20)
    entries = entries_by_share(mask, LABELS, max_entries=12)
    assert [text for _, text in entries] == ["sky 60%", "tree 25%", "wall 10%", "road <1%"]
    assert [color for color, _ in entries] == [LABELS.colors[i] for i in (2, 4, 0, 6)]
    assert entries_by_share(mask, LABELS, 2) == [*entries[:2], (None, "+ 2 more")]


def test_with_legend_of_a_void_mask_is_the_image():
    image, mask = noise(20, 30), np.full((20, 30), LABELS.ignore_index, dtype=np.uint8)
    np.testing.assert_array_equal(with_legend(image, mask, LABELS), image)


@pytest.mark.parametrize("width", [1, 60, 133, 400, 1000])
@pytest.mark.parametrize("font_size", [11, 14, 40])
def test_legend_never_cuts_off_text(width: int, font_size: int):
    entries = [((200, 0, 0), name) for name in ("sky", "chest of drawers", "a rather long name")]
    drawn = legend(entries, width, font_size)
    assert drawn.shape[1] >= width
    for side in (drawn[0], drawn[-1], drawn[:, 0], drawn[:, -1]):
        assert (side == 255).all()


def test_legend_shrinks_its_font_before_it_widens():
    entry = ((0, 0, 200), "television receiver")
    width = entry_width(entry[1], 14) + 14
    assert legend([entry], width, font_size=60).shape[1] == width
    assert legend([entry], 20, font_size=60).shape[1] < width


def test_legend_without_entries_is_empty():
    assert legend([], 77).shape == (0, 77, 3)


def test_printable_drops_accents_and_never_fails():
    assert printable("Gebäude · café…") == "Gebaude · cafe..."
    assert printable("天\n") == "??"


def test_a_name_that_the_font_cannot_show_is_replaced_by_its_id() -> None:
    names = ("地面", "café", "what?")
    labels = Labels(names, ((1, 2, 3), (4, 5, 6), (7, 8, 9)), (7, 8, 9))
    mask = np.array([[0, 0, 0, 1, 1, 2]], np.uint8)
    shown = [text for _, text in entries_by_share(mask, labels, 9)]
    assert shown == ["id 7 50%", "café 33%", "what? 17%"]
    exact = [text for _, text in entries_by_share(mask, labels, 9, for_fonts=False)]
    assert exact == ["地面 50%", "café 33%", "what? 17%"]
