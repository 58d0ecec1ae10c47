"""What inference needs of a network, whatever runtime computes it."""

from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor

# fp32 logits: an array, or a tensor on the device of its network.
Logits: TypeAlias = "NDArray[np.float32] | Tensor"


class Network(Protocol):
    """A network that computes logits; one file per runtime in `inference/backends/`."""

    @property
    def num_classes(self) -> int:
        """Number of classes, C."""
        ...

    @property
    def input_stride(self) -> int:
        """Sizes that are multiples of this need no padding."""
        ...

    @property
    def output_stride(self) -> int:
        """Pixels of the input per row or column of the logits."""
        ...

    def logits(self, images: NDArray[np.uint8]) -> Logits:
        """Compute the logits `(B, C, h, w)` of images `(B, H, W, D)`, RGB or bands.

        Returns:
            fp32 on a feature map that may be padded: the image covers its first
            `H / output_stride` rows and `W / output_stride` columns, fractions included.
        """
        ...


class ImageLogits(NamedTuple):
    """The logits of one image.

    Attributes:
        values: `(C, h, w)`, on a feature map that may be padded at the bottom and at the right.
        covered: Rows and columns of the feature map that the image covers, fractions included.
    """

    values: Logits
    covered: tuple[float, float]


def network_input(images: NDArray[np.uint8], input_stride: int) -> NDArray[np.float32]:
    """Turn sized images `(B, H, W, D)` into the input of an exported network, `(B, D, h, w)`.

    Their last rows and columns are repeated up to multiples of the input stride.
    """
    missing = [(0, -side % input_stride) for side in images.shape[1:3]]
    padded = np.pad(images, ((0, 0), *missing, (0, 0)), mode="edge")
    return padded.transpose(0, 3, 1, 2).astype(np.float32)


def as_array(logits: Logits) -> NDArray[np.float32]:
    """Return logits as an array in the memory of the host."""
    return logits if isinstance(logits, np.ndarray) else logits.cpu().numpy()


def like(values: NDArray[np.float32], logits: Logits) -> Logits:
    """Return an array as what some logits are: an array, or a tensor on their device."""
    return values if isinstance(logits, np.ndarray) else logits.new_tensor(values)
