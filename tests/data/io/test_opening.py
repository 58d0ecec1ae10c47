"""Tests of the errors of opening files, and of their limits."""

import struct
import zlib
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from tests.data.io.files import png_chunk

from sceneparse.data.io.decode import (
    image_size,
    read_image,
)
from sceneparse.data.io.masks import mask_size, read_mask
from sceneparse.data.io.opening import MAX_PIXELS, check_size, errors_of
from sceneparse.errors import InputError


def write_png_without_pixels(path: Path, width: int, height: int) -> Path:
    """Write a PNG with a header but without pixels."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    data = b"IDAT" + zlib.compress(b"")
    chunks = map(png_chunk, (header, data, b"IEND"))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunks))
    return path


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
    with pytest.raises(InputError, match=r"a\.png: .*at most 120 million pixels .* scale it down"):
        read(path)


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_too_large_images_are_refused_without_warnings_as_errors(tmp_path: Path) -> None:
    path = write_png_without_pixels(tmp_path / "a.png", 2**15, MAX_PIXELS // 2**15 + 1)
    with pytest.raises(InputError, match=r"a\.png: 32768×3663 pixels; at most 120 million"):
        mask_size(path)


def test_the_crafted_png_has_a_valid_header(tmp_path: Path) -> None:
    assert mask_size(write_png_without_pixels(tmp_path / "a.png", 7, 5)) == (5, 7)


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


@pytest.mark.parametrize("size", [(0, 5), (5, 0), (-5, -5)])
def test_sizes_without_pixels_are_refused(size: tuple[int, int]) -> None:
    with pytest.raises(InputError, match="annotation: no pixels"):
        check_size("annotation", *size)


def test_an_image_that_says_it_is_huge_is_refused() -> None:
    message = r"a\.png: needs more memory than there is"
    with pytest.raises(InputError, match=message), errors_of("a.png"):
        raise MemoryError
