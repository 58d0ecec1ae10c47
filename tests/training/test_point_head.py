"""A run with a point head: its edges are as good as without, and it goes where the weights go."""

from io import StringIO
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from tests.conftest import rectangles

from sceneparse import build
from sceneparse.checkpoint import read_weights
from sceneparse.config.reading import read_config
from sceneparse.loading import find_weights, load
from sceneparse.losses.boundary import at_boundary
from sceneparse.models.point_head import POINT_HEAD
from sceneparse.models.transfer import transfer
from sceneparse.runs.train import train
from sceneparse.runs.tune import POINT_SETTINGS, settings_for
from sceneparse.runs.weights import write_alone

QUIET = Console(file=StringIO())
MODEL = (
    "model={kind: encoder_unet, encoder: test_efficientnet, weights: none, decoder_channels: [32], "
    "output_stride: 4, normalization: group, point_head: {width: 32, points: 256}}"
)
POINTS = "inference.refine={kind: point_head, points: 600, steps: 2}"


def errors_at_edges(model: Path, overrides: list[str]) -> int:
    """Count wrong pixels beside an edge in pictures that training has not seen."""
    predictor, wrong = load(model, "cpu", overrides), 0
    for index in range(500, 512):
        image, ids = rectangles(index, (64, 64))
        truth = torch.from_numpy(ids)[None]
        edge = at_boundary(truth, torch.ones_like(truth, dtype=torch.bool))[0].numpy()
        wrong += int(np.count_nonzero((predictor(image).mask != ids) & edge))
    return wrong


def test_a_trained_point_head_is_no_worse_at_edges(rectangles_config: Path, tmp_path: Path) -> None:
    sizes = ["transform.size=64", "inference.size=64", "report.every=99"]
    training = ["training.epochs=16", "training.validate_every=16"]
    config = read_config(rectangles_config, [MODEL, *sizes, *training])
    run = train(config, tmp_path / "run", QUIET).folder
    plain, refined = errors_at_edges(run.path, []), errors_at_edges(run.path, [POINTS])
    assert plain < 1800  # of 5392: there is something to keep
    assert refined != plain
    assert refined <= 1.01 * plain
    assert settings_for(config.model)[-len(POINT_SETTINGS) :] == POINT_SETTINGS
    # It is part of what predictions need.
    alone = tmp_path / "alone.safetensors"
    write_alone(str(run.path), alone, half=False, most_bytes=None, overwrite=False)
    there, given = read_weights(run.weights).tensors, read_weights(alone).tensors
    assert {name for name in there if name.startswith(POINT_HEAD)} <= given.keys()
    image, _ = rectangles(7, (64, 64))
    masks = [load(model, "cpu", [POINTS])(image).mask for model in (run.path, alone)]
    np.testing.assert_array_equal(masks[0], masks[1])
    # A new run for the same classes takes it over, one for others cannot.
    weights = find_weights(run.path)
    names = weights.labels.class_names
    for given_names, taken in ((names, True), (names[::-1], False)):
        segmenter = build.segmenter(build.untrained(config.model), len(names))
        found = transfer(segmenter, weights.tensors, names, given_names)
        assert any(name.startswith(POINT_HEAD) for name in found.taken) == taken
        assert any(name.startswith(POINT_HEAD) for name in found.new) != taken
