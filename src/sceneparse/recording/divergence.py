"""Say while a run trains that it does not learn, with the likely reasons.

A message is only worth something if it is hardly ever wrong, so each compares with the best that a
network can do without looking at the image: to predict the most frequent class everywhere. Nothing
is said before the third epoch and the hundredth step, because a network of random weights predicts
one class in its first steps, and a warm-up starts with a rate near zero.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from sceneparse.metrics.scores import ConfusionMatrix, Scores
from sceneparse.training.loop import EpochRecord

MIN_EPOCHS, MIN_STEPS = 3, 100
# Two epochs that learn nothing differ by their images and augmentation, by about 1 %.
FALL = 0.98
# A loss above that of the first epoch, which starts with random weights, is no noise.
RISE, RISE_NATS = 1.2, 0.1
# Accuracy and mIoU of one class everywhere, and a little more: both have to be no better.
CHANCE_ACCURACY, CHANCE_MIOU = 0.02, 1.2
ONE_CLASS = 0.99
# Where one class covers nearly all of the ground truth, predicting it alone is a fair start.
NEARLY_ALL = 0.95
MIN_VALIDATIONS = 3
# Half of the pixels would have to be of other classes.
OTHER_CLASSES = 0.5


@dataclass
class DivergenceWatch:
    """Follows the epochs of a run, and says each thing once.

    Attributes:
        first_loss: Training loss of the first epoch; none before it.
        lowest_loss: Lowest training loss of the later epochs; none before the second.
        validations: Number of validations.
        at_chance: Number of validations, from the first on, that were no better than one class.
        one_class: Number of validations in a row that predicted nearly one class.
        said: What has been said.
    """

    first_loss: float | None = None
    lowest_loss: float | None = None
    validations: int = 0
    at_chance: int = 0
    one_class: int = 0
    said: list[str] = field(default_factory=list)

    def messages(self, record: EpochRecord, class_names: Sequence[str]) -> list[str]:
        """Take in an epoch, and return what is to be said now.

        Args:
            record: The epoch; each one of the run, in order.
            class_names: Names of the classes.
        """
        self._take_in(record)
        if record.epoch < MIN_EPOCHS or record.step < MIN_STEPS:
            return []
        found = {
            "loss": self._about_loss(record),
            "one class": self._about_one_class(record, class_names),
            "splits": self._about_splits(record),
        }
        new = {key: text for key, text in found.items() if text and key not in self.said}
        self.said.extend(new)
        return list(new.values())

    def _take_in(self, record: EpochRecord) -> None:
        loss = record.train_loss
        if self.first_loss is None:
            self.first_loss = loss
        else:
            self.lowest_loss = min(loss, loss if self.lowest_loss is None else self.lowest_loss)
        if record.validation:
            self.validations += 1
            self.at_chance += is_at_chance(record.validation.scores)
            _, predicted, present = most_predicted(record.validation.confusion)
            is_one = predicted >= ONE_CLASS and present < NEARLY_ALL
            self.one_class = self.one_class + 1 if is_one else 0

    def _about_loss(self, record: EpochRecord) -> str:
        if self.first_loss is None or self.lowest_loss is None:
            return ""
        first, last = self.first_loss, record.train_loss
        if last > RISE * first + RISE_NATS:
            return (
                f"the training loss has risen to {last:.3g}, from {first:.3g} in the first epoch. "
                "Likely optimizer.lr is too high: start another run with a tenth of it, with "
                "training.clip_norm=1, or with a schedule.warmup"
            )
        if self.lowest_loss > FALL * first and is_at_chance(record.train):
            return (
                f"the training loss does not fall: {first:.3g} in the first epoch, "
                f"{self.lowest_loss:.3g} at best since; predictions are no better than one class "
                "for all pixels. Likely reasons: optimizer.lr is far too low or too high (try ten "
                "times and a tenth of it); masks that belong to other images, or ids that are not "
                "those of the classes (`sceneparse data check`)"
            )
        return ""

    def _about_one_class(self, record: EpochRecord, class_names: Sequence[str]) -> str:
        # Twice in a row, because one validation may follow a bad step.
        if record.validation is None or self.one_class < 2:
            return ""
        index, predicted, present = most_predicted(record.validation.confusion)
        return (
            f"{predicted:.1%} of the validation pixels are predicted as {class_names[index]}, "
            f"which {present:.1%} of them are. Likely reasons: optimizer.lr is too high or low; "
            "one class covers most of the training pixels (try loss.class_weights); or the ids of "
            "the masks are not those of the classes (`sceneparse data check`)"
        )

    def _about_splits(self, record: EpochRecord) -> str:
        if record.validation is None or self.validations < MIN_VALIDATIONS:
            return ""
        if self.at_chance < self.validations or is_at_chance(record.train):
            return ""
        difference = class_difference(record.train, record.validation.scores)
        classes = (
            f"the classes of both splits differ in {difference:.0%} of the pixels; "
            if difference > OTHER_CLASSES
            else ""
        )
        return (
            f"training and validation disagree: mIoU {record.train.miou:.3f} in training, but "
            f"{record.validation.scores.miou:.3f} in validation, in all {self.validations} "
            "validations no better than one class for all pixels. Likely reasons: "
            f"{classes}the validation masks belong to other images or have other ids "
            "(`sceneparse data check`); validation images of another kind, size or colour range; "
            "an augmentation that makes the training images unlike them (transform), or "
            "inference.size far from transform.size"
        )


def is_at_chance(scores: Scores) -> bool:
    """Return whether predictions are no better than the most frequent class for all pixels."""
    total, present = int(scores.pixels.sum()), int((scores.pixels > 0).sum())
    if present < 2:
        return False
    share = int(scores.pixels.max()) / total
    no_more_right = scores.pixel_accuracy <= share + CHANCE_ACCURACY
    return no_more_right and scores.miou <= CHANCE_MIOU * share / present


def most_predicted(confusion: ConfusionMatrix) -> tuple[int, float, float]:
    """Return the class that is predicted most, its share of predictions and of ground truth.

    Args:
        confusion: Confusion matrix `(C, C + 1)`.
    """
    total = max(1, int(confusion.sum()))
    predicted = confusion.sum(axis=0)[:-1]
    index = int(predicted.argmax())
    return index, float(predicted[index] / total), float(confusion[index].sum() / total)


def class_difference(first: Scores, second: Scores) -> float:
    """Return the share of ground-truth pixels whose class would have to change, in 0..1.

    It is the total variation distance of the two distributions of classes.
    """
    shares = [scores.pixels / max(1, int(scores.pixels.sum())) for scores in (first, second)]
    return float(np.abs(shares[0] - shares[1]).sum() / 2)
