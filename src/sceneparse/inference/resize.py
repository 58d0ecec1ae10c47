"""How images are resized for the network, and their logits."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sceneparse.data.io.resizing import resized_pixels
from sceneparse.errors import InputError
from sceneparse.inference.network import ImageLogits, Logits, Network
from sceneparse.inference.slabs import LogitSlabs
from sceneparse.inference.windows import blended

MAX_LOGITS_BYTES = 4 * 2**30
# The largest square that a config may ask for.
MAX_PIXELS_AT_ONCE = 4096**2
# More windows than this has nobody time for; it is 768 MiB of RGB.
MAX_PIXELS_IN_WINDOWS = 2**28
ResizeKind = Literal["stretch", "keep_ratio", "window"]


@dataclass(frozen=True)
class Resize:
    """How images are resized for the network; every score depends on it.

    Attributes:
        kind: `stretch` to a square; `keep_ratio` with the short side at `size`; `window` the same,
            in overlapping square windows whose logits are blended.
        size: Pixels of the short side, and of the square.
        overlap: Minimum share of a window that the next one overlaps, in 0..1.
    """

    kind: ResizeKind = "stretch"
    size: int = 256
    overlap: float = 0.25

    def __str__(self) -> str:
        """Return how images are resized, as printed with scores."""
        match self.kind:
            case "stretch":
                return f"stretched to {self.size}×{self.size}"
            case "keep_ratio":
                return f"short side to {self.size}, ratio kept"
            case "window":
                return (
                    f"short side to {self.size}, ratio kept, windows of {self.size}×{self.size} "
                    f"overlapping by {self.overlap:.0%}"
                )

    def network_size(
        self, height: int, width: int, stride: int, scale: float = 1.0
    ) -> tuple[int, int]:
        """Return the height and width to which an image is resized for the network.

        Args:
            height: Height of the image, in pixels.
            width: Width of the image, in pixels.
            stride: Sizes are rounded to multiples of it, except a square at scale 1.
            scale: Factor on height and width; windows keep their size.
        """
        if self.kind == "stretch":
            side = self.size if scale == 1 else _rounded(self.size * scale, 1, stride)
            return side, side
        wanted, short = self.size * scale, min(height, width)
        return _rounded(height * wanted, short, stride), _rounded(width * wanted, short, stride)


def logits_of_images(
    images: Sequence[NDArray[np.uint8]], network: Network, resize: Resize, scale: float = 1.0
) -> list[ImageLogits]:
    """Resize images `(H, W, C)` and compute their logits.

    Images that have the same size for the network go through it together.

    Raises:
        InputError: If an image is so long that it or its logits would fill the memory.
    """
    inputs = [_network_input(image, network, resize, scale, in_slabs=False) for image in images]
    return [slabs.whole() for slabs in _logits_of_inputs(inputs, network, resize)]


def slabs_of_images(
    images: Sequence[NDArray[np.uint8]], network: Network, resize: Resize, scale: float = 1.0
) -> list[LogitSlabs]:
    """Compute the same logits as `logits_of_images`; those of windows in slabs, as they are read.

    Raises:
        InputError: If an image is so long that it or a slab of its logits would fill the memory.
    """
    inputs = [_network_input(image, network, resize, scale, in_slabs=True) for image in images]
    return _logits_of_inputs(inputs, network, resize)


def _network_input(
    image: NDArray[np.uint8], network: Network, resize: Resize, scale: float, *, in_slabs: bool
) -> NDArray[np.uint8]:
    size = resize.network_size(image.shape[0], image.shape[1], network.input_stride, scale)
    is_window = resize.kind == "window"
    decided = size
    if in_slabs and is_window:
        decided = (min(size), min(max(size), _rounded(resize.size, 1, network.input_stride)))
    _check_memory(image.shape, size, decided, network, is_whole=not is_window)
    return resized(image, size)


def _logits_of_inputs(
    inputs: Sequence[NDArray[np.uint8]], network: Network, resize: Resize
) -> list[LogitSlabs]:
    if resize.kind == "window":
        side = _rounded(resize.size, 1, network.input_stride)
        return [blended(image, network, side, resize.overlap) for image in inputs]
    stride = network.output_stride
    return [
        LogitSlabs.of(ImageLogits(values, (image.shape[0] / stride, image.shape[1] / stride)))
        for values, image in zip(_logits_by_size(inputs, network), inputs, strict=True)
    ]


def _logits_by_size(images: Sequence[NDArray[np.uint8]], network: Network) -> list[Logits]:
    """Run the network on a batch for each size; return the logits in the order of the images."""
    indices_of_size: dict[tuple[int, ...], list[int]] = {}
    for index, image in enumerate(images):
        indices_of_size.setdefault(image.shape, []).append(index)
    logits: dict[int, Logits] = {}
    for indices in indices_of_size.values():
        batch = network.logits(np.stack([images[index] for index in indices]))
        logits.update(zip(indices, batch, strict=True))
    return [logits[index] for index in range(len(images))]


def resized(image: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Resize an image `(H, W, C)` to a height and width, bilinearly with antialiasing.

    Exported models contain the same (`exporters/sizing_graph.py`): along the height, then along the
    width, an output is the mean of the inputs within `max(1, n_in / n_out)` of it, weighted by a
    triangle and rounded to 8 bits. Weights have 22 bits after the point.
    """
    if image.shape[:2] == size:
        return np.ascontiguousarray(image)
    return resized_pixels(image, size, Image.Resampling.BILINEAR)


def _check_memory(
    shape: tuple[int, ...],
    size: tuple[int, int],
    decided: tuple[int, int],
    network: Network,
    *,
    is_whole: bool,
) -> None:
    """Refuse images so long that they or their logits would fill the memory.

    Args:
        shape: Shape of the image.
        size: Its height and width for the network.
        decided: Height and width for the network of what is decided on at a time.
        network: The network.
        is_whole: Whether it sees the image at once.
    """
    positions = decided[0] * decided[1] // network.output_stride**2
    max_pixels = MAX_PIXELS_AT_ONCE if is_whole else MAX_PIXELS_IN_WINDOWS
    problem = None
    if 4 * positions * network.num_classes > MAX_LOGITS_BYTES:
        problem = f"its logits more than {MAX_LOGITS_BYTES // 2**30} GiB"
    elif size[0] * size[1] > max_pixels:
        at_once = " at once" if is_whole else ""
        problem = f"that is more than {max_pixels // 2**20} Mi pixels{at_once}"
    if problem:
        raise InputError(
            f"an image of {shape[1]}×{shape[0]} would be {size[1]}×{size[0]} for the network, and "
            f"{problem}; set inference.resize=stretch or a smaller inference.size or smaller "
            "inference.scales"
        )


def _rounded(length: float, divisor: int, stride: int) -> int:
    """Round a quotient half up to a multiple of a stride, at least one."""
    return max(1, int(length / (divisor * stride) + 0.5)) * stride
