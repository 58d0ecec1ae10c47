"""Tests of mask encodings in colours."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sceneparse.data.io.mask_encodings import PLAIN_IDS, ColorTable, MaskEncoding, RedAndGreen
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
