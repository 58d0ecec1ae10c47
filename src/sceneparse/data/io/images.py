"""Turn anything that is an image into an array."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sceneparse.data.io.decode import (
    DEFAULT_READING,
    ImageReading,
    array_of_pil,
    read_image,
)
from sceneparse.data.io.opening import check_size, check_values
from sceneparse.data.io.values import to_8_bit
from sceneparse.errors import InputError
from sceneparse.system.paths import expand_user

if TYPE_CHECKING:
    from torch import Tensor

# A file, the bytes of one, a PIL image, an array, or a tensor.
ImageInput: TypeAlias = "str | Path | bytes | Image.Image | NDArray[Any] | Tensor"

_CHANNELS = (1, 3, 4)


def image_array(image: ImageInput, reading: ImageReading = DEFAULT_READING) -> NDArray[np.uint8]:
    """Turn an image into RGB, `(H, W, 3)` uint8, or into the bands that `reading` chooses.

    Files, bytes and PIL images are decoded as in data sets: the EXIF orientation is applied,
    transparent pixels are composited over white, and grey becomes RGB. With bands, those of the
    file are read.

    Args:
        image: A path; the bytes of an image file; a PIL image; a NumPy array `(H, W, 3)`,
            `(H, W, 4)`, `(H, W, 1)` or `(H, W)`; or a torch tensor, in which the channels may also
            come first. Arrays and tensors are uint8, or float in 0..1; with a range of values, they
            hold the values of image files in any type. With bands, their channels are these bands.
        reading: How the values of images become 0..255, and which bands are read.

    Returns:
        `(H, W, 3)` or `(H, W, len(reading.bands))` uint8, contiguous; an array that is so already
        is not copied.

    Raises:
        InputError: If it cannot be read, is too large, or is not an image.

    Example:
        >>> image_array(np.zeros((480, 640), np.uint8)).shape
        (480, 640, 3)
        >>> image_array("image.jpg").dtype
        dtype('uint8')
    """
    if isinstance(image, str) and image.startswith(("http://", "https://")):
        raise InputError(f"{image}: is a web address; download the image, and give its path")
    if isinstance(image, str | Path):
        return read_image(expand_user(image), reading=reading)
    if isinstance(image, bytes | bytearray | memoryview):
        return read_image(bytes(image), reading=reading)
    if isinstance(image, Image.Image):
        return array_of_pil(image, reading)
    if isinstance(image, np.ndarray):
        return _of_array(image, _described("NumPy array", image.shape, image.dtype), reading)
    torch = sys.modules.get("torch")  # If it was never imported, this is no tensor.
    if torch is not None and isinstance(image, torch.Tensor):
        return _of_tensor(image, reading)
    raise InputError(
        f"found {type(image).__name__}; expected an image: a path, the bytes of an image file, a "
        "PIL image, a NumPy array or a torch tensor, or a list of these"
    )


def _described(kind: str, shape: tuple[int, ...], dtype: Any) -> str:
    return f"{kind} {tuple(shape)} {str(dtype).removeprefix('torch.')}"


def _of_tensor(tensor: Any, reading: ImageReading) -> NDArray[np.uint8]:
    name = _described("tensor", tensor.shape, tensor.dtype)
    if tensor.is_floating_point():
        tensor = tensor.float()  # NumPy has no bfloat16.
    array: NDArray[Any] = tensor.detach().cpu().numpy()
    channels = _channels(reading)
    if array.ndim == 3 and array.shape[0] in channels:
        if array.shape[2] in channels:
            raise InputError(
                f"{name}: its channels may come first or last; give a NumPy array, whose channels "
                "come last"
            )
        array = array.transpose(1, 2, 0)
    return _of_array(array, name, reading)


def _of_array(array: NDArray[Any], name: str, reading: ImageReading) -> NDArray[np.uint8]:
    _check_shape(array, name, reading)
    check_size(name, array.shape[0], array.shape[1])
    if reading.bands is not None:
        check_values(name, array.shape[0], array.shape[1], len(reading.bands))
    pixels = to_8_bit(array, reading.value_range) if reading.value_range else _to_bytes(array, name)
    if reading.bands is not None:
        return np.ascontiguousarray(pixels if pixels.ndim == 3 else pixels[..., None])
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[..., 0]
    if pixels.ndim == 2 or pixels.shape[2] == 4:
        return array_of_pil(Image.fromarray(np.ascontiguousarray(pixels)))
    return np.ascontiguousarray(pixels)


def _channels(reading: ImageReading) -> tuple[int, ...]:
    """Return the numbers of channels that an array may have."""
    return _CHANNELS if reading.bands is None else (len(reading.bands),)


def _check_shape(array: NDArray[Any], name: str, reading: ImageReading) -> None:
    """Refuse arrays that are not (H, W) or have other channels than grey, RGB, RGBA or bands."""
    channels, bands = _channels(reading), reading.bands
    is_grey = array.ndim == 2 and 1 in channels
    if is_grey or (array.ndim == 3 and array.shape[2] in channels):
        return
    expected, fix = "(H, W, 3), (H, W, 4) or (H, W)", "give one image of these shapes"
    if bands is not None:
        expected = f"(H, W, {len(bands)})" + " or (H, W)" * (len(bands) == 1)
        fix = f"the model takes bands {list(bands)} of a file, in this order"
    if array.ndim == 4:
        fix = "of a batch, give a list of its images"
    elif array.ndim == 3 and array.shape[0] in channels:
        fix = "its channels come first; use image.transpose(1, 2, 0)"
    raise InputError(f"{name}: expected {expected}; {fix}")


def _to_bytes(array: NDArray[Any], name: str) -> NDArray[np.uint8]:
    """Return uint8 values as they are, and scale floats in 0..1 to them."""
    if array.dtype == np.uint8:
        return array
    if array.dtype.kind != "f":
        raise InputError(
            f"{name}: expected uint8 in 0..255 or float in 0..1; scale the values to 0..255 and "
            "convert them to uint8"
        )
    low, high = float(array.min()), float(array.max())
    if low >= 0 and high <= 1:
        return np.round(array * 255).astype(np.uint8)
    fix = "give the image before it is normalised"
    if low >= 0 and high <= 255:
        fix = "if these are 0..255, convert them to uint8"
    raise InputError(f"{name}: values {low:g}..{high:g}; expected uint8, or float in 0..1; {fix}")
