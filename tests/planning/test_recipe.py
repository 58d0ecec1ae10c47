"""A plan chooses sensible settings and writes each of them with its reason."""

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
from sceneparse.planning.commented_yaml import commented_yaml
from sceneparse.planning.estimate import Machine
from sceneparse.planning.facts import DataFacts
from sceneparse.planning.length import MIN_SIZE, Choice, choose_length, choose_size
from sceneparse.planning.reasons import reasons_for
from sceneparse.planning.recipe import (
    choose_batch,
    choose_ema,
    inference_size,
    planned_config,
    with_length,
)
from sceneparse.planning.starting_point import StartingPoint
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
SEGMENTATION = StartingPoint(START.model, "knows what an image is", trained_size=224)
FROZEN = StartingPoint(replace(START.model, freeze_stages=5, freeze_norm=True), "known")
FINER = {"output_stride": 4, "decoder_channels": (64, 32, 16), "head_levels": 2}
FINER_START = StartingPoint(
    replace(FROZEN.model, **FINER), "known", trained_size=128, is_finer=True
)
PLANS = {
    "usual": planned(),
    "frozen encoder": planned(start=FROZEN),
    "from a segmentation model, encoder frozen": planned(start=FINER_START),
    "short": planned(seconds=600),
    "from scratch": planned(start=SCRATCH),
    "from a segmentation model": planned(start=SEGMENTATION),
    "from a segmentation model, short": planned(start=SEGMENTATION, seconds=600),
    "imbalanced": planned(data(imbalance=200.0)),
    "long images": planned(data(width=2000)),
    "left and right": planned(data(class_names=("left eye", "right eye"))),
    "few images": planned(data(training=30, validation=5)),
    "little memory": planned(computes=machine(memory_bytes=2e8, asked_bytes=1.5e9)),
}


@pytest.mark.parametrize("plan", PLANS.values(), ids=PLANS)
def test_the_file_is_read_back_as_the_same_config(plan: Plan) -> None:
    text = commented_yaml(plan.config, plan.reasons, "a header\nof two lines")
    assert parse_config(text, "plan.yaml") == plan.config
    assert parse_yaml(text, "plan.yaml") == config_document(plan.config)
    assert text.startswith("# a header\n# of two lines\n")
    joined = " ".join(text.replace("#", " ").split())
    assert all(" ".join(reason.split()) in joined for reason in plan.reasons.values())


@pytest.mark.parametrize("plan", PLANS.values(), ids=PLANS)
def test_every_field_that_differs_from_its_default_has_a_reason(plan: Plan) -> None:
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
    """Return a default in the form of JSON."""
    if isinstance(value, tuple):
        return list(value)
    return {"kind": "none"} if isinstance(value, NoRefinement) else value


def test_a_value_with_yaml_syntax_round_trips() -> None:
    root = Path("a: #b, [c] ‘é’ 'off'")
    config = RunConfig(data=FolderData(root=root))
    assert parse_config(commented_yaml(config, {}, ""), "plan.yaml") == config


def test_a_reason_for_an_unknown_field_is_refused() -> None:
    with pytest.raises(ValueError, match=r"model\.size"):
        commented_yaml(RunConfig(), {"model.size": "why"}, "")


def test_a_plan_leaves_no_auto_settings() -> None:
    training = asdict(planned().config.training)
    assert "auto" not in training.values()


def test_the_learning_rate_follows_the_initial_weights() -> None:
    trained, scratch = PLANS["usual"].config, PLANS["from scratch"].config
    assert trained.optimizer.lr == pytest.approx(0.003)
    assert trained.optimizer.encoder_lr_mult == pytest.approx(0.33)
    assert scratch.optimizer.lr == pytest.approx(0.001)
    assert scratch.optimizer.encoder_lr_mult == 1
    further = PLANS["from a segmentation model"].config.optimizer
    assert further.lr == pytest.approx(0.001)
    assert further.encoder_lr_mult == pytest.approx(0.33)
    for name in ("frozen encoder", "from a segmentation model, encoder frozen"):
        frozen = PLANS[name].config.optimizer
        assert (frozen.lr, frozen.encoder_lr_mult) == (pytest.approx(0.006), 1)


def test_a_segmentation_model_never_trains_below_its_training_size() -> None:
    short = PLANS["from a segmentation model, short"].config.transform
    assert PLANS["short"].config.transform.size < 224 <= short.size
    assert short.progressive_resizing is None
    for seconds in (2000, 7200, 40_000):
        transform = planned(start=SEGMENTATION, seconds=seconds).config.transform
        assert transform.start_size >= 224
    small = planned(data(height=100, width=100), start=SEGMENTATION).config.transform
    assert (small.size, small.progressive_resizing) == (128, None)


def test_classes_are_weighted_if_they_are_imbalanced() -> None:
    loss = PLANS["imbalanced"].config.loss
    rule = MedianFrequency(power=0.35, min=0.35, max=3.0)
    assert getattr(loss, "class_weights", None) == rule
    assert getattr(PLANS["usual"].config.loss, "class_weights", "") is None


def test_augmentation_follows_the_images() -> None:
    assert PLANS["left and right"].config.transform.flip == 0
    assert PLANS["usual"].config.transform.flip == 0.5
    assert PLANS["few images"].config.transform.rotation > 0
    assert PLANS["usual"].config.transform.rotation == 0
    wide = PLANS["long images"].config
    assert wide.inference.resize == "keep_ratio"
    assert wide.transform.scale is not None


def test_gradient_accumulation_saves_memory() -> None:
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
def test_the_batch_is_smaller_if_there_would_be_few_steps(
    count: int, epochs: int, batch: int
) -> None:
    assert choose_batch(count, epochs) == batch


def test_the_ema_spans_a_tenth_of_the_steps() -> None:
    assert choose_ema(50) is None
    assert choose_ema(500) == pytest.approx(0.98)
    assert choose_ema(10**6) == pytest.approx(0.998)


def test_the_inference_size_does_not_exceed_the_images() -> None:
    assert inference_size(224, 1000) == 256
    assert inference_size(224, 230) == 256
    assert inference_size(224, 224) == 224
    assert inference_size(64, 48) == 64


def test_the_reason_explains_the_lack_of_progressive_resizing() -> None:
    choice = choose_size(data(height=128), images(), COSTS, BATCH, 3600, 1e12)
    plan = finished(data(height=128), machine(), START, choice, 3600)
    assert plan.config.transform.progressive_resizing is None
    assert "too few epochs" in plan.reasons["transform.progressive_resizing"]


def test_an_added_decoder_level_is_explained_only_if_there_is_one() -> None:
    as_it_was = planned(start=FINER_START._replace(is_finer=False))
    for field in ("output_stride", "decoder_channels", "head_levels"):
        assert as_it_was.reasons[f"model.{field}"] == "as these weights require"
    assert "level more" in planned(start=FINER_START).reasons["model.decoder_channels"]


def test_a_new_decoder_is_explained() -> None:
    named = replace(START.model, encoder="tf_efficientnet_lite0")
    reasons = planned(start=START._replace(model=named)).reasons
    assert "wide up to the head" in reasons["model.decoder_channels"]
    assert reasons["model.encoder"] == "as these weights require"
