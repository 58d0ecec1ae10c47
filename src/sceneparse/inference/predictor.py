"""Pictures in, masks at their own size out."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sceneparse.inference.backend import Backend, Counts
from sceneparse.inference.resize import Resize, logits_of, logits_of_each
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

    def __init__(
        self, backend: Backend, labels: Labels, resize: Resize, batch_size: int = 1
    ) -> None:
        """Put them together.

        Args:
            backend: The network.
            labels: Its classes.
            resize: How pictures are sized for it.
            batch_size: Pictures that go through it together when a data set is scored.
        """
        self.backend = backend
        self.labels = labels
        self.resize = resize
        self.batch_size = batch_size

    def __call__(self, image: NDArray[np.uint8]) -> Prediction:
        """Parse a picture `(H, W, 3)` RGB uint8 at its own size."""
        logits, covered = logits_of(image, self.backend, self.resize)
        answer = self.backend.label_map(logits, covered, (image.shape[0], image.shape[1]))
        return Prediction(answer.mask, answer.confidence, self.labels)

    def score(self, images: Sequence[NDArray[np.uint8]], truths: Sequence[Mask]) -> list[Counts]:
        """Parse pictures of any sizes at the sizes of their annotations, and count each.

        Pictures that the network sees at the same size go through it together.
        """
        answers = logits_of_each(images, self.backend, self.resize)
        return [
            self.backend.score(logits, covered, truth)
            for (logits, covered), truth in zip(answers, truths, strict=True)
        ]
