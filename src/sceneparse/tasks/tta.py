"""Compare settings of test-time augmentation (TTA) and refinement on a trained model.

The network runs once for each view of an image, and the predictors of all settings share its
cached logits. Scores are those of `evaluate`. Only counts are kept from one image to the next.
Settings are chosen on one half of the images and reported on the other, because the best setting
scores too well on the images on which it was chosen.
"""

import shlex
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from sceneparse import factory
from sceneparse.data.dataset import Sample
from sceneparse.data.loader import prefetch
from sceneparse.errors import InputError
from sceneparse.factory.loading import OpenedModel, open_model, with_overrides
from sceneparse.factory.runtime_choice import pinned_model
from sceneparse.inference.cached_network import CachedNetwork
from sceneparse.metrics.bootstrap import (
    ImageCounts,
    ScoreDifferences,
    ScoreIntervals,
    bootstrap_differences,
    bootstrap_intervals,
    image_counts,
    miou_and_pixel_accuracy,
)
from sceneparse.recording.events import Callback, Message, ignore, tracked
from sceneparse.system.memory_advice import PREDICTION, advice_on_memory
from sceneparse.system.paths import expand_user
from sceneparse.tasks.evaluate import open_data_of


class Setting(NamedTuple):
    """Settings of inference to compare.

    Attributes:
        method: Method to which the setting belongs.
        overrides: Overrides as `inference.field=value`.
    """

    method: str
    overrides: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Write the overrides without their common prefix."""
        return " ".join(text.removeprefix("inference.") for text in self.overrides) or "unchanged"


PLAIN = Setting("none")
SETTINGS = (
    PLAIN,
    Setting("views", ("inference.flip=true",)),
    Setting("views", ("inference.scales=[0.75, 1.0, 1.25]",)),
    Setting("views", ("inference.scales=[0.75, 1.0, 1.25]", "inference.flip=true")),
    *(
        Setting(
            "guided filter",
            (f"inference.refine={{kind: guided_filter, radius: {radius}, epsilon: {epsilon}}}",),
        )
        for radius in (2, 4, 8)
        for epsilon in (0.001, 0.01)
    ),
    *(
        Setting(
            "dense CRF",
            (
                f"inference.refine={{kind: dense_crf, similar_weight: {weight}, "
                f"similar_color: {color}}}",
            ),
        )
        for weight in (2.0, 5.0)
        for color in (8.0, 20.0)
    ),
)


@dataclass(frozen=True, eq=False)
class Trial:
    """Scores and cost of a setting.

    Attributes:
        setting: The setting.
        counts: Counts that each image adds to the scores, int64 `(N, 3, C)`.
        milliseconds: Mean time per image, scoring included.
    """

    setting: Setting
    counts: ImageCounts
    milliseconds: float

    @property
    def chosen_on(self) -> ImageCounts:
        """The counts of the half of the images on which settings are chosen."""
        return self.counts[0::2]

    @property
    def reported_on(self) -> ImageCounts:
        """The counts of the other half."""
        return self.counts[1::2]

    @property
    def chosen_miou(self) -> float:
        """The mIoU by which settings are chosen."""
        return float(miou_and_pixel_accuracy(self.chosen_on.sum(axis=0))[0])

    def reported(self) -> ScoreIntervals:
        """Return the scores on the other half."""
        return bootstrap_intervals(self.reported_on)


# With fewer images, a bootstrap interval says little; with one it has no width.
MIN_REPORTED = 10


@dataclass(frozen=True)
class TtaReport:
    """All settings that were compared on a model.

    Attributes:
        trials: Trials of all settings; the first one has no overrides.
        best: The best trial of each method and of their combination; the first has no overrides.
        given: Overrides of the user, which apply to all settings.
    """

    trials: tuple[Trial, ...]
    best: tuple[Trial, ...]
    given: tuple[str, ...] = ()

    @property
    def winner(self) -> Trial:
        """The trial with the highest mIoU on the half on which settings are chosen."""
        return max(self.best, key=lambda trial: trial.chosen_miou)

    def gain(self, trial: Trial) -> ScoreDifferences:
        """Return the gain of a trial over the plain setting, on the other half of the images."""
        return bootstrap_differences(self.best[0].reported_on, trial.reported_on)

    def advice(self) -> str:
        """Recommend a setting."""
        winner = self.winner
        if winner.setting == PLAIN:
            return "no setting scores higher: keep the current settings"
        gain = self.gain(winner).miou.gain
        images = len(winner.reported_on)
        overrides = shlex.join([*self.given, *winner.setting.overrides])
        if images < MIN_REPORTED:
            return (
                f"reported on {images} of the images, too few to recommend anything; use at least "
                f"{2 * MIN_REPORTED}; the best setting is: {overrides}"
            )
        if not gain.low > 0:
            return (
                "no significant gain on these images: keep the current settings, or use more "
                f"images; the best setting is: {overrides}"
            )
        return f"use: {overrides}"


def tta(
    model: str | Path,
    *,
    data: str | Path | None = None,
    split: str = "validation",
    images: int = 100,
    overrides: Sequence[str] = (),
    device: str = "auto",
    callback: Callback = ignore,
) -> TtaReport:
    """Measure gain and cost of test-time augmentation and refinement on a trained model.

    Settings are chosen on one half of the images and reported on the other.

    Args:
        model: A run folder, a weights file, an ONNX file, `bundled`, or `hf://owner/name`.
        data: The data root; none for the one that the model was trained on.
        split: Name of the split.
        images: Maximum number of images, spread over the data set; settings are chosen on half of
            them.
        overrides: Overrides for all settings, as `inference.field=value`.
        device: `auto`, or a torch device.
        callback: Called with each event.

    Raises:
        InputError: If model or data cannot be read, or there are fewer than two images.
    """
    root = None if data is None else expand_user(data)
    model = pinned_model(model, device, on_step=lambda text: callback(Message(text)))
    opened = open_model(model, device, overrides=overrides)
    dataset = open_data_of(opened, root, split)
    number = min(images, len(dataset))
    if number < 2:
        raise InputError(
            f"{model}: found {number} image, expected at least 2, because settings are chosen on "
            "one half of the images and reported on the other; use more images",
            "images",
            "data",
        )
    indices = [index * len(dataset) // number for index in range(number)]
    network = CachedNetwork(opened.predictor().network)

    def run(settings: Sequence[Setting]) -> tuple[Trial, ...]:
        samples = prefetch(dataset.__getitem__, indices, threads=1, ahead=2)
        reported = tracked(samples, callback, "comparing settings", number)
        return score_settings(settings, network, opened, reported)

    with advice_on_memory(PREDICTION):
        trials = run(SETTINGS)
        best = _best_per_method(trials)
        combination = _combine([trial.setting for trial in best], trials)
        combined = run([combination]) if combination else ()
    return TtaReport((*trials, *combined), (*best, *combined), tuple(overrides))


def score_settings(
    settings: Sequence[Setting],
    network: CachedNetwork,
    model: OpenedModel,
    samples: Iterable[Sample],
) -> tuple[Trial, ...]:
    """Score every setting on every image."""
    predictors = [
        factory.predictor_around(
            network, model.labels, with_overrides(model.config, setting.overrides).inference
        )
        for setting in settings
    ]
    counts: list[list[ImageCounts]] = [[] for _ in settings]
    seconds = np.zeros(len(settings))
    for sample in samples:
        for index, predictor in enumerate(predictors):
            start, saved = time.perf_counter(), network.saved_s
            (scored,) = predictor.score([sample.image], [sample.mask])
            seconds[index] += time.perf_counter() - start + network.saved_s - saved
            counts[index].append(image_counts(scored.confusion))
        network.clear()
    return tuple(
        Trial(setting, np.stack(images), 1000 * float(total) / len(images))
        for setting, images, total in zip(settings, counts, seconds, strict=True)
    )


def _best_per_method(trials: Sequence[Trial]) -> list[Trial]:
    methods = dict.fromkeys(trial.setting.method for trial in trials)
    return [
        max(
            (trial for trial in trials if trial.setting.method == method),
            key=lambda trial: trial.chosen_miou,
        )
        for method in methods
    ]


def _combine(best: Sequence[Setting], trials: Sequence[Trial]) -> Setting | None:
    """Combine the best views and the best refinement if each of them alone scores higher."""
    found = {trial.setting: trial.chosen_miou for trial in trials}
    gaining = [setting for setting in best if found[setting] > found[PLAIN]]
    views = [setting for setting in gaining if setting.method == "views"]
    refinements = [setting for setting in gaining if setting.method != "views"]
    if not (views and refinements):
        return None
    refinement = max(refinements, key=found.__getitem__)
    return Setting("together", (*views[0].overrides, *refinement.overrides))
