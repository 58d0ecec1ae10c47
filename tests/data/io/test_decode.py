"""Tests of decoding images of all formats."""

import struct
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from tests.data.io.files import GREY, UPRIGHT, save_image

from sceneparse.data.io.decode import (
    IMAGE_SUFFIXES,
    ImageReading,
    image_header,
    image_size,
    jpeg_divisor,
    read_image,
)
from sceneparse.data.io.masks import read_mask
from sceneparse.errors import InputError


@pytest.mark.parametrize("ending", ["png", "bmp", "tif", "webp"])
def test_an_rgb_image_is_read_unchanged(ending: str, tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)
    options = {"lossless": True} if ending == "webp" else {}
    image = read_image(save_image(tmp_path / f"a.{ending}", pixels, **options))
    np.testing.assert_array_equal(image, pixels)
    assert image.dtype == np.uint8
    image[0, 0] = 0  # the array is writeable


def test_a_grey_image_has_three_equal_channels(tmp_path: Path) -> None:
    image = read_image(save_image(tmp_path / "a.png", GREY))
    np.testing.assert_array_equal(image, np.stack([GREY] * 3, -1))


def test_a_one_bit_image_is_black_and_white(tmp_path: Path) -> None:
    image = read_image(save_image(tmp_path / "a.png", Image.fromarray(GREY > 100)))
    np.testing.assert_array_equal(image[..., 0], np.where(GREY > 100, 255, 0))


@pytest.mark.parametrize("ending", ["png", "tif"])
def test_a_16_bit_image_keeps_its_brightness(ending: str, tmp_path: Path) -> None:
    deep = GREY.astype(np.uint16) * 257
    image = read_image(save_image(tmp_path / f"a.{ending}", deep))
    np.testing.assert_array_equal(image, np.stack([GREY] * 3, -1))


def test_transparent_pixels_are_blended_with_white(tmp_path: Path) -> None:
    pixels = np.zeros((1, 3, 4), np.uint8)
    pixels[0, :, 0] = 200
    pixels[0, :, 3] = [255, 0, 51]
    image = read_image(save_image(tmp_path / "a.png", pixels))
    assert image[0].tolist() == [[200, 0, 0], [255, 255, 255], [244, 204, 204]]


def test_transparent_grey_and_palette_images_are_blended_with_white(tmp_path: Path) -> None:
    grey = Image.merge("LA", [Image.new("L", (1, 1), 9), Image.new("L", (1, 1), 0)])
    assert read_image(save_image(tmp_path / "grey.png", grey)).tolist() == [[[255, 255, 255]]]
    palette = Image.new("P", (2, 1))
    palette.putpalette([9, 8, 7, 6, 5, 4])
    palette.putpixel((1, 0), 1)
    path = save_image(tmp_path / "palette.png", palette, transparency=0)
    assert read_image(path).tolist() == [[[255, 255, 255], [6, 5, 4]]]


def test_a_palette_image_becomes_rgb(tmp_path: Path) -> None:
    palette = Image.frombytes("P", (3, 1), bytes([0, 1, 2]))
    palette.putpalette([1, 2, 3, 40, 50, 60, 7, 8, 9])
    image = read_image(save_image(tmp_path / "a.png", palette))
    assert image.tolist() == [[[1, 2, 3], [40, 50, 60], [7, 8, 9]]]


def test_a_cmyk_image_becomes_rgb(tmp_path: Path) -> None:
    path = save_image(tmp_path / "a.jpg", Image.new("CMYK", (8, 8), (0, 255, 255, 0)), quality=100)
    image = read_image(path)
    assert image.shape == (8, 8, 3)
    assert np.abs(image.astype(int) - [255, 0, 0]).max() < 30


@pytest.mark.parametrize("mode", ["I", "F"])
def test_a_32_bit_grey_image_is_refused(mode: str, tmp_path: Path) -> None:
    path = save_image(tmp_path / "a.tif", Image.new(mode, (4, 4), 1))
    for read in (read_image, image_size):
        with pytest.raises(InputError, match=r"a\.tif: grey of 32 bits .* convert it"):
            read(path)


@pytest.mark.parametrize("orientation", [*UPRIGHT, 9])
@pytest.mark.parametrize("ending", ["png", "tif", "webp", "jpg"])
@pytest.mark.parametrize("channels", [1, 3])
def test_exif_orientation_applies_to_pixels_and_header_size(
    orientation: int, ending: str, channels: int, tmp_path: Path
) -> None:
    stored = np.zeros((32, 48, 3), np.uint8)
    stored[:16, :16] = 120
    stored[:16, 16:32] = 240
    stored = stored if channels == 3 else stored[..., 0]
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"lossless": True} if ending == "webp" else {}
    path = save_image(tmp_path / f"a.{ending}", stored, exif=exif, **options)
    upright = UPRIGHT.get(orientation, UPRIGHT[1])(stored)
    image = read_image(path)
    assert image.shape[:2] == upright.shape[:2] == image_size(path)
    difference = image.astype(int) - upright.reshape(*image.shape[:2], -1)
    assert np.abs(difference).max() <= (8 if ending == "jpg" else 0)


@pytest.mark.filterwarnings("ignore:Truncated File Read")  # Pillow warns before it raises
@pytest.mark.parametrize("ending", ["png", "jpg", "bmp", "tif", "webp"])
@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.9])
def test_a_truncated_image_is_reported(ending: str, share: float, tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (60, 60, 3), np.uint8)
    path = save_image(tmp_path / f"a.{ending}", pixels)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(InputError, match=rf"a\.{ending}: (broken or truncated|not an image)"):
        read_image(path)


@pytest.mark.parametrize("ending", ["png", "tif"])
def test_a_range_of_values_becomes_black_to_white(ending: str, tmp_path: Path) -> None:
    deep = np.array([[0, 1000, 2048, 4095, 60000]], np.uint16)
    path = save_image(tmp_path / f"a.{ending}", deep)
    found = read_image(path, reading=ImageReading(value_range=(1000, 4095)))
    expected = np.clip(np.round((deep.astype(float) - 1000) / 3095 * 255), 0, 255)
    np.testing.assert_array_equal(found, np.repeat(expected[..., None], 3, axis=2))
    assert image_header(path).bits == 16


def test_a_range_applies_to_8_bits_16_bits_of_colour_and_floats(tmp_path: Path) -> None:
    reading = ImageReading(value_range=(0, 50))
    eight = save_image(tmp_path / "a.png", np.array([[[0, 20, 200]]], np.uint8))
    assert read_image(eight, reading=reading).tolist() == [[[0, 102, 255]]]
    cv2 = pytest.importorskip("cv2")
    deep = np.array([[[0, 10, 50], [40, 30, 20]]], np.uint16)
    cv2.imwrite(str(tmp_path / "b.png"), deep[..., ::-1])
    found = read_image(tmp_path / "b.png", reading=reading)
    np.testing.assert_array_equal(found, np.round(deep / 50 * 255))
    floats = save_image(tmp_path / "c.tif", np.array([[0, 12.5]], np.float32))
    assert read_image(floats, reading=reading)[..., 0].tolist() == [[0, 64]]
    with pytest.raises(InputError, match=r"set data\.image_range"):
        read_image(floats)


@pytest.mark.parametrize("orientation", [*UPRIGHT, 9])
@pytest.mark.parametrize("ending", ["jpg", "png", "tif"])
def test_the_orientation_can_be_ignored(orientation: int, ending: str, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / f"a.{ending}"
    Image.fromarray(np.repeat(GREY[:, :8, None], 3, axis=2)).save(path, exif=exif, quality=100)
    plain = tmp_path / f"b.{ending}"
    Image.fromarray(np.repeat(GREY[:, :8, None], 3, axis=2)).save(plain, quality=100)
    stored = ImageReading(applies_orientation=False)
    np.testing.assert_array_equal(read_image(path, reading=stored), read_image(plain))
    assert image_size(path, stored) == GREY[:, :8].shape
    assert image_header(path).orientation == orientation


@pytest.mark.parametrize(("extra", "is_alpha"), [(None, False), (0, False), (1, True), (2, True)])
def test_a_fourth_band_of_a_tiff_is_transparency_only_if_it_says_so(
    extra: int | None, is_alpha: bool, tmp_path: Path
) -> None:
    path = tmp_path / "a.tif"
    Image.fromarray(np.full((2, 2, 4), 200, np.uint8)).save(path)
    # Pillow declares transparency. Tag 338 of one short integer says so; 60000 is a private tag.
    content, entry = bytearray(path.read_bytes()), struct.pack("<HHI", 338, 3, 1)
    at = content.index(entry)
    content[at : at + 2] = struct.pack("<H", 60000 if extra is None else 338)
    content[at + 8 : at + 10] = struct.pack("<H", extra or 0)
    path.write_bytes(content)
    if is_alpha:
        assert read_image(path).shape == (2, 2, 3)
        return
    for read in (read_image, image_size):
        with pytest.raises(InputError, match="4 bands, and the file does not say"):
            read(path)


def test_a_damaged_exif_tag_is_ignored(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x011A] = 72.0
    path = save_image(tmp_path / "a.jpg", np.zeros((8, 12, 3), np.uint8), exif=exif, quality=95)
    # The orientation tag has the type text instead of short integer.
    content = path.read_bytes().replace(b"\x01\x12\x00\x03", b"\x01\x12\x00\x02")
    path.write_bytes(content)
    assert read_image(path).shape in {(8, 12, 3), (12, 8, 3)}
    assert image_size(path) == read_image(path).shape[:2]


def smooth(height: int, width: int) -> NDArray[np.uint8]:
    rows, columns = np.indices((height, width)) / [[[height]], [[width]]]
    return (255 * np.stack([rows, columns, (rows + columns) / 2], -1)).astype(np.uint8)


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_a_jpeg_is_decoded_at_the_lowest_sufficient_resolution(
    orientation: int, tmp_path: Path
) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / "big.jpg"
    Image.fromarray(smooth(800, 1203)).save(path, quality=95, exif=exif)
    whole = read_image(path)
    height, width = whole.shape[:2]
    for needed, divisor in ((700, 1), (321, 1), (320, 2), (161, 2), (160, 4), (20, 8)):
        image = read_image(path, (needed, needed))
        assert image.shape[:2] == (-(-height // divisor), -(-width // divisor))
        blocks = np.array(Image.fromarray(whole).resize(image.shape[1::-1], Image.Resampling.BOX))
        assert np.abs(image.astype(int) - blocks).mean() < 2


def test_other_formats_are_decoded_at_full_resolution(tmp_path: Path) -> None:
    Image.fromarray(smooth(400, 500)).save(tmp_path / "whole.png")
    assert read_image(tmp_path / "whole.png", (10, 10)).shape == (400, 500, 3)


@pytest.mark.parametrize(
    ("size", "min_size", "expected"),
    [((9, 9), (400, 400), 1), ((4000, 300), (200, 200), 1), ((4000, 300), (200, 20), 8)],
)
def test_the_jpeg_divisor_keeps_both_sides_large_enough(
    size: tuple[int, int], min_size: tuple[int, int], expected: int
) -> None:
    assert jpeg_divisor(size, min_size) == expected


@pytest.mark.parametrize("suffix", sorted(IMAGE_SUFFIXES))
def test_every_suffix_of_an_image_is_read(suffix: str, tmp_path: Path) -> None:
    pixels = np.repeat(
        np.repeat(np.array([[[200, 30, 60], [10, 120, 240]]], np.uint8), 16, 0), 16, 1
    )
    image = Image.fromarray(pixels)
    if suffix in (".pgm", ".pbm"):
        image = image.convert("L" if suffix == ".pgm" else "1")
    path = tmp_path / f"a{suffix.upper()}"
    is_heic = suffix in (".heic", ".heif", ".hif")
    if is_heic:
        pytest.importorskip("pillow_heif").register_heif_opener()
    image.save(path, format="HEIF" if is_heic else None)
    found = read_image(path).astype(int)
    assert found.shape == pixels.shape
    expected = np.asarray(image.convert("RGB")).astype(int)
    lossy = is_heic or suffix in (".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".avif")
    # Lossy formats blur the edge between the two halves.
    assert np.median(np.abs(found - expected)) <= (6 if lossy else 0)
    assert image_size(path) == pixels.shape[:2]


def test_a_heic_image_without_its_library_is_refused_with_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.heic"
    path.write_bytes(b"\0\0\0\x18ftypheic" + bytes(100))
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(InputError, match=r'a\.heic: a HEIC image, .*"sceneparse\[heic\]"'):
        read_image(path)
    monkeypatch.undo()
    with pytest.raises(InputError, match=r"a\.heic: (not an image|broken)"):
        read_image(path)


@pytest.mark.parametrize("kind", ["zip", "itxt", "icc"])
def test_a_png_with_large_text_or_a_large_profile_is_read(kind: str, tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (9, 7, 3), np.uint8)
    options: dict[str, Any] = {}
    if kind == "icc":
        options["icc_profile"] = bytes(3_000_000)
    else:
        info = PngInfo()
        add = info.add_text if kind == "zip" else info.add_itxt
        add("history", "x" * 3_000_000, zip=True)
        options["pnginfo"] = info
    path = tmp_path / "a.png"
    Image.fromarray(pixels).save(path, **options)
    np.testing.assert_array_equal(read_image(path), pixels)
    assert image_size(path) == (9, 7)


def test_a_gif_is_read_and_an_animated_one_refused(tmp_path: Path) -> None:
    frames = [Image.new("P", (6, 5), color) for color in (1, 2)]
    frames[0].putpalette([0, 0, 0, 9, 8, 7, 200, 100, 50])
    frames[0].save(tmp_path / "a.gif", optimize=False)
    assert (read_image(tmp_path / "a.gif") == [9, 8, 7]).all()
    assert (read_mask(tmp_path / "a.gif") == 1).all()
    frames[0].save(tmp_path / "b.gif", save_all=True, append_images=frames[1:])
    with pytest.raises(InputError, match=r"b\.gif: holds 2 pages or frames, expected one"):
        read_image(tmp_path / "b.gif")
