"""Which parameters share a rate."""

from pathlib import Path

import pytest
import torch
from torch import nn

from sceneparse import build
from sceneparse.config.reading import read_config
from sceneparse.models.encoder import Encoder
from sceneparse.models.encoder_unet import EncoderUNet
from sceneparse.models.segmenter import Segmenter
from sceneparse.optimization.parameters import parameter_groups

CONFIGS = sorted((Path(__file__).parents[2] / "configs").rglob("*.yaml"))


@pytest.fixture
def segmenter() -> Segmenter:
    return Segmenter(EncoderUNet(Encoder("tf_efficientnet_lite0", "none"), 5, (8,), 4))


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_every_parameter_is_in_exactly_one_group(path: Path) -> None:
    config = read_config(path)
    segmenter = build.segmenter(build.untrained(config.model), 150)
    groups = build.optimizer(config.optimizer, segmenter).param_groups
    grouped = [id(parameter) for group in groups for parameter in group["params"]]
    assert sorted(grouped) == sorted(id(parameter) for parameter in segmenter.parameters())


def test_norms_and_biases_are_not_decayed(segmenter: Segmenter) -> None:
    groups = parameter_groups(segmenter, 1e-3, 0.05, 1.0)
    decayed = {id(p) for group in groups if group["weight_decay"] > 0 for p in group["params"]}
    weights = {
        id(module.weight)
        for module in segmenter.modules()
        if isinstance(module, nn.Conv2d | nn.Linear)
    }
    assert decayed == weights


def test_the_encoder_has_its_own_rate(segmenter: Segmenter) -> None:
    groups = parameter_groups(segmenter, 1e-3, 0.0, 0.25)
    rate = {id(p): group["lr"] for group in groups for p in group["params"]}
    encoder = {id(p) for p in segmenter.network.encoder.parameters()}
    assert all(value == (2.5e-4 if key in encoder else 1e-3) for key, value in rate.items())
    assert torch.optim.Adam(groups).param_groups[0]["base_lr"] in (1e-3, 2.5e-4)


def test_what_is_fixed_is_in_no_group(segmenter: Segmenter) -> None:
    encoder = segmenter.network.encoder
    assert isinstance(encoder, Encoder)
    encoder.fix(5)
    groups = parameter_groups(segmenter, 1e-3, 0.05, 0.5)
    grouped = {id(parameter) for group in groups for parameter in group["params"]}
    fixed = {id(p) for p in encoder.parameters()}
    assert grouped == {id(p) for p in segmenter.parameters()} - fixed
