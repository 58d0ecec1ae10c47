"""What inference needs of a runtime."""

from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from sceneparse.labels import Mask


class LabelMap(NamedTuple):
    """The answer for one picture.

    Attributes:
        mask: Train ids `(H, W)`.
        confidence: Softmax probability of the class chosen, `(H, W)` float32 in 0..1.
        loss: Cross-entropy in nats summed over the valid pixels of the truth, where one was given.
    """

    mask: Mask
    confidence: NDArray[np.float32]
    loss: float | None


class Backend(Protocol):
    """A network that runs."""

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
        """Pixels of input per cell of the logits."""
        ...

    def logits(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Compute logits `(C, h, w)` of a picture `(H, W, 3)`; cells may reach beyond it."""
        ...

    def label_map(
        self,
        logits: NDArray[np.float32],
        covered: tuple[float, float],
        size: tuple[int, int],
        truth: Mask | None = None,
    ) -> LabelMap:
        """Bring logits to a size and decide, without ever holding logits of that size.

        Args:
            logits: `(C, h, w)`.
            covered: Rows and columns of cells that the picture takes up.
            size: Height and width of the answer.
            truth: Train ids of that size, to compute the loss against.
        """
        ...
