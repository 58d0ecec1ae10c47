"""Images in, masks at their own size out."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sceneparse.inference.backend import Backend, Counts, LabelMap
from sceneparse.inference.refinement import Refined, Refinement, refined
from sceneparse.inference.resize import CoveredLogits, Resize
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
    """A backend with everything that pixels need on the way to a mask."""

    def __init__(
        self,
        backend: Backend,
        labels: Labels,
        resize: Resize,
        batch_size: int = 1,
        views: Sequence[View] = (View(),),
        refinement: Refinement | None = None,
    ) -> None:
        """Put them together.

        Args:
            backend: The network.
            labels: Its classes.
            resize: How images are sized for it.
            batch_size: Images that go through it together when a data set is scored.
            views: What it sees of each image; what it says is averaged.
            refinement: Moves what it says to the edges of the photo, if anything does.
        """
        self.backend = backend
        self.labels = labels
        self.resize = resize
        self.batch_size = batch_size
        self.views = views
        self.refinement = refinement

    def __str__(self) -> str:
        """Say how pixels become a mask, as printed with scores."""
        after = "" if self.refinement is None else f", {self.refinement}"
        return f"{self.resize}{views_text(self.views)}{after}"

    def __call__(self, image: NDArray[np.uint8]) -> Prediction:
        """Segment an image `(H, W, 3)` RGB uint8 at its own size."""
        answer = self._label_map(self._logits([image])[0], image)
        return Prediction(answer.mask, answer.confidence, self.labels)

    def score(self, images: Sequence[NDArray[np.uint8]], targets: Sequence[Mask]) -> list[Counts]:
        """Segment images of any sizes at the sizes of their annotations, and count each.

        Images that the network sees at the same size go through it together.
        """
        return [
            self._score(logits, image, target)
            for logits, image, target in zip(self._logits(images), images, targets, strict=True)
        ]

    def _logits(self, images: Sequence[NDArray[np.uint8]]) -> list[CoveredLogits]:
        return logits_over_views(images, self.backend, self.resize, self.views)

    def _answer(self, logits: CoveredLogits, image: NDArray[np.uint8]) -> CoveredLogits | Refined:
        return logits if self.refinement is None else refined(logits, image, self.refinement)

    def _label_map(self, logits: CoveredLogits, image: NDArray[np.uint8]) -> LabelMap:
        size = (image.shape[0], image.shape[1])
        answer = self._answer(logits, image)
        if isinstance(answer, Refined):
            return answer.label_map(self.backend, size, self.labels)
        return self.backend.label_map(*answer, size)

    def _score(self, logits: CoveredLogits, image: NDArray[np.uint8], target: Mask) -> Counts:
        answer = self._answer(logits, image)
        if isinstance(answer, Refined):
            return answer.score(self.backend, target, self.labels)
        return self.backend.score(*answer, target)
