"""Every choice of a plan is for a reason, and stands in a file that says it."""

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from sceneparse.config import RunConfig
from sceneparse.config.reading import config_document, parse_config
from sceneparse.data.datasets.folder import FolderData
from sceneparse.inference.settings import NoRefinement
from sceneparse.losses.settings import MedianFrequency
from sceneparse.models.settings import UNetModel
from sceneparse.planning.facts import DataFacts
from sceneparse.planning.length import MIN_SIZE, Choice, choose_length, choose_size
from sceneparse.planning.machine import Machine
from sceneparse.planning.reasons import reasons_for
from sceneparse.planning.recipe import (
    choose_batch,
    choose_ema,
    inference_size,
    planned_config,
    with_length,
)
from sceneparse.planning.starting_point import StartingPoint
from sceneparse.planning.writing import commented_yaml
from sceneparse.system.yaml_text import parse_yaml
from tests.planning.facts import BATCH, COSTS, START, data, images, machine


class Plan(NamedTuple):
    """A config and its reasons."""

    config: RunConfig
    reasons: dict[str, str]


def planned(
    facts: DataFacts | None = None,
    computes: Machine | None = None,
    start: StartingPoint = START,
    seconds: float = 7200,
) -> Plan:
    facts, computes = facts or data(), computes or machine()
    min_size = start.trained_size or MIN_SIZE
    choice = choose_size(facts, images(), COSTS, BATCH, seconds, computes.memory_bytes, min_size)
    return finished(facts, computes, start, choice, seconds)


def finished(
    facts: DataFacts, computes: Machine, start: StartingPoint, choice: Choice, seconds: float
) -> Plan:
    config = planned_config(facts, computes, start, choice)
    min_size = start.trained_size or MIN_SIZE
    length, _ = choose_length(choice, COSTS, images(), seconds, min_size)
    steps = length.epochs * COSTS.steps_per_epoch
    config = with_length(config, length, steps)
    return Plan(config, reasons_for(config, facts, computes, start, length, steps))


SCRATCH = StartingPoint(UNetModel(width=16), "nothing is installed")
SEGMENTS = StartingPoint(START.model, "knows what an image is", trained_size=224)
FIXED = StartingPoint(replace(START.model, freeze_stages=5, freeze_norm=True), "known")
FINER = {"output_stride": 4, "decoder_channels": (64, 32, 16), "head_levels": 2}
FURTHER = StartingPoint(replace(FIXED.model, **FINER), "known", trained_size=128, is_finer=True)
PLANS = {
    "usual": planned(),
    "fixed encoder": planned(start=FIXED),
    "from one that segments, its encoder fixed": planned(start=FURTHER),
    "short": planned(seconds=600),
    "from scratch": planned(start=SCRATCH),
    "from a network that segments": planned(start=SEGMENTS),
    "from such a one, short": planned(start=SEGMENTS, seconds=600),
    "imbalanced": planned(data(imbalance=200.0)),
    "long images": planned(data(width=2000)),
    "left and right": planned(data(class_names=("left eye", "right eye"))),
    "few images": planned(data(training=30, validation=5)),
    "little memory": planned(computes=machine(memory_bytes=2e8, asked_bytes=1.5e9)),
}


@pytest.mark.parametrize("plan", PLANS.values(), ids=PLANS)
def test_the_file_is_read_back_as_the_very_same_config(plan: Plan) -> None:
    text = commented_yaml(plan.config, plan.reasons, "a header\nof two lines")
    assert parse_config(text, "plan.yaml") == plan.config
    assert parse_yaml(text, "plan.yaml") == config_document(plan.config)
    assert text.startswith("# a header\n# of two lines\n")
    joined = " ".join(text.replace("#", " ").split())
    assert all(" ".join(reason.split()) in joined for reason in plan.reasons.values())


@pytest.mark.parametrize("plan", PLANS.values(), ids=PLANS)
def test_all_that_is_not_as_by_default_has_a_reason(plan: Plan) -> None:
    default = config_document(RunConfig(data=FolderData(root=Path("x"))))
    for section, fields in config_document(plan.config).items():
        if not isinstance(fields, dict):
            assert fields == default[section]
            continue
        for key, value in fields.items():
            usual = getattr(type(getattr(plan.config, section)), key, None)
            is_usual = key == "kind" or value == plain(usual)
            assert is_usual or f"{section}.{key}" in plan.reasons, (section, key)


def plain(value: Any) -> Any:
    """Return a default as JSON has it."""
    if isinstance(value, tuple):
        return list(value)
    return {"kind": "none"} if isinstance(value, NoRefinement) else value


def test_a_value_with_signs_of_yaml_comes_back() -> None:
    root = Path("a: #b, [c] ‘é’ 'off'")
    config = RunConfig(data=FolderData(root=root))
    assert parse_config(commented_yaml(config, {}, ""), "plan.yaml") == config


def test_a_reason_for_what_is_no_field_is_refused() -> None:
    with pytest.raises(ValueError, match=r"model\.size"):
        commented_yaml(RunConfig(), {"model.size": "why"}, "")


def test_nothing_is_left_to_be_measured_again() -> None:
    training = asdict(planned().config.training)
    assert "auto" not in training.values()


def test_weights_at_hand_decide_the_learning_rate() -> None:
    trained, scratch = PLANS["usual"].config, PLANS["from scratch"].config
    assert trained.optimizer.lr == pytest.approx(0.003)
    assert trained.optimizer.encoder_lr_mult == pytest.approx(0.33)
    assert scratch.optimizer.lr == pytest.approx(0.001)
    assert scratch.optimizer.encoder_lr_mult == 1
    further = PLANS["from a network that segments"].config.optimizer
    assert further.lr == pytest.approx(0.001)
    assert further.encoder_lr_mult == pytest.approx(0.33)
    for name in ("fixed encoder", "from one that segments, its encoder fixed"):
        fixed = PLANS[name].config.optimizer
        assert (fixed.lr, fixed.encoder_lr_mult) == (pytest.approx(0.006), 1)


def test_a_network_that_segments_sees_nothing_smaller_than_it_has_learned() -> None:
    short = PLANS["from such a one, short"].config.transform
    assert PLANS["short"].config.transform.size < 224 <= short.size
    assert short.progressive_resizing is None
    for seconds in (2000, 7200, 40_000):
        transform = planned(start=SEGMENTS, seconds=seconds).config.transform
        assert transform.start_size >= 224
    small = planned(data(height=100, width=100), start=SEGMENTS).config.transform
    assert (small.size, small.progressive_resizing) == (128, None)


def test_classes_are_weighted_where_they_differ_much() -> None:
    loss = PLANS["imbalanced"].config.loss
    rule = MedianFrequency(power=0.35, min=0.35, max=3.0)
    assert getattr(loss, "class_weights", None) == rule
    assert getattr(PLANS["usual"].config.loss, "class_weights", "") is None


def test_images_are_changed_by_what_they_are() -> None:
    assert PLANS["left and right"].config.transform.flip == 0
    assert PLANS["usual"].config.transform.flip == 0.5
    assert PLANS["few images"].config.transform.rotation > 0
    assert PLANS["usual"].config.transform.rotation == 0
    wide = PLANS["long images"].config
    assert wide.inference.resize == "keep_ratio"
    assert wide.transform.scale is not None


def test_memory_is_spared_by_parts_of_a_batch() -> None:
    little, usual = PLANS["little memory"].config, PLANS["usual"].config
    assert little.training.batch_size == usual.training.batch_size == 16
    parts, size = little.training.accumulation, little.transform.size
    assert isinstance(parts, int)
    assert parts > 1
    assert -(-16 // parts) * images().at(size).memory_bytes <= 2e8
    assert little.inference.memory_budget_mb < usual.inference.memory_budget_mb


@pytest.mark.parametrize(
    ("count", "epochs", "batch"),
    [(20_000, 4, 16), (800, 20, 16), (200, 18, 8), (40, 500, 8), (24, 500, 4), (3, 500, 2)],
)
def test_the_batch_is_smaller_where_steps_would_be_few(count: int, epochs: int, batch: int) -> None:
    assert choose_batch(count, epochs) == batch


def test_an_average_forgets_within_a_tenth_of_the_steps() -> None:
    assert choose_ema(50) is None
    assert choose_ema(500) == pytest.approx(0.98)
    assert choose_ema(10**6) == pytest.approx(0.998)


def test_predictions_are_no_larger_than_images() -> None:
    assert inference_size(224, 1000) == 256
    assert inference_size(224, 230) == 256
    assert inference_size(224, 224) == 224
    assert inference_size(64, 48) == 64


def test_the_reason_says_why_there_is_no_progressive_resizing() -> None:
    choice = choose_size(data(height=128), images(), COSTS, BATCH, 3600, 1e12)
    plan = finished(data(height=128), machine(), START, choice, 3600)
    assert plan.config.transform.progressive_resizing is None
    assert "too few epochs" in plan.reasons["transform.progressive_resizing"]


def test_a_level_more_is_told_only_where_there_is_one() -> None:
    as_it_was = planned(start=FURTHER._replace(is_finer=False))
    for field in ("output_stride", "decoder_channels", "head_levels"):
        assert as_it_was.reasons[f"model.{field}"] == "as these weights require"
    assert "level more" in planned(start=FURTHER).reasons["model.decoder_channels"]


def test_a_decoder_that_no_weights_have_is_explained() -> None:
    named = replace(START.model, encoder="tf_efficientnet_lite0")
    told = planned(start=START._replace(model=named)).reasons
    assert "wide up to the head" in told["model.decoder_channels"]
    assert told["model.encoder"] == "as these weights require"
