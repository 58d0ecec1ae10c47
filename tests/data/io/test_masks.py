"""Tests of decoding masks of ids, and of the errors for other files."""

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tests.data.io.files import GREY, UPRIGHT, png_chunk, save_image

from sceneparse.data.io.masks import MASK_SUFFIXES, mask_size, read_mask
from sceneparse.errors import InputError


@pytest.mark.parametrize("compression", ["raw", "tiff_lzw"])
def test_exif_orientation_applies_to_tiff_masks(compression: str, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    path = save_image(tmp_path / "a.tif", GREY, exif=exif, compression=compression)
    mask = read_mask(path)
    np.testing.assert_array_equal(mask, UPRIGHT[6](GREY))
    assert mask.shape == mask_size(path)


def test_a_truncated_mask_is_reported(tmp_path: Path) -> None:
    path = save_image(
        tmp_path / "a.png", np.random.default_rng(0).integers(0, 9, (60, 60), np.uint8)
    )
    path.write_bytes(path.read_bytes()[:700])
    with pytest.raises(InputError, match=r"a\.png: broken or truncated"):
        read_mask(path)


def test_a_grey_mask_is_read_unchanged(tmp_path: Path) -> None:
    mask = read_mask(save_image(tmp_path / "a.png", GREY))
    np.testing.assert_array_equal(mask, GREY)
    assert mask.dtype == np.uint8


def test_a_palette_mask_gives_palette_indices(tmp_path: Path) -> None:
    palette = Image.frombytes("P", (6, 4), (GREY % 5).tobytes())
    palette.putpalette([value for index in range(5) for value in (255 - index, 0, index)])
    path = save_image(tmp_path / "a.png", palette, transparency=0)
    np.testing.assert_array_equal(read_mask(path), GREY % 5)


@pytest.mark.parametrize("ending", ["png", "tif"])
def test_a_16_bit_mask_is_read_unchanged(ending: str, tmp_path: Path) -> None:
    ids = np.array([[0, 255, 256, 65534, 65535]], np.uint16)
    mask = read_mask(save_image(tmp_path / f"a.{ending}", ids))
    np.testing.assert_array_equal(mask, ids)
    assert mask.dtype == np.uint16


def test_a_big_endian_16_bit_mask_is_read_unchanged(tmp_path: Path) -> None:
    ids = np.array([[0, 255, 256, 65534]], np.uint16)
    deep = Image.frombytes("I;16B", (4, 1), ids.astype(">u2").tobytes())
    np.testing.assert_array_equal(read_mask(save_image(tmp_path / "a.tif", deep)), ids)


def test_a_one_bit_mask_holds_0_and_1(tmp_path: Path) -> None:
    mask = read_mask(save_image(tmp_path / "a.png", Image.fromarray(GREY > 100)))
    np.testing.assert_array_equal(mask, (GREY > 100).astype(np.uint8))


@pytest.mark.parametrize(("highest", "dtype"), [(9, np.uint8), (300, np.uint16)])
def test_a_32_bit_mask_is_read_if_its_values_fit_16_bits(
    highest: int, dtype: type[Any], tmp_path: Path
) -> None:
    ids = np.array([[0, highest]], np.int32)
    mask = read_mask(save_image(tmp_path / "a.tif", ids))
    assert mask.tolist() == ids.tolist()
    assert mask.dtype == dtype


@pytest.mark.parametrize("value", [-1, 65536])
def test_mask_values_beyond_16_bits_are_refused(value: int, tmp_path: Path) -> None:
    path = save_image(tmp_path / "a.tif", np.array([[0, value]], np.int32))
    with pytest.raises(InputError, match=rf"a\.tif: values .*{value}.* outside 0\.\.65535"):
        read_mask(path)


@pytest.mark.parametrize("channels", [3, 4])
def test_a_mask_of_colours_is_refused(channels: int, tmp_path: Path) -> None:
    colors = np.full((4, 4, channels), 255, np.uint8)
    colors[1, 2, 0] = 9
    path = save_image(tmp_path / "a.png", colors)
    with pytest.raises(InputError, match=r"a\.png: a mask of colours; .*one class id per pixel"):
        read_mask(path)


@pytest.mark.parametrize("mode", ["CMYK", "YCbCr"])
def test_a_mask_in_a_mode_without_ids_is_refused(mode: str, tmp_path: Path) -> None:
    path = save_image(tmp_path / "a.tif", Image.new(mode, (4, 4)))
    for read in (read_mask, mask_size):
        with pytest.raises(InputError, match=rf"a\.tif: a mask in mode {mode}; .*one class id"):
            read(path)


@pytest.mark.parametrize("channels", [2, 3, 4])
def test_ids_in_equal_channels_are_read(channels: int, tmp_path: Path) -> None:
    ids = np.array([[0, 1, 2], [200, 7, 255]], np.uint8)
    values = np.repeat(ids[..., None], channels, axis=2)
    if channels != 3:
        values[..., -1] = 255
    mask = read_mask(save_image(tmp_path / "a.png", values))
    np.testing.assert_array_equal(mask, ids)
    assert mask.dtype == np.uint8


@pytest.mark.parametrize("channels", [2, 4])
def test_a_mask_with_transparent_pixels_is_refused(channels: int, tmp_path: Path) -> None:
    path = save_image(tmp_path / "a.png", np.full((2, 2, channels), 7, np.uint8))
    with pytest.raises(InputError, match="transparent pixels, whose class is unknown"):
        read_mask(path)


def test_floats_are_ids_if_they_are_whole_numbers(tmp_path: Path) -> None:
    path = save_image(tmp_path / "a.tif", np.array([[0, 3, 300]], np.float32))
    assert read_mask(path).tolist() == [[0, 3, 300]]
    path = save_image(tmp_path / "b.tif", np.array([[0, 3, 0.5]], np.float32))
    with pytest.raises(InputError, match=r"b\.tif: a mask with fractions, such as 0\.5"):
        read_mask(path)


@pytest.mark.parametrize("name", ["a.jpg", "a.png"])
def test_a_jpeg_mask_is_refused_with_any_suffix(name: str, tmp_path: Path) -> None:
    path = save_image(tmp_path / name, GREY, format="JPEG")
    for read in (read_mask, mask_size):
        with pytest.raises(
            InputError, match=r"a JPEG mask; expected a lossless format.* store masks as PNG"
        ):
            read(path)


def test_mask_size_is_height_and_width(tmp_path: Path) -> None:
    assert mask_size(save_image(tmp_path / "a.png", GREY)) == (4, 6)


@pytest.mark.parametrize("bits", [2, 4])
def test_a_mask_of_2_or_4_bits_keeps_its_ids(bits: int, tmp_path: Path) -> None:
    ids = np.arange(16, dtype=np.uint8).reshape(2, 8) % (1 << bits)
    per_byte = 8 // bits
    packed = sum(ids[:, part::per_byte] << (8 - bits * (part + 1)) for part in range(per_byte))
    rows = b"".join(b"\0" + bytes(row) for row in np.asarray(packed, np.uint8))
    chunks = (
        b"IHDR" + struct.pack(">IIBBBBB", 8, 2, bits, 0, 0, 0, 0),
        b"IDAT" + zlib.compress(rows),
        b"IEND",
    )
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(map(png_chunk, chunks)))
    np.testing.assert_array_equal(read_mask(tmp_path / "a.png"), ids)


@pytest.mark.parametrize("suffix", sorted(MASK_SUFFIXES - {".jpg", ".jpeg", ".jpe", ".jfif"}))
def test_every_suffix_of_a_mask_is_read(suffix: str, tmp_path: Path) -> None:
    ids = np.array([[0, 1, 1], [1, 0, 0]], np.uint8)
    image = Image.fromarray(ids * 255).convert("1") if suffix == ".pbm" else Image.fromarray(ids)
    if suffix == ".ppm":
        image = image.convert("RGB")
    path = tmp_path / f"a{suffix}"
    image.save(path)
    np.testing.assert_array_equal(read_mask(path), ids)
