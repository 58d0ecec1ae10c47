"""Tests of reading chosen bands of image files."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from tests.data.io.files import UPRIGHT, save_image
from tests.data.io.geotiffs import random_bands, write_tiff

from sceneparse.data.io import geotiff, opening
from sceneparse.data.io.bands import highest_value
from sceneparse.data.io.decode import ImageReading, array_of_pil, image_header, read_image
from sceneparse.errors import InputError

LAYOUTS = [
    {},
    {"interleave": "band"},
    {"tiled": True, "blockxsize": 16, "blockysize": 16, "compress": "deflate", "predictor": 2},
    {"compress": "zstd"},
    {"BIGTIFF": "YES"},
]


def reading(*bands: int, **options: Any) -> ImageReading:
    return ImageReading(bands=bands, **options)


def in_8_bit(values: NDArray[Any]) -> NDArray[np.uint8]:
    scaled = values if values.dtype == np.uint8 else np.round(values / 65535 * 255)
    return scaled.astype(np.uint8)


@pytest.mark.parametrize("ending", ["png", "tif", "webp", "bmp", "jpg"])
def test_the_three_bands_of_rgb_are_its_colours(ending: str, tmp_path: Path) -> None:
    path = save_image(tmp_path / f"a.{ending}", random_bands(3))
    np.testing.assert_array_equal(read_image(path, reading=reading(1, 2, 3)), read_image(path))


@pytest.mark.parametrize("bands", [(1,), (5, 4, 3, 2, 1), (2, 4), (3, 3, 1, 5, 1, 2, 4)])
def test_the_order_of_bands_is_the_order_of_channels(
    bands: tuple[int, ...], tmp_path: Path
) -> None:
    pixels = random_bands(5)
    path = write_tiff(tmp_path / "a.tif", pixels)
    found = read_image(path, reading=reading(*bands))
    np.testing.assert_array_equal(found, pixels[..., [band - 1 for band in bands]])
    assert found.flags.c_contiguous


@pytest.mark.parametrize("layout", LAYOUTS, ids=str)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("count", [1, 2, 3, 4, 12])
def test_bands_are_read_as_they_are_stored(
    count: int, dtype: type, layout: dict[str, Any], tmp_path: Path
) -> None:
    pixels = random_bands(count, dtype)
    path = write_tiff(tmp_path / "a.tif", pixels, **layout)
    bands = tuple(range(1, count + 1))
    expected = in_8_bit(pixels)
    for source in (path, path.read_bytes()):
        np.testing.assert_array_equal(read_image(source, reading=reading(*bands)), expected)
    header = image_header(path, reading(*bands))
    assert (header.height, header.width) == (20, 30)
    assert header.bits == 8 * np.dtype(dtype).itemsize
    assert highest_value(path, bands) == pixels.max()


def test_transparency_is_a_band_like_others(tmp_path: Path) -> None:
    pixels = random_bands(4)
    for path in (
        save_image(tmp_path / "a.png", pixels),
        save_image(tmp_path / "b.tif", pixels),
        write_tiff(tmp_path / "c.tif", pixels, photometric="RGB", ALPHA="PREMULTIPLIED"),
    ):
        np.testing.assert_array_equal(read_image(path, reading=reading(1, 2, 3, 4)), pixels)
    grey = save_image(tmp_path / "d.png", pixels[..., :2])
    np.testing.assert_array_equal(read_image(grey, reading=reading(2)), pixels[..., 1:2])


@pytest.mark.parametrize("channels", [3, 4])
def test_a_range_uses_all_16_bits_of_a_png(channels: int, tmp_path: Path) -> None:
    cv2 = pytest.importorskip("cv2")
    deep = random_bands(channels, np.uint16)
    cv2.imwrite(str(tmp_path / "a.png"), deep[..., [2, 1, 0, 3][:channels]])
    bands = tuple(range(1, channels + 1))
    found = read_image(tmp_path / "a.png", reading=reading(*bands, value_range=(0, 1000)))
    np.testing.assert_array_equal(found, np.round(deep.clip(max=1000) / 1000 * 255))


@pytest.mark.parametrize("dtype", [np.int16, np.int32, np.float32, np.float64])
@pytest.mark.parametrize("count", [1, 4])
def test_other_types_need_a_range_of_values(count: int, dtype: type, tmp_path: Path) -> None:
    pixels = (100 * random_bands(count, np.float64)).astype(dtype)
    path = write_tiff(tmp_path / "a.tif", pixels)
    for read in (image_header, lambda path, reading: read_image(path, reading=reading)):
        with pytest.raises(InputError, match=r"range is unknown.*set data\.image_range"):
            read(path, reading(1))
    found = read_image(path, reading=reading(1, value_range=(0, 51)))
    expected = np.clip(np.round(pixels[..., :1].astype(float) * 5), 0, 255)
    np.testing.assert_array_equal(found, expected)


def test_missing_values_are_black(tmp_path: Path) -> None:
    pixels = np.full((4, 5, 2), 1.0, np.float32)
    pixels[0] = np.nan
    path = write_tiff(tmp_path / "a.tif", pixels)
    found = read_image(path, reading=reading(2, value_range=(0, 1)))
    assert found[..., 0].tolist() == [[0] * 5, *[[255] * 5] * 3]


@pytest.mark.parametrize("orientation", [*UPRIGHT, 9])
@pytest.mark.parametrize("kind", ["png", "tif", "bands"])
def test_exif_orientation_applies(orientation: int, kind: str, tmp_path: Path) -> None:
    stored = random_bands(4 if kind == "bands" else 3)
    path = tmp_path / ("a.png" if kind == "png" else "a.tif")
    exif = Image.Exif()
    exif[0x0112] = orientation
    save_image(path, stored, exif=exif)
    if kind == "bands":
        # Unspecified instead of transparency: Pillow does not show the fourth band.
        path.write_bytes(
            path.read_bytes().replace(b"\x52\x01\x03\0\1\0\0\0\2", b"\x52\x01\x03\0\1\0\0\0\0")
        )
    upright = UPRIGHT.get(orientation, UPRIGHT[1])(stored)
    bands = (3, 1) if kind != "bands" else (4, 2)
    expected = upright[..., [band - 1 for band in bands]]
    chosen = reading(*bands)
    np.testing.assert_array_equal(read_image(path, reading=chosen), expected)
    assert image_header(path, chosen).size(chosen) == expected.shape[:2]
    as_stored = reading(*bands, applies_orientation=False)
    found = read_image(path, reading=as_stored)
    np.testing.assert_array_equal(found, stored[..., [band - 1 for band in bands]])


@pytest.mark.parametrize(
    ("count", "photometric"),
    [(2, "MINISBLACK"), (4, "MINISBLACK"), (4, "RGB"), (5, "RGB"), (12, "MINISBLACK")],
)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_file_that_does_not_say_what_its_bands_are_is_refused(
    count: int, photometric: str, dtype: type, tmp_path: Path
) -> None:
    names = tuple(f"B{band}" for band in range(1, count + 1))
    path = write_tiff(
        tmp_path / "a.tif",
        random_bands(count, dtype),
        descriptions=names,
        photometric=photometric,
        ALPHA="UNSPECIFIED",
    )
    for read in (read_image, image_header):
        with pytest.raises(
            InputError,
            match=rf"a\.tif: {count} bands, .*: 1 \(B1\), 2 \(B2\).*set data\.bands=\[1, 2, 3\]",
        ):
            read(path)


def test_three_bands_that_pillow_does_not_know_are_rgb_and_one_is_grey(tmp_path: Path) -> None:
    deep = random_bands(3, np.uint16)
    path = write_tiff(tmp_path / "a.tif", deep, photometric="MINISBLACK")
    np.testing.assert_array_equal(read_image(path), in_8_bit(deep))
    assert image_header(path).bits == 16
    # Pillow reads uncompressed planes of 16 bits as noise, or not at all.
    path = write_tiff(tmp_path / "b.tif", deep, photometric="RGB", interleave="band")
    np.testing.assert_array_equal(read_image(path), in_8_bit(deep))
    path = write_tiff(tmp_path / "c.tif", deep[..., :1], interleave="band")
    np.testing.assert_array_equal(read_image(path), in_8_bit(deep[..., [0, 0, 0]]))


def test_a_band_that_the_file_lacks_is_reported_with_those_it_has(tmp_path: Path) -> None:
    path = write_tiff(tmp_path / "a.tif", random_bands(4), descriptions=("r", "g", "b", "nir"))
    png = save_image(tmp_path / "a.png", random_bands(3))
    for read in (image_header, lambda path, reading: read_image(path, reading=reading)):
        with pytest.raises(InputError, match=r"no band 5; the file has 4 bands: .*4 \(nir\)"):
            read(path, reading(1, 5))
        with pytest.raises(InputError, match="no band 4; the file has 3 bands;"):
            read(png, reading(4))


def test_a_palette_has_no_bands(tmp_path: Path) -> None:
    path = save_image(tmp_path / "a.png", Image.new("P", (3, 2)))
    with pytest.raises(InputError, match=r"a palette image.*leave out data\.bands"):
        read_image(path, reading=reading(1))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_pages_of_one_band_are_bands(dtype: type, tmp_path: Path) -> None:
    pixels = random_bands(4, dtype)
    pages = [Image.fromarray(pixels[..., band]) for band in range(4)]
    path = tmp_path / "a.tif"
    pages[0].save(path, save_all=True, append_images=pages[1:], compression="tiff_lzw")
    found = read_image(path, reading=reading(4, 1, 2))
    np.testing.assert_array_equal(found, in_8_bit(pixels)[..., [3, 0, 1]])
    assert image_header(path, reading(4)).bits == 8 * np.dtype(dtype).itemsize
    assert highest_value(path, (3,)) == pixels[..., 2].max()
    with pytest.raises(InputError, match="no band 5; the file has 4 bands"):
        image_header(path, reading(5))
    with pytest.raises(InputError, match="holds 4 pages"):
        read_image(path)


def test_pages_of_colours_or_of_several_sizes_are_refused(tmp_path: Path) -> None:
    colours = [Image.new("RGB", (4, 4))] * 2
    colours[0].save(tmp_path / "a.tif", save_all=True, append_images=colours[1:])
    with pytest.raises(InputError, match="holds 2 pages"):
        read_image(tmp_path / "a.tif", reading=reading(1, 2))
    pages = [Image.new("L", (4, 4)), Image.new("L", (6, 4))]
    pages[0].save(tmp_path / "b.tif", save_all=True, append_images=pages[1:])
    with pytest.raises(InputError, match="page 2 has mode L and 6×4 pixels"):
        read_image(tmp_path / "b.tif", reading=reading(1, 2))


def test_sizes_are_checked_before_pixels_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_tiff(tmp_path / "a.tif", random_bands(5))
    monkeypatch.setattr(opening, "MAX_VALUES", 20 * 30 * 3)
    monkeypatch.setattr(geotiff, "chunks_of_bands", None)
    with pytest.raises(InputError, match="30×20 pixels of 4 bands; at most"):
        image_header(path, reading(1, 2, 3, 4))
    with pytest.raises(InputError, match="choose fewer bands"):
        read_image(path, reading=reading(1, 2, 3, 4))
    monkeypatch.setattr(opening, "MAX_PIXELS", 599)
    with pytest.raises(InputError, match="at most"):
        image_header(path, reading(1))


def test_large_blocks_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_tiff(tmp_path / "a.tif", random_bands(5))
    monkeypatch.setattr(geotiff, "_MAX_BLOCK_BYTES", 100)
    with pytest.raises(InputError, match="stored in blocks"):
        read_image(path, reading=reading(1))


@pytest.mark.parametrize("interleave", ["pixel", "band"])
def test_rows_are_read_in_chunks(
    interleave: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pixels = random_bands(5, np.uint16, (50, 33))
    path = write_tiff(tmp_path / "a.tif", pixels, interleave=interleave, blockysize=8)
    monkeypatch.setattr(geotiff, "_CHUNK_BYTES", 1)
    np.testing.assert_array_equal(
        read_image(path, reading=reading(5, 2)), in_8_bit(pixels)[..., [4, 1]]
    )


def test_without_rasterio_the_error_names_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    five = write_tiff(tmp_path / "a.tif", random_bands(5))
    deep = random_bands(4, np.uint16)
    four = write_tiff(tmp_path / "b.tif", deep, photometric="RGB", ALPHA="UNSPECIFIED")
    monkeypatch.setattr(geotiff, "_rasterio", lambda: None)
    for read in (image_header, lambda path, reading: read_image(path, reading=reading)):
        with pytest.raises(InputError, match=r'5 bands of 8 bits.*pip install "sceneparse\[geo\]"'):
            read(five, reading(1))
    with pytest.raises(InputError, match=r"5 bands, .*; set data\.bands"):
        read_image(five)
    pytest.importorskip("cv2")
    found = read_image(four, reading=reading(4, 3, 2, 1))
    np.testing.assert_array_equal(found, in_8_bit(deep)[..., ::-1])


def test_a_broken_tiff_of_many_bands_is_reported(tmp_path: Path) -> None:
    path = write_tiff(tmp_path / "a.tif", random_bands(5, size=(200, 200)))
    path.write_bytes(path.read_bytes()[:50_000])
    with pytest.raises(InputError, match=r"a\.tif: (broken|not an image)"):
        read_image(path, reading=reading(1, 5))


def test_bands_of_a_pil_image() -> None:
    pixels = random_bands(4)
    found = array_of_pil(Image.fromarray(pixels), reading(4, 1))
    np.testing.assert_array_equal(found, pixels[..., [3, 0]])
    with pytest.raises(InputError, match=r"PIL image \(RGB, 30×20\): no band 4"):
        array_of_pil(Image.fromarray(pixels[..., :3]), reading(4))


def test_caches_of_images_without_bands_stay_valid() -> None:
    assert str(ImageReading()) == "ImageReading(applies_orientation=True, value_range=None)"
    stored = str(ImageReading(applies_orientation=False, value_range=(0, 4095)))
    assert stored == "ImageReading(applies_orientation=False, value_range=(0, 4095))"
    assert str(reading(2, 1)) != str(reading(1, 2)) != str(ImageReading())
