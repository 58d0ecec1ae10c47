"""What inference needs of a runtime."""

from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from sceneparse.labels import Mask
from sceneparse.metrics.scores import ConfusionMatrix


class LabelMap(NamedTuple):
    """The answer for one image.

    Attributes:
        mask: Train ids `(H, W)`.
        confidence: Softmax probability of the class chosen, `(H, W)` float32 in 0..1.
    """

    mask: Mask
    confidence: NDArray[np.float32]


class Counts(NamedTuple):
    """What one image adds to the scores.

    Attributes:
        confusion: int64 confusion matrix `(C, C + 1)`.
        loss: Cross-entropy in nats, summed over the valid pixels.
    """

    confusion: ConfusionMatrix
    loss: float


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

    def logits(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Compute logits `(B, C, h, w)` of images `(B, H, W, 3)`; cells may reach beyond them."""
        ...

    def label_map(
        self, logits: NDArray[np.float32], covered: tuple[float, float], size: tuple[int, int]
    ) -> LabelMap:
        """Bring logits to a size and decide, without ever holding logits of that size.

        Args:
            logits: `(C, h, w)`; fewer than C where only some classes are to be decided among.
            covered: Rows and columns of cells that the image takes up.
            size: Height and width of the answer.
        """
        ...

    def score(
        self, logits: NDArray[np.float32], covered: tuple[float, float], target: Mask
    ) -> Counts:
        """Decide at the size of the ground truth and count, likewise.

        Args:
            logits: `(C, h, w)`, or fewer.
            covered: Rows and columns of cells that the image takes up.
            target: Train ids `(H, W)`.
        """
        ...
