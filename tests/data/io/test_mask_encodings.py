"""Tests of mask encodings in colours."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from sceneparse.data.io.mask_encodings import (
    PLAIN_IDS,
    ColorTable,
    IdsOrColors,
    MaskEncoding,
    RedAndGreen,
)
from sceneparse.errors import InputError

TABLE = ColorTable(((0, 0, 0), (255, 1, 2), (2, 1, 255)), (300, 0, 7))


def save_image(path: Path, pixels: object) -> Path:
    Image.fromarray(np.array(pixels, np.uint8)).save(path)
    return path


def test_a_color_table_reads_ids(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    indices = random.integers(0, 3, (5, 9))
    path = save_image(tmp_path / "a.png", np.array(TABLE.colors)[indices])
    assert TABLE.size(path) == (5, 9)
    assert np.array_equal(TABLE.read(path), np.array(TABLE.ids)[indices])


def test_an_unknown_colour_is_reported(tmp_path: Path) -> None:
    path = save_image(tmp_path / "a.png", [[[0, 0, 0], [255, 1, 3], [255, 1, 3]]])
    with pytest.raises(InputError, match=r"a\.png: unknown colours \(255, 1, 3\) in 2 pixels"):
        TABLE.read(path)


def test_red_and_green_encode_ids_and_blue_is_ignored(tmp_path: Path) -> None:
    ids = np.array([[0, 1, 255, 256], [2855, 3147, 3688, 4095]])
    blue = np.arange(8).reshape(ids.shape) * 30
    path = save_image(tmp_path / "a.png", np.stack([ids // 256 * 10, ids % 256, blue], axis=-1))
    assert np.array_equal(RedAndGreen().read(path), ids)
    assert RedAndGreen().size(path) == (2, 4)


@pytest.mark.parametrize("encoding", [TABLE, RedAndGreen()])
def test_colour_encodings_refuse_masks_of_ids_and_jpeg(
    encoding: MaskEncoding, tmp_path: Path
) -> None:
    grey = save_image(tmp_path / "grey.png", [[1, 2]])
    jpeg = save_image(tmp_path / "a.jpg", [[[0, 0, 0], [1, 1, 1]]])
    for method in (encoding.size, encoding.read):
        with pytest.raises(InputError, match=r"grey\.png: mode L; expected a mask of 8-bit RGB"):
            method(grey)
        with pytest.raises(InputError, match=r"a\.jpg: a JPEG mask"):
            method(jpeg)


def test_different_encodings_have_different_representations() -> None:
    other = ColorTable(TABLE.colors, (300, 0, 8))
    encodings: list[MaskEncoding] = [PLAIN_IDS, RedAndGreen(), TABLE, other]
    assert len({repr(encoding) for encoding in encodings}) == len(encodings)
    assert ColorTable(TABLE.colors, TABLE.ids) == TABLE


THREE = IdsOrColors(((0, 0, 0), (184, 61, 245), (51, 221, 255)), (0, 1, 2), (255,), "labels.yaml")


def palette_mask(path: Path, indices: NDArray[np.uint8], colors: list[tuple[int, ...]]) -> Path:
    image = Image.fromarray(indices).convert("P")
    image.putpalette([value for color in colors for value in color])
    image.save(path)
    return path


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (1, 2, 0)])
def test_a_reordered_palette_is_read_by_its_colours(order: tuple[int, ...], tmp_path: Path) -> None:
    ids = np.array([[0, 1, 2], [2, 2, 0]], np.uint8)
    indices = np.array(order, np.uint8)[ids]
    colors = [THREE.colors[order.index(index)] for index in range(3)]
    np.testing.assert_array_equal(
        THREE.read(palette_mask(tmp_path / "a.png", indices, colors)), ids
    )


def test_a_palette_of_other_colours_is_read_by_its_indices(tmp_path: Path) -> None:
    ids = np.array([[0, 1, 2], [255, 2, 0]], np.uint8)
    colors = [(0, 0, 0), (128, 0, 0), (0, 128, 0)] + [(9, 9, index) for index in range(253)]
    np.testing.assert_array_equal(THREE.read(palette_mask(tmp_path / "a.png", ids, colors)), ids)


def test_a_palette_that_names_some_classes_at_other_indices_is_refused(tmp_path: Path) -> None:
    ids = np.array([[0, 1, 2]], np.uint8)
    path = palette_mask(tmp_path / "a.png", ids, [(51, 221, 255), (1, 2, 3), (0, 0, 0)])
    with pytest.raises(InputError, match=r"index 0 the colour of class 2, and index 1 .*labels"):
        THREE.read(path)


def test_colours_of_the_classes_are_read_and_others_are_named(tmp_path: Path) -> None:
    ids = np.array([[0, 1, 2], [2, 1, 0]], np.uint8)
    colors = np.array(THREE.colors, np.uint8)[ids]
    Image.fromarray(colors).save(tmp_path / "a.png")
    np.testing.assert_array_equal(THREE.read(tmp_path / "a.png"), ids)
    colors[0, 1] = (7, 8, 9)
    Image.fromarray(colors).save(tmp_path / "b.png")
    with pytest.raises(InputError, match=r"of no class: \(7, 8, 9\) in 1 pixels.*labels\.yaml"):
        THREE.read(tmp_path / "b.png")


def test_equal_channels_are_ids_unless_they_are_also_grey_colours(tmp_path: Path) -> None:
    ids = np.array([[0, 1, 2]], np.uint8)
    Image.fromarray(np.repeat(ids[..., None], 3, 2)).save(tmp_path / "a.png")
    np.testing.assert_array_equal(THREE.read(tmp_path / "a.png"), ids)
    grey = IdsOrColors(((0, 0, 0), (2, 2, 2), (1, 1, 1)), (0, 1, 2))
    with pytest.raises(InputError, match="ids in three equal channels, or grey colours"):
        grey.read(tmp_path / "a.png")
