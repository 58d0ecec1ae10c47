"""Pictures in, masks at their own size out."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sceneparse.inference.backend import Backend, LabelMap
from sceneparse.inference.resize import Resize, logits_of
from sceneparse.labels import Labels, Mask


@dataclass(frozen=True)
class Prediction:
    """The parse of one picture, at its own size.

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
                "share": count[index] / self.mask.size,
                "confidence": sure[index] / count[index],
            }
            for index in order
            if count[index]
        ]


class Predictor:
    """A backend with everything that pixels need on the way to a mask."""

    def __init__(self, backend: Backend, labels: Labels, resize: Resize) -> None:
        self.backend = backend
        self.labels = labels
        self.resize = resize

    def __call__(self, image: NDArray[np.uint8]) -> Prediction:
        """Parse a picture `(H, W, 3)` RGB uint8 at its own size."""
        answer = self.label_map(image, (image.shape[0], image.shape[1]))
        return Prediction(answer.mask, answer.confidence, self.labels)

    def label_map(
        self, image: NDArray[np.uint8], size: tuple[int, int], truth: Mask | None = None
    ) -> LabelMap:
        """Parse a picture at another size, such as its annotation's, with the loss if asked."""
        logits, covered = logits_of(image, self.backend, self.resize)
        return self.backend.label_map(logits, covered, size, truth)
