"""Ways from pixels to mask tried on a trained model: what each gains, and what it costs.

No retraining: the network runs once for each look at an image, and every setting is a predictor
around its answers, scored as `evaluate` scores. Nothing but counts is kept from one image to the
next. Settings are chosen on one half of the images and reported on the other, where what was only
luck in choosing does not come again.
"""

import shlex
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from sceneparse import factory
from sceneparse.artifacts.weights import StoredModel
from sceneparse.data.dataset import Sample
from sceneparse.data.loader import prefetch
from sceneparse.errors import InputError
from sceneparse.factory.loading import overridden, predictor_of
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
from sceneparse.recording.events import Callback, ignore, tracked
from sceneparse.system.device import select_device
from sceneparse.system.paths import expand_user
from sceneparse.tasks.evaluate import open_model_and_data
from sceneparse.training.memory import PREDICTION, advice_on_memory


class Setting(NamedTuple):
    """A way from pixels to mask.

    Attributes:
        method: What it is an example of.
        overrides: `inference.field=value`.
    """

    method: str
    overrides: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Write the overrides, without what all of them have in common."""
        return " ".join(text.removeprefix("inference.") for text in self.overrides) or "as it is"


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
    """A setting on images.

    Attributes:
        setting: Which one.
        counts: What each image adds to the scores, int64 `(N, 3, C)`.
        milliseconds: That an image takes on average, from its pixels to its scores.
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


@dataclass(frozen=True)
class TtaReport:
    """What was tried on a model.

    Attributes:
        trials: Every setting, the plain one first.
        best: The best of each method, and of the methods together; first the plain one.
        given: Overrides that all settings have in common.
    """

    trials: tuple[Trial, ...]
    best: tuple[Trial, ...]
    given: tuple[str, ...] = ()

    @property
    def winner(self) -> Trial:
        """The setting that is best on the half on which settings are chosen."""
        return max(self.best, key=lambda trial: trial.chosen_miou)

    def gain(self, trial: Trial) -> ScoreDifferences:
        """Return what a trial gains over the plain setting, on the other half of the images."""
        return bootstrap_differences(self.best[0].reported_on, trial.reported_on)

    def advice(self) -> str:
        """Say what to use."""
        winner = self.winner
        if winner.setting == PLAIN:
            return "nothing that was tried is better: leave it as it is"
        gain = self.gain(winner).miou.gain
        words = shlex.join([*self.given, *winner.setting.overrides])
        if not gain.low > 0:
            return (
                "no gain that these images prove: leave it as it is, or try more images; "
                f"the best was: {words}"
            )
        return f"better: {words}"


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
    """Try test-time augmentation and refinement on a trained model: gain and cost of each.

    Settings are chosen on one half of the images and reported on the other.

    Args:
        model: A run folder or a weights file.
        data: The data root; the one that the model was trained on if not given.
        split: Which part of the data.
        images: Number of images used at most, spread over the data; half of them to choose by.
        overrides: `inference.field=value` for all settings.
        device: `auto`, or a torch device.
        callback: Called with each event.

    Raises:
        InputError: If model or data cannot be read, or there are fewer than two images.
    """
    root = None if data is None else expand_user(data)
    weights, dataset = open_model_and_data(model, root, split, overrides)
    number = min(images, len(dataset))
    if number < 2:
        raise InputError(
            f"{model}: {number} image to try settings on; what is chosen on an image cannot be "
            "judged by it, so at least 2 are needed"
        )
    indices = [place * len(dataset) // number for place in range(number)]
    network = CachedNetwork(predictor_of(weights, select_device(device)).network)

    def run(settings: Sequence[Setting]) -> tuple[Trial, ...]:
        samples = prefetch(dataset.__getitem__, indices, threads=1, ahead=2)
        reported = tracked(samples, callback, "trying settings", number)
        return tried(settings, network, weights, reported)

    with advice_on_memory(PREDICTION):
        trials = run(SETTINGS)
        best = _best_of_each(trials)
        together = _together([trial.setting for trial in best], trials)
        both = run([together]) if together else ()
    return TtaReport((*trials, *both), (*best, *both), tuple(overrides))


def tried(
    settings: Sequence[Setting],
    network: CachedNetwork,
    weights: StoredModel,
    samples: Iterable[Sample],
) -> tuple[Trial, ...]:
    """Score every setting on every image."""
    predictors = [
        factory.predictor_around(
            network, weights.labels, overridden(weights, setting.overrides).config.inference
        )
        for setting in settings
    ]
    counts: list[list[ImageCounts]] = [[] for _ in settings]
    seconds = np.zeros(len(settings))
    for sample in samples:
        for place, predictor in enumerate(predictors):
            start, saved = time.perf_counter(), network.saved_s
            (scored,) = predictor.score([sample.image], [sample.mask])
            seconds[place] += time.perf_counter() - start + network.saved_s - saved
            counts[place].append(image_counts(scored.confusion))
        network.clear()
    return tuple(
        Trial(setting, np.stack(own), 1000 * float(total) / len(own))
        for setting, own, total in zip(settings, counts, seconds, strict=True)
    )


def _best_of_each(trials: Sequence[Trial]) -> list[Trial]:
    methods = dict.fromkeys(trial.setting.method for trial in trials)
    return [
        max(
            (trial for trial in trials if trial.setting.method == method),
            key=lambda trial: trial.chosen_miou,
        )
        for method in methods
    ]


def _together(best: Sequence[Setting], trials: Sequence[Trial]) -> Setting | None:
    """Put the best views and the best refinement together, if each gains something alone."""
    found = {trial.setting: trial.chosen_miou for trial in trials}
    gaining = [setting for setting in best if found[setting] > found[PLAIN]]
    views = [setting for setting in gaining if setting.method == "views"]
    refinements = [setting for setting in gaining if setting.method != "views"]
    if not (views and refinements):
        return None
    refinement = max(refinements, key=found.__getitem__)
    return Setting("together", (*views[0].overrides, *refinement.overrides))
