"""A run computes class weights from its masks, stores them and does not count again."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.training.test_fit import run

from sceneparse import factory
from sceneparse.config import RunConfig
from sceneparse.config.reading import parse_config, read_config
from sceneparse.config.resuming import config_differences
from sceneparse.data import class_statistics
from sceneparse.errors import InputError
from sceneparse.losses.settings import CrossEntropyLoss, PixelLossSettings, SumLoss
from sceneparse.tasks.evaluate import evaluate

RULE = "loss.class_weights={kind: median_frequency, power: 0.5, min: 0.6, max: 1.2}"
SHORT = ("training.epochs=1", "report.every=9", "report.images=1")


def slow_class_weights(root: Path) -> list[float]:
    """Count the four classes of the rectangles, and compute their weights as RULE does."""
    masks = [np.array(Image.open(path)) for path in (root / "masks" / "training").glob("*.png")]
    frequencies: list[float] = []
    for label in range(4):
        with_it = [mask for mask in masks if (mask == label).any()]
        pixels = sum(int((mask == label).sum()) for mask in with_it)
        frequencies.append(pixels / sum(mask.size for mask in with_it))
    middle = float(np.median(frequencies))
    return [min(max((middle / each) ** 0.5, 0.6), 1.2) for each in frequencies]


def values_of(config: RunConfig) -> tuple[float, ...] | str:
    assert isinstance(config.loss, CrossEntropyLoss)
    weights = config.loss.class_weights
    assert weights is not None
    return weights if isinstance(weights, tuple) else weights.values


def test_a_run_stores_its_class_weights_and_does_not_count_again(
    rectangles_config: Path,
    rectangles_root: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    config = read_config(rectangles_config, [*SHORT, RULE])
    trained = run(config, tmp_path / "run")
    stored = read_config(tmp_path / "run" / "config.yaml")
    assert values_of(stored) == pytest.approx(slow_class_weights(rectangles_root))
    # From here on, counting again fails.
    monkeypatch.setattr(class_statistics, "count_mask_pixels", None)
    monkeypatch.setenv("SCENEPARSE_CACHE", str(tmp_path / "empty"))
    assert run(config, tmp_path / "run", resume=True).is_finished
    report = evaluate(tmp_path / "run", device="cpu")
    assert report.scores.miou == trained.best_miou
    other = read_config(rectangles_config, [*SHORT, RULE.replace("0.5", "0.4")])
    with pytest.raises(InputError, match=r"loss\.class_weights\.power: 0\.4 instead of 0\.5"):
        run(other, tmp_path / "run", resume=True)


def test_every_rule_in_a_sum_becomes_numbers_and_other_fields_stay(rectangles_root: Path) -> None:
    text = f"""
data: {{kind: folder, root: {rectangles_root}}}
loss:
  kind: sum
  terms:
    - {{kind: focal, class_weights: {{kind: median_share}}}}
    - {{kind: cross_entropy, class_weights: {{kind: median_frequency}}}}
    - {{kind: focal, class_weights: [1, 2, 3, 4], weight: 0.5}}
    - {{kind: dice}}
"""
    config = parse_config(text, "test")
    training = factory.dataset(config.data, "training")
    resolved = factory.with_class_weights(config, factory.class_statistics(config, training))
    assert isinstance(config.loss, SumLoss)
    assert isinstance(resolved.loss, SumLoss)
    assert resolved.loss.terms[2:] == config.loss.terms[2:]
    for term in resolved.loss.terms[:2]:
        assert isinstance(term, PixelLossSettings)
        values = getattr(term.class_weights, "values", ())
        assert len(values) == 4
        assert all(np.isfinite(values))
    assert config_differences(config, resolved) == []
    assert "loss.terms.3.kind: dice instead of lovasz" in config_differences(
        config, parse_config(text.replace("{kind: dice}", "{kind: lovasz}"), "test")
    )
    assert factory.class_statistics(resolved, training) is None
    assert factory.with_class_weights(resolved, None) == resolved
    assert resolved.loss.build(training.labels)
    with pytest.raises(InputError, match=r"loss\.terms\.0\.class_weights\.values: found auto"):
        config.loss.build(training.labels)


def test_class_weights_of_generated_scenes_are_computed() -> None:
    text = """
data: {kind: synthetic, training_images: 3, height: 32, width: 32}
loss: {class_weights: {kind: median_frequency, power: 0.35, min: 0.35, max: 3.0}}
"""
    config = parse_config(text, "test")
    training = factory.dataset(config.data, "training")
    values = values_of(
        factory.with_class_weights(config, factory.class_statistics(config, training))
    )
    assert len(values) == 150
    assert all(isinstance(value, float) and 0.35 <= value <= 3 for value in values)
