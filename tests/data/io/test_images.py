"""Anything that is an image becomes the array that its file would."""

from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from tests.inference.memory import printed

from sceneparse.data.io.decode import read_image
from sceneparse.data.io.images import image_array
from sceneparse.data.io.opening import MAX_PIXELS
from sceneparse.errors import InputError

RGB = np.random.default_rng(0).integers(0, 256, (5, 8, 3), np.uint8)
GREY, RGBA = RGB[..., 0], np.dstack([RGB, RGB[..., ::2]])[..., :4]


def encoded(image: Image.Image, file_format: str, **options: Any) -> bytes:
    file = BytesIO()
    image.save(file, file_format, **options)
    return file.getvalue()


@pytest.mark.parametrize("pixels", [RGB, GREY, RGBA], ids=["rgb", "grey", "rgba"])
def test_every_kind_of_input_becomes_the_array_of_its_file(
    pixels: NDArray[np.uint8], tmp_path: Path
) -> None:
    path = tmp_path / "image.png"
    Image.fromarray(pixels).save(path)
    expected = read_image(path)
    channels_last = pixels if pixels.ndim == 3 else pixels[..., None]
    inputs: list[Any] = [
        path,
        str(path),
        path.read_bytes(),
        bytearray(path.read_bytes()),
        Image.open(path),
        Image.fromarray(pixels),
        pixels,
        channels_last,
        channels_last[::-1][::-1],  # not contiguous
        channels_last / 255,
        torch.from_numpy(channels_last),
        torch.from_numpy(channels_last).permute(2, 0, 1),
        torch.from_numpy(channels_last).permute(2, 0, 1).float() / 255,
        torch.from_numpy(pixels),
    ]
    for image in inputs:
        found = image_array(image)
        np.testing.assert_array_equal(found, expected)
        assert found.dtype == np.uint8
        assert found.flags.c_contiguous


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "TIFF"])
def test_the_orientation_of_bytes_and_of_pil_images_is_applied(
    orientation: int, file_format: str, tmp_path: Path
) -> None:
    image = Image.fromarray(RGB.repeat(8, 0).repeat(8, 1))
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(image, file_format, exif=exif)
    path = tmp_path / "image"
    path.write_bytes(data)
    expected = read_image(path)
    assert expected.shape == ((40, 64, 3) if orientation < 5 else (64, 40, 3))
    np.testing.assert_array_equal(image_array(data), expected)
    opened = Image.open(BytesIO(data))
    # Pillow and OpenCV decode JPEG alike.
    np.testing.assert_array_equal(image_array(opened), expected)
    np.testing.assert_array_equal(image_array(opened), expected)  # the caller's image is unchanged


def test_an_rgb_array_is_not_copied() -> None:
    assert image_array(RGB) is RGB or np.shares_memory(image_array(RGB), RGB)


def test_tensors_that_need_gradients_or_are_bfloat16_are_read() -> None:
    tensor = torch.rand(3, 6, 7, requires_grad=True)
    assert image_array(tensor).shape == (6, 7, 3)
    half = torch.full((3, 6, 7), 0.5, dtype=torch.bfloat16)
    assert (image_array(half) == 128).all()


WRONG: list[tuple[Any, str]] = [
    (RGB.transpose(2, 0, 1), r"NumPy array \(3, 5, 8\) uint8: .*transpose\(1, 2, 0\)"),
    (RGB[None], r"\(1, 5, 8, 3\) uint8: expected \(H, W, 3\).*list of its images"),
    (RGB[..., :2], r"\(5, 8, 2\) uint8: expected \(H, W, 3\)"),
    (RGB[0, 0], r"\(3,\) uint8: expected"),
    (RGB[:0], r"no pixels"),
    (RGB.astype(np.int64), r"int64: expected uint8 in 0\.\.255 or float"),
    (RGB > 3, r"bool: expected uint8"),
    (RGB.astype(np.float32), r"values .*convert them to uint8"),
    (RGB / 128 - 1, r"values .*before it is normalised"),
    (np.full((4, 4), np.nan), r"values nan\.\.nan"),
    (torch.zeros(3, 5, 3), r"tensor \(3, 5, 3\) float32: its channels may come first or last"),
    (torch.zeros(2, 3, 5, 6), r"tensor \(2, 3, 5, 6\) float32: .*list of its images"),
    (torch.zeros(5, 6, 3, dtype=torch.int32), r"int32: expected uint8"),
    (None, r"found NoneType; expected an image: a path, the bytes"),
    (3, r"found int; expected an image"),
    (b"GIF87 no", r"image file of 8 bytes: not an image"),
    ("https://example.org/a.jpg", r"is a web address; download the image"),
    ("nowhere.jpg", r"nowhere\.jpg: no such file"),
    (np.broadcast_to(np.uint8(0), (1, MAX_PIXELS + 1)), r"at most 120 million pixels"),
    (Image.new("F", (3, 3)), r"PIL image \(F, 3×3\): grey of 32 bits"),
]


@pytest.mark.parametrize(("image", "message"), WRONG)
def test_what_is_no_image_is_refused_with_what_was_found(image: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        image_array(image)


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is a folder; expected an image file"):
        image_array(tmp_path)


def test_a_pil_image_whose_file_is_truncated_is_refused() -> None:
    data = encoded(Image.fromarray(RGB.repeat(40, 0)), "PNG")
    with pytest.raises(InputError, match=r"PIL image \(RGB, 8×200\): broken or truncated"):
        image_array(Image.open(BytesIO(data[: len(data) // 2])))


def test_torch_is_not_imported_for_an_array() -> None:
    (loaded,) = printed("""
        import sys
        import numpy as np
        from sceneparse.data.io.images import image_array
        image_array(np.zeros((3, 4), np.uint8))
        print("torch" in sys.modules)
    """)
    assert loaded == "False"
