"""Images in, masks at their own size out."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sceneparse.inference.decision import Counts, LabelMap, label_map, score
from sceneparse.inference.network import ImageLogits, Network
from sceneparse.inference.refinement import RefinedLogits, Refinement, refined
from sceneparse.inference.resize import Resize
from sceneparse.inference.views import View, logits_over_views, views_text
from sceneparse.labels import Labels, Mask


@dataclass(frozen=True)
class Prediction:
    """The segmentation of one image, at its own size.

    Attributes:
        mask: Train ids `(H, W)`.
        confidence: Probability of the class chosen, `(H, W)` float32 in 0..1.
        labels: The classes.
    """

    mask: Mask
    confidence: NDArray[np.float32]
    labels: Labels

    def classes(self) -> list[dict[str, Any]]:
        """List the classes found, largest first: id, name, share of pixels, mean confidence."""
        count = np.bincount(self.mask.ravel(), minlength=self.labels.num_classes)
        sure = np.bincount(
            self.mask.ravel(), self.confidence.ravel(), minlength=self.labels.num_classes
        )
        order: Sequence[int] = np.argsort(-count, kind="stable").tolist()
        return [
            {
                "id": self.labels.raw_ids[index],
                "name": self.labels.class_names[index],
                "share": float(count[index] / self.mask.size),
                "confidence": float(sure[index] / count[index]),
            }
            for index in order
            if count[index]
        ]


class Predictor:
    """A network and the way from pixels to a mask around it."""

    def __init__(
        self,
        network: Network,
        labels: Labels,
        resize: Resize,
        batch_size: int = 1,
        views: Sequence[View] = (View(),),
        refinement: Refinement | None = None,
        memory_budget_mb: int = 256,
    ) -> None:
        """Set the network and how it is used.

        Args:
            network: Computes logits.
            labels: Its classes.
            resize: How images are resized for it.
            batch_size: Images that go through it together.
            views: Test-time augmentation: the probabilities of these views are averaged.
            refinement: Moves the edges of the classes to the edges of the image; None for no
                refinement.
            memory_budget_mb: Memory in MiB that the decision uses beside its input and output.
        """
        self.network = network
        self.labels = labels
        self.resize = resize
        self.batch_size = batch_size
        self.views = views
        self.refinement = refinement
        self.memory_budget_mb = memory_budget_mb

    def __str__(self) -> str:
        """Return how pixels become a mask, as printed with scores."""
        after = "" if self.refinement is None else f", {self.refinement}"
        return f"{self.resize}{views_text(self.views)}{after}"

    def __call__(self, image: NDArray[np.uint8]) -> Prediction:
        """Segment an image `(H, W, 3)` RGB uint8 at its own size."""
        found = self._label_map(self._logits([image])[0], image)
        return Prediction(found.mask, found.confidence, self.labels)

    def score(self, images: Sequence[NDArray[np.uint8]], targets: Sequence[Mask]) -> list[Counts]:
        """Segment images of any sizes at the sizes of their annotations, and count each.

        Images that have the same size for the network go through it together.
        """
        return [
            self._score(logits, image, target)
            for logits, image, target in zip(self._logits(images), images, targets, strict=True)
        ]

    @property
    def _max_bytes(self) -> int:
        return self.memory_budget_mb * 2**20

    def _logits(self, images: Sequence[NDArray[np.uint8]]) -> list[ImageLogits]:
        return logits_over_views(images, self.network, self.resize, self.views)

    def _refined(
        self, logits: ImageLogits, image: NDArray[np.uint8]
    ) -> ImageLogits | RefinedLogits:
        return logits if self.refinement is None else refined(logits, image, self.refinement)

    def _label_map(self, logits: ImageLogits, image: NDArray[np.uint8]) -> LabelMap:
        size = (image.shape[0], image.shape[1])
        found = self._refined(logits, image)
        if isinstance(found, RefinedLogits):
            return found.label_map(size, self.labels, self._max_bytes)
        return label_map(found, size, self.labels.dtype, self._max_bytes)

    def _score(self, logits: ImageLogits, image: NDArray[np.uint8], target: Mask) -> Counts:
        found = self._refined(logits, image)
        if isinstance(found, RefinedLogits):
            return found.score(target, self.labels, self._max_bytes)
        return score(found, target, self.labels.ignore_index, self._max_bytes)
