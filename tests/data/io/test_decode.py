"""Tests of decoding images and masks of all formats, and of the errors for other files."""

import struct
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from sceneparse.data.io import opencv
from sceneparse.data.io.decode import (
    IMAGE_SUFFIXES,
    ImageReading,
    image_header,
    image_size,
    jpeg_divisor,
    read_image,
)
from sceneparse.data.io.masks import MASK_SUFFIXES, mask_size, read_mask
from sceneparse.data.io.opening import MAX_PIXELS
from sceneparse.errors import InputError

GREY = np.arange(24, dtype=np.uint8).reshape(4, 6) * 10
# Function that makes a stored image upright, by EXIF orientation.
UPRIGHT: dict[int, Any] = {
    1: lambda a: a,
    2: np.fliplr,
    3: lambda a: np.rot90(a, 2),
    4: np.flipud,
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: np.rot90(a, 2).swapaxes(0, 1),
    8: np.rot90,
}


def save_image(path: Path, image: "Image.Image | NDArray[Any]", **options: Any) -> Path:
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(path, **options)
    return path


def write_png_without_pixels(path: Path, width: int, height: int) -> Path:
    """Write a PNG with a header but without pixels."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    data = b"IDAT" + zlib.compress(b"")
    chunks = map(png_chunk, (header, data, b"IEND"))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunks))
    return path


def png_chunk(content: bytes) -> bytes:
    length, check = struct.pack(">I", len(content) - 4), struct.pack(">I", zlib.crc32(content))
    return length + content + check


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


@pytest.mark.parametrize("compression", ["raw", "tiff_lzw"])
def test_exif_orientation_applies_to_tiff_masks(compression: str, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    path = save_image(tmp_path / "a.tif", GREY, exif=exif, compression=compression)
    mask = read_mask(path)
    np.testing.assert_array_equal(mask, UPRIGHT[6](GREY))
    assert mask.shape == mask_size(path)


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


def test_a_truncated_mask_is_reported(tmp_path: Path) -> None:
    path = save_image(
        tmp_path / "a.png", np.random.default_rng(0).integers(0, 9, (60, 60), np.uint8)
    )
    path.write_bytes(path.read_bytes()[:700])
    with pytest.raises(InputError, match=r"a\.png: broken or truncated"):
        read_mask(path)


@pytest.mark.parametrize("read", [read_image, read_mask, image_size, mask_size])
def test_files_that_are_no_images_are_reported(read: Any, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_text("<svg></svg>")
    with pytest.raises(InputError, match=r"a\.png: not an image"):
        read(tmp_path / "a.png")
    with pytest.raises(InputError, match=r"none\.png: no such file"):
        read(tmp_path / "none.png")
    with pytest.raises(InputError, match="is a folder; expected an image file"):
        read(tmp_path)


@pytest.mark.parametrize("read", [read_image, read_mask, image_size, mask_size])
@pytest.mark.parametrize("times", [1, 2, 1000])
def test_too_large_images_are_refused_before_decoding(
    read: Any, times: int, tmp_path: Path
) -> None:
    path = write_png_without_pixels(tmp_path / "a.png", 2**15 * times, MAX_PIXELS // 2**15 + 1)
    with pytest.raises(InputError, match=r"a\.png: .*at most 89 million pixels .* scale it down"):
        read(path)


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_too_large_images_are_refused_without_warnings_as_errors(tmp_path: Path) -> None:
    path = write_png_without_pixels(tmp_path / "a.png", 2**15, MAX_PIXELS // 2**15 + 1)
    with pytest.raises(InputError, match=r"a\.png: 32768×2731 pixels; at most 89 million"):
        mask_size(path)


def test_the_crafted_png_has_a_valid_header(tmp_path: Path) -> None:
    assert mask_size(write_png_without_pixels(tmp_path / "a.png", 7, 5)) == (5, 7)


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


@pytest.mark.real
def test_opencv_and_pillow_decode_real_files_equally(
    real_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = sorted((real_root / "images" / "validation").iterdir())[:30]
    masks = sorted((real_root / "annotations" / "validation").iterdir())[:30]

    def everything() -> list[NDArray[np.generic]]:
        return [
            *(read_image(path, needed) for path in images for needed in (None, (100, 100))),
            *(read_mask(path) for path in masks),
        ]

    with_opencv = everything()
    monkeypatch.setattr(opencv, "_opencv", lambda: None)
    for one, other in zip(with_opencv, everything(), strict=True):
        np.testing.assert_array_equal(one, other)
        assert one.dtype == other.dtype


def test_threads_can_import_opencv_concurrently(
    tmp_path: Path,
) -> None:
    pytest.importorskip("cv2")
    mask = tmp_path / "mask.png"
    Image.new("L", (4, 3), 7).save(mask)
    # Threads call the decoder while another one imports OpenCV.
    script = f"""
import sys, threading, time
from pathlib import Path
from sceneparse.data.io.masks import read_mask
sys.setswitchinterval(1e-5)
read = []
def decode(place):
    time.sleep(place / 500)
    read.append(read_mask(Path({str(mask)!r})).tolist())
threads = [threading.Thread(target=decode, args=(place,)) for place in range(90)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
print(len(read), read.count([[7] * 4] * 3))
"""
    result = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, check=False, text=True
    )
    assert (result.stdout, result.stderr) == ("90 90\n", "")


@pytest.mark.parametrize("suffix", sorted(IMAGE_SUFFIXES))
def test_every_suffix_of_an_image_is_read(suffix: str, tmp_path: Path) -> None:
    pixels = np.repeat(
        np.repeat(np.array([[[200, 30, 60], [10, 120, 240]]], np.uint8), 16, 0), 16, 1
    )
    image = Image.fromarray(pixels)
    if suffix in (".pgm", ".pbm"):
        image = image.convert("L" if suffix == ".pgm" else "1")
    path = tmp_path / f"a{suffix.upper()}"
    image.save(path)
    found = read_image(path).astype(int)
    assert found.shape == pixels.shape
    expected = np.asarray(image.convert("RGB")).astype(int)
    lossy = suffix in (".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".avif")
    # Lossy formats blur the edge between the two halves.
    assert np.median(np.abs(found - expected)) <= (6 if lossy else 0)
    assert image_size(path) == pixels.shape[:2]


@pytest.mark.parametrize("suffix", sorted(MASK_SUFFIXES - {".jpg", ".jpeg", ".jpe", ".jfif"}))
def test_every_suffix_of_a_mask_is_read(suffix: str, tmp_path: Path) -> None:
    ids = np.array([[0, 1, 1], [1, 0, 0]], np.uint8)
    image = Image.fromarray(ids * 255).convert("1") if suffix == ".pbm" else Image.fromarray(ids)
    if suffix == ".ppm":
        image = image.convert("RGB")
    path = tmp_path / f"a{suffix}"
    image.save(path)
    np.testing.assert_array_equal(read_mask(path), ids)


@pytest.mark.parametrize("ending", ["tif", "webp", "png", "gif"])
def test_a_file_of_several_pages_is_refused(ending: str, tmp_path: Path) -> None:
    pages = [Image.new("RGB", (8, 8), (value, 0, 0)) for value in (0, 100, 200)]
    path = tmp_path / f"a.{ending}"
    pages[0].save(path, save_all=True, append_images=pages[1:])
    for read in (read_image, image_size, read_mask):
        with pytest.raises(InputError, match=r"holds 3 pages or frames, expected one"):
            read(path)


def test_smaller_copies_in_a_tiff_are_no_pages(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    copies = [Image.new("RGB", (8 // factor, 8 // factor), (9, 8, 7)) for factor in (1, 2, 4)]
    for copy in copies[1:]:
        copy.encoderinfo = {"tiffinfo": {254: 1}}
    copies[0].save(path, save_all=True, append_images=copies[1:])
    assert read_image(path).shape == (8, 8, 3)
    assert read_image(path)[0, 0].tolist() == [9, 8, 7]
