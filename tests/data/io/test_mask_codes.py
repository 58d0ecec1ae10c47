"""Masks in colours: exact, or refused."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sceneparse.data.io.mask_codes import PLAIN, ColorTable, MaskCode, RedAndGreen
from sceneparse.errors import InputError

TABLE = ColorTable(((0, 0, 0), (255, 1, 2), (2, 1, 255)), (300, 0, 7))


def saved(path: Path, pixels: object) -> Path:
    Image.fromarray(np.array(pixels, np.uint8)).save(path)
    return path


def test_colours_stand_for_their_ids(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    places = random.integers(0, 3, (5, 9))
    path = saved(tmp_path / "a.png", np.array(TABLE.colors)[places])
    assert TABLE.size(path) == (5, 9)
    assert np.array_equal(TABLE.read(path), np.array(TABLE.ids)[places])


def test_a_colour_that_stands_for_nothing_is_named(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.png", [[[0, 0, 0], [255, 1, 3], [255, 1, 3]]])
    with pytest.raises(InputError, match=r"a\.png: colours \(255, 1, 3\) in 2 pixels"):
        TABLE.read(path)


def test_two_channels_make_ids_of_two_bytes_and_blue_does_not_matter(tmp_path: Path) -> None:
    ids = np.array([[0, 1, 255, 256], [2855, 3147, 3688, 4095]])
    blue = np.arange(8).reshape(ids.shape) * 30
    path = saved(tmp_path / "a.png", np.stack([ids // 256 * 10, ids % 256, blue], axis=-1))
    assert np.array_equal(RedAndGreen().read(path), ids)
    assert RedAndGreen().size(path) == (2, 4)


@pytest.mark.parametrize("code", [TABLE, RedAndGreen()])
def test_masks_of_ids_and_jpegs_are_no_masks_of_colours(code: MaskCode, tmp_path: Path) -> None:
    grey = saved(tmp_path / "grey.png", [[1, 2]])
    jpeg = saved(tmp_path / "a.jpg", [[[0, 0, 0], [1, 1, 1]]])
    for look in (code.size, code.read):
        with pytest.raises(InputError, match=r"grey\.png: mode L; expected a mask of 8-bit RGB"):
            look(grey)
        with pytest.raises(InputError, match=r"a\.jpg: a JPEG mask"):
            look(jpeg)


def test_what_is_kept_tells_codes_apart() -> None:
    other = ColorTable(TABLE.colors, (300, 0, 8))
    codes: list[MaskCode] = [PLAIN, RedAndGreen(), TABLE, other]
    assert len({repr(code) for code in codes}) == len(codes)
    assert ColorTable(TABLE.colors, TABLE.ids) == TABLE
