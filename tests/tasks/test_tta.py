"""`tta` scores settings as `evaluate` does, and runs the network once per view."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from sceneparse.config.reading import read_config
from sceneparse.factory.loading import load, open_model
from sceneparse.inference.cached_network import CachedNetwork
from sceneparse.inference.network import Logits
from sceneparse.tasks.evaluate import evaluate, open_data_of
from sceneparse.tasks.train import train
from sceneparse.tasks.tta import PLAIN, SETTINGS, Setting, Trial, TtaReport, score_settings, tta


@pytest.fixture(scope="module")
def model(rectangles_config: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A model after two epochs of training."""
    config = read_config(rectangles_config, ["training.epochs=2", "report.every=9"])
    return str(train(config, out=tmp_path_factory.mktemp("model") / "run").folder)


class CountingNetwork:
    """A network that counts how often it runs."""

    def __init__(self, model: str) -> None:
        network = load(model, "cpu").network
        self.num_classes = network.num_classes
        self.input_stride, self.output_stride = network.input_stride, network.output_stride
        self.network, self.runs = network, 0

    def logits(self, images: NDArray[np.uint8]) -> Logits:
        self.runs += 1
        return self.network.logits(images)


@pytest.mark.slow
def test_every_setting_scores_as_evaluate_does_with_one_network_run_per_view(
    model: str,
) -> None:
    size = "inference.size=64"  # the input sizes of all three scales differ by at least a stride
    opened = open_model(model, overrides=(size,))
    dataset = open_data_of(opened, None, "validation")
    counting = CountingNetwork(model)
    samples = [dataset[index] for index in range(len(dataset))]
    trials = score_settings(SETTINGS, CachedNetwork(counting), opened, samples)
    # Three scales, each with and without a flip.
    assert counting.runs == 6 * len(samples)
    for trial in (trials[0], trials[3], trials[4], trials[-1]):
        overrides = (size, *trial.setting.overrides)
        report = evaluate(model, overrides=overrides, device="cpu")
        np.testing.assert_array_equal(trial.counts, report.per_image)
    assert all(trial.milliseconds > 0 for trial in trials)


def test_the_settings_cover_all_methods() -> None:
    assert len(set(SETTINGS)) == len(SETTINGS)
    methods = {setting.method for setting in SETTINGS}
    assert methods == {"none", "views", "guided filter", "dense CRF"}


def test_settings_are_chosen_and_reported_on_different_images(model: str) -> None:
    report = tta(model, images=5, device="cpu")
    plain = report.trials[0]
    assert plain.setting == PLAIN
    assert len(plain.chosen_on) == 3
    assert len(plain.reported_on) == 2
    names = [trial.setting.method for trial in report.best]
    assert names[:4] == ["none", "views", "guided filter", "dense CRF"]
    for method in names[:4]:
        trials = [trial for trial in report.trials if trial.setting.method == method]
        best = next(trial for trial in report.best if trial.setting.method == method)
        assert best.chosen_miou == max(trial.chosen_miou for trial in trials)
    # Views and a refinement are combined if both score higher.
    gains = [trial.chosen_miou > plain.chosen_miou for trial in report.best[1:4]]
    assert names[4:] == ["together"] * (gains[0] and any(gains[1:]))


def trial_of(setting: Setting, right: int) -> Trial:
    """A trial on 20 images of two classes, with so many correct pixels of ten per class."""
    counts = np.zeros((20, 3, 2), np.int64)
    counts[:, 0] = right
    counts[:, 1:] = 10
    return Trial(setting, counts, 1.0)


def test_the_advice_needs_a_significant_gain_on_the_other_half() -> None:
    plain, better = trial_of(PLAIN, 5), trial_of(SETTINGS[1], 7)
    advice = TtaReport((plain, better), (plain, better), ("inference.size=64",)).advice()
    assert advice == "use: inference.size=64 inference.flip=true"
    lucky = trial_of(SETTINGS[1], 7)
    lucky.counts[1::2, 0] = 5
    assert (
        "no significant gain on these images" in TtaReport((plain, lucky), (plain, lucky)).advice()
    )
    assert "keep the current settings" in TtaReport((plain,), (plain,)).advice()


def test_few_images_recommend_nothing() -> None:
    plain, better = trial_of(PLAIN, 5), trial_of(SETTINGS[1], 7)
    few = [Trial(trial.setting, trial.counts[:6], 1.0) for trial in (plain, better)]
    assert "too few to recommend" in TtaReport(tuple(few), tuple(few)).advice()
