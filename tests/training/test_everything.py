"""A run with all features at once still stops at any step and resumes exactly."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.conftest import write_rectangles
from tests.training.test_loop import Watcher

from sceneparse import factory
from sceneparse.config.reading import parse_config
from sceneparse.inference.evaluation import evaluate_dataset
from sceneparse.training.auto import resolve
from sceneparse.training.loop import fit
from sceneparse.training.setup import TrainSetup, set_up_training
from sceneparse.training.state import TrainState

Run = tuple[TrainState, TrainSetup]

# The learning rate soon becomes tiny, so the score stops improving.
RUN = """
data: {{kind: folder, root: {root}}}
model: {network}
transform:
  {{size: 64, progressive_resizing: {{start_size: 32, share: {growth}}},
   mask_stride: 2, crop: 0.5, flip: 0.5,
    brightness: 0.2}}
optimizer: {{kind: adamw, lr: 0.03, encoder_lr_mult: 0.5, layer_decay: 0.7}}
schedule: {{kind: poly, power: 20, warmup: 0.1}}
training:
  {{epochs: {epochs}, batch_size: {batch_size}, accumulation: {parts}, ema: 0.9,
    patience: 2, clip_norm: 1, threads: 2, precision: {precision}, memory_format: channels_last,
    device: cpu, compile: off}}
inference: {{size: 32}}
"""


# Group normalisation has no running statistics; batch normalisation has.
GROUP = "{width: 4, normalization: group}"
BATCH = (
    "{kind: encoder_unet, encoder: test_efficientnet, weights: none, decoder_channels: [8], "
    "dropout: 0.1}"
)


# The first run is long enough for early stopping. Convolutions in fp16 are slow on a CPU, so the
# second run has few images, and only as many epochs as the three stops need; the first stop is at
# the small size.
RUNS = (
    {
        "network": GROUP,
        "precision": "fp32",
        "batch_size": 6,
        "parts": 3,
        "epochs": 16,
        "growth": 0.25,
    },
    {
        "network": BATCH,
        "precision": "fp16",
        "batch_size": 4,
        "parts": 2,
        "epochs": 3,
        "growth": 0.7,
    },
)
STEPS_PER_EPOCH = 4
STOPS = (3, 8, 11)


def set_up(root: Path, settings: Mapping[str, Any]) -> Run:
    text = RUN.format(root=root, **settings)
    config = parse_config(text, "test")
    training, validation = (
        factory.dataset(config.data, name) for name in ("training", "validation")
    )
    torch.manual_seed(config.seed)
    segmenter = config.model.build(training.labels.num_classes)
    runtime = resolve(config, segmenter, training)
    return set_up_training(
        config, runtime, segmenter, training, lambda kept: evaluate_dataset(kept, validation, 1)
    )


def trained(run: Run, path: Path, stop_at: int | None = None) -> Watcher:
    """Train until a step or to the end, from the checkpoint in a file if it exists."""
    state, setup = run
    watcher = Watcher(state, stop_at)
    watcher.path = path
    if path.exists():
        state.load_state_dict(torch.load(path, weights_only=True))
    assert fit(state, setup, watcher) == (stop_at is None)
    return watcher


@pytest.mark.parametrize(
    "settings",
    [RUNS[0], pytest.param(RUNS[1], marks=pytest.mark.slow)],
    ids=("fp32", "fp16"),
)
def test_a_run_with_all_features_resumes_exactly(
    settings: Mapping[str, Any], tmp_path: Path
) -> None:
    root = tmp_path / "rectangles"
    images = STEPS_PER_EPOCH * settings["batch_size"]
    write_rectangles(root, {"training": images, "validation": images // 4})

    def run() -> Run:
        return set_up(root, settings)

    whole = trained(run(), tmp_path / "whole.pt")
    parts = [trained(run(), tmp_path / "part.pt", stop_at) for stop_at in (*STOPS, None)]
    if settings["network"] == GROUP:
        assert whole.state.best_epoch == whole.records[-1].epoch - 2
        assert len(whole.records) < 16
    assert [loss for part in parts for loss in part.losses] == whole.losses
    for mine, theirs in zip(
        [record for part in parts for record in part.records], whole.records, strict=True
    ):
        assert mine.validation is not None
        assert theirs.validation is not None
        assert mine.validation.loss == theirs.validation.loss
        assert mine.train_loss == theirs.train_loss
    states = [torch.load(tmp_path / name, weights_only=True) for name in ("whole.pt", "part.pt")]
    assert_equal(states[0], states[1])


def assert_equal(one: object, other: object) -> None:
    """Compare nested states bit by bit."""
    assert type(one) is type(other)
    if isinstance(one, torch.Tensor):
        assert isinstance(other, torch.Tensor)
        assert torch.equal(one, other)
    elif isinstance(one, dict):
        assert isinstance(other, dict)
        assert one.keys() == other.keys()
        for key in one:
            assert_equal(one[key], other[key])
    elif isinstance(one, list | tuple):
        assert isinstance(other, list | tuple)
        for mine, theirs in zip(one, other, strict=True):
            assert_equal(mine, theirs)
    else:
        assert one == other
