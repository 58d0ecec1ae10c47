"""How an image is sized for the network, and the logits of it put together."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sceneparse.errors import InputError
from sceneparse.inference.backend import Backend
from sceneparse.inference.windows import blended

MAX_LOGITS_BYTES = 4 * 2**30
# The largest square that a config may ask for.
MAX_PIXELS_AT_ONCE = 4096**2
ResizeKind = Literal["stretch", "keep_ratio", "window"]


@dataclass(frozen=True)
class Resize:
    """How images are sized for the network; part of every score.

    Attributes:
        kind: `stretch` to a square; `keep_ratio` with the short side at `size`; `window` the same,
            seen through overlapping squares whose logits are blended.
        size: Pixels of the short side, and of the square.
        overlap: Share of a window that the next one sees again, in 0..1.
    """

    kind: ResizeKind = "stretch"
    size: int = 256
    overlap: float = 0.25

    def __str__(self) -> str:
        """Say how images are sized, as printed with scores."""
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
        """Return the height and width at which the network sees an image.

        Args:
            height: Of the image, in pixels.
            width: Of the image, in pixels.
            stride: What sizes are rounded to, but for a square of the very size asked for.
            scale: Factor on both; windows stay as large as they are.
        """
        if self.kind == "stretch":
            side = self.size if scale == 1 else _rounded(self.size * scale, stride)
            return side, side
        factor = scale * self.size / min(height, width)
        return _rounded(height * factor, stride), _rounded(width * factor, stride)


class CoveredLogits(NamedTuple):
    """Logits of one image.

    Attributes:
        logits: `(C, h, w)`.
        covered: Rows and columns of cells that the image takes up.
    """

    logits: NDArray[np.float32]
    covered: tuple[float, float]


def logits_of_each(
    images: Sequence[NDArray[np.uint8]], backend: Backend, resize: Resize, scale: float = 1.0
) -> list[CoveredLogits]:
    """Size images `(H, W, 3)`, run them, and return their logits and the cells that they cover.

    Those that the network sees at the same size go through it together.
    """
    sized = [_sized(image, backend, resize, scale) for image in images]
    stride = backend.output_stride
    covered = [(image.shape[0] / stride, image.shape[1] / stride) for image in sized]
    if resize.kind == "window":
        side = _rounded(resize.size, backend.input_stride)
        logits = [blended(image, backend, side, resize.overlap) for image in sized]
    else:
        logits = _together(sized, backend)
    return [CoveredLogits(*pair) for pair in zip(logits, covered, strict=True)]


def _sized(
    image: NDArray[np.uint8], backend: Backend, resize: Resize, scale: float
) -> NDArray[np.uint8]:
    size = resize.network_size(image.shape[0], image.shape[1], backend.input_stride, scale)
    _check_memory(image.shape, size, backend, whole=resize.kind != "window")
    return resized(image, size)


def _together(images: Sequence[NDArray[np.uint8]], backend: Backend) -> list[NDArray[np.float32]]:
    """Run images, all of one size at a time; the answers are in the order of the images."""
    of_size: dict[tuple[int, ...], list[int]] = {}
    for place, image in enumerate(images):
        of_size.setdefault(image.shape, []).append(place)
    logits: dict[int, NDArray[np.float32]] = {}
    for places in of_size.values():
        answers = backend.logits(np.stack([images[place] for place in places]))
        logits.update(zip(places, answers, strict=True))
    return [logits[place] for place in range(len(images))]


def resized(image: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Resize an image `(H, W, 3)` to a height and width, bilinearly with antialiasing."""
    if image.shape[:2] == size:
        return np.ascontiguousarray(image)
    height, width = size
    smaller = Image.fromarray(image).resize(
        (width, height), Image.Resampling.BILINEAR, reducing_gap=3.0
    )
    return np.array(smaller)


def _check_memory(
    shape: tuple[int, ...], size: tuple[int, int], backend: Backend, *, whole: bool
) -> None:
    """Refuse images so long that they or their logits would fill the memory."""
    cells = size[0] * size[1] // backend.output_stride**2
    problem = None
    if 4 * cells * backend.num_classes > MAX_LOGITS_BYTES:
        problem = f"its logits more than {MAX_LOGITS_BYTES // 2**30} GiB"
    elif whole and size[0] * size[1] > MAX_PIXELS_AT_ONCE:
        problem = f"that is more than {MAX_PIXELS_AT_ONCE // 2**20} Mi pixels at once"
    if problem:
        raise InputError(
            f"an image of {shape[1]}×{shape[0]} would be {size[1]}×{size[0]} for the network, and "
            f"{problem}; set inference.resize=stretch or a smaller inference.size or smaller "
            "inference.scales"
        )


def _rounded(length: float, stride: int) -> int:
    return max(stride, round(length / stride) * stride)
