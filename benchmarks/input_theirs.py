"""The peer's side of `input.py`: torchvision's transforms v2, and the usual ways to read images."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from input_ours import Parameters

# Package that each way of reading needs.
READERS = {
    "PIL": "torchvision",
    "PIL to tensor": "torchvision",
    "decode_image": "torchvision",
    "OpenCV": "cv2",
}


def transform(
    ranges: Mapping[str, float], size: int, mean: Sequence[float], std: Sequence[float]
) -> Callable[..., Any]:
    """Make the training transform of an image and a `tv_tensors.Mask`."""
    from torchvision import tv_tensors
    from torchvision.transforms import v2

    kinds: dict[Any, torch.dtype | None] = {tv_tensors.Image: torch.float32, "others": None}
    crop, aspect = ranges["crop"], ranges["aspect"]
    jitter = {name: ranges[name] for name in ("brightness", "contrast", "saturation", "hue")}
    return v2.Compose(
        [
            # Its scale is a share of the area; ours is a share of the sides.
            v2.RandomResizedCrop(size, scale=(crop**2, 1), ratio=(1 / aspect, aspect)),
            v2.RandomHorizontalFlip(ranges["flip"]),
            *([v2.ColorJitter(**jitter)] if any(jitter.values()) else []),
            v2.ToImage(),
            v2.ToDtype(kinds, scale=True),
            v2.Normalize(mean, std),
        ]
    )


def image(pixels: np.ndarray, chosen: Parameters, size: int) -> np.ndarray:
    """Augment one image with given parameters; return `(size, size, 3)` in 0..255."""
    from torchvision.transforms.v2 import functional as TF

    left, top, right, bottom = chosen.box
    tensor = torch.from_numpy(pixels).permute(2, 0, 1)
    tensor = TF.resized_crop(
        tensor, top, left, bottom - top, right - left, [size, size], antialias=True
    )
    tensor = TF.horizontal_flip(tensor) if chosen.flip else tensor
    tensor = TF.adjust_brightness(tensor, chosen.brightness)
    tensor = TF.adjust_contrast(tensor, chosen.contrast)
    tensor = TF.adjust_saturation(tensor, chosen.saturation)
    tensor = TF.adjust_hue(tensor, chosen.hue) if chosen.hue else tensor
    return tensor.permute(1, 2, 0).numpy().astype(np.float32)


def _read_pil(image: Path, mask: Path) -> tuple[Any, Any]:
    from torchvision import tv_tensors

    with Image.open(image) as decoded, Image.open(mask) as ids:
        return decoded.convert("RGB"), tv_tensors.Mask(np.array(ids))


def _read_pil_to_tensor(image: Path, mask: Path) -> tuple[Any, Any]:
    from torchvision.transforms.v2 import functional as TF

    decoded, ids = _read_pil(image, mask)
    return TF.to_image(decoded), ids


def _read_decode_image(image: Path, mask: Path) -> tuple[Any, Any]:
    from torchvision import tv_tensors
    from torchvision.io import ImageReadMode, decode_image

    decoded = tv_tensors.Image(decode_image(str(image), ImageReadMode.RGB))
    return decoded, tv_tensors.Mask(decode_image(str(mask), ImageReadMode.UNCHANGED)[0])


def _read_opencv(image: Path, mask: Path) -> tuple[Any, Any]:
    import cv2
    from torchvision import tv_tensors

    pixels = cv2.cvtColor(cv2.imread(str(image)), cv2.COLOR_BGR2RGB)
    decoded = tv_tensors.Image(torch.from_numpy(pixels).permute(2, 0, 1))
    return decoded, tv_tensors.Mask(cv2.imread(str(mask), cv2.IMREAD_UNCHANGED))


READ = {
    "PIL": _read_pil,
    "PIL to tensor": _read_pil_to_tensor,
    "decode_image": _read_decode_image,
    "OpenCV": _read_opencv,
}
