"""Parameter groups: learning rates and weight decay."""

from pathlib import Path

import pytest
import torch
from tests.models.decoders import encoder_unet
from torch import nn

from sceneparse import factory
from sceneparse.config.reading import read_config
from sceneparse.models.encoder import Encoder, parameters_by_stage
from sceneparse.models.segmenter import Segmenter
from sceneparse.models.unet import UNet
from sceneparse.optimization.parameter_groups import parameter_groups

CONFIGS = sorted((Path(__file__).parents[2] / "configs").rglob("*.yaml"))


@pytest.fixture
def segmenter() -> Segmenter:
    return Segmenter(encoder_unet(Encoder("tf_efficientnet_lite0", "none"), 5, (8,), 4))


@pytest.mark.parametrize("layer_decay", [1.0, 0.75])
@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_every_trainable_parameter_is_in_exactly_one_group(path: Path, layer_decay: float) -> None:
    config = read_config(path, [f"optimizer.layer_decay={layer_decay}"])
    segmenter = config.model.untrained.build(150)
    groups = factory.optimizer(config.optimizer, segmenter).param_groups
    grouped = [id(parameter) for group in groups for parameter in group["params"]]
    trainable = [id(parameter) for parameter in segmenter.parameters() if parameter.requires_grad]
    assert sorted(grouped) == sorted(trainable)


def test_norms_and_biases_are_not_decayed(segmenter: Segmenter) -> None:
    groups = parameter_groups(segmenter, 1e-3, 0.05, 1.0)
    decayed = {id(p) for group in groups if group["weight_decay"] > 0 for p in group["params"]}
    weights = {
        id(module.weight)
        for module in segmenter.modules()
        if isinstance(module, nn.Conv2d | nn.Linear)
    }
    assert decayed == weights


def test_encoder_lr_mult_is_a_factor_on_the_encoder_alone(segmenter: Segmenter) -> None:
    groups = parameter_groups(segmenter, 1e-3, 0.0, 0.25)
    rate = {id(p): group["lr"] for group in groups for p in group["params"]}
    encoder = {id(p) for p in segmenter.network.encoder.parameters()}
    assert all(value == (2.5e-4 if key in encoder else 1e-3) for key, value in rate.items())
    assert torch.optim.Adam(groups).param_groups[0]["base_lr"] in (1e-3, 2.5e-4)


def test_frozen_parameters_are_in_no_group(segmenter: Segmenter) -> None:
    encoder = segmenter.network.encoder
    assert isinstance(encoder, Encoder)
    encoder.freeze(5)
    groups = parameter_groups(segmenter, 1e-3, 0.05, 0.5)
    grouped = {id(parameter) for group in groups for parameter in group["params"]}
    frozen = {id(p) for p in encoder.parameters()}
    assert grouped == {id(p) for p in segmenter.parameters()} - frozen


# Prefixes of the parameters of each stage in timm's models.
STAGES = {
    "resnet18": [("conv1", "bn1"), ("layer1",), ("layer2",), ("layer3",), ("layer4",)],
    "convnext_atto": [("stem", "stages_0"), ("stages_1",), ("stages_2",), ("stages_3",)],
    "tf_efficientnet_lite0": [
        ("conv_stem", "bn1", "blocks.0"),
        ("blocks.1",),
        ("blocks.2",),
        ("blocks.3", "blocks.4"),
        ("blocks.5", "blocks.6"),
    ],
}


@pytest.mark.parametrize("frozen", [0, 2])
@pytest.mark.parametrize("name", STAGES)
def test_layer_decay_lowers_the_learning_rate_from_stage_to_stage(name: str, frozen: int) -> None:
    network = encoder_unet(Encoder(name, "none"), 5, (8,), 4)
    network.encoder.freeze(frozen)
    segmenter = Segmenter(network)
    before = {key: value.clone() for key, value in segmenter.state_dict().items()}
    groups = parameter_groups(segmenter, 1.0, 0.0, 0.5, 0.1, parameters_by_stage(network))
    rate = {id(p): group["base_lr"] for group in groups for p in group["params"]}
    for parameter_name, parameter in network.encoder.body.named_parameters():
        depths = [
            number
            for number, prefixes in enumerate(reversed(STAGES[name]))
            if parameter_name.startswith(prefixes)
        ]
        is_frozen = len(STAGES[name]) - depths[0] <= frozen
        expected = None if is_frozen else pytest.approx(0.5 * 0.1 ** depths[0])
        assert rate.get(id(parameter)) == expected, parameter_name
    assert all(rate[id(parameter)] == 1 for parameter in network.decoder.parameters())
    assert segmenter.training
    for key, value in segmenter.state_dict().items():
        assert torch.equal(value, before[key]), key


def test_the_stages_of_a_plain_unet_are_its_stem_and_its_blocks() -> None:
    network = UNet(5, 8)
    groups = parameter_groups(network, 1.0, 0.0, 1.0, 0.5, parameters_by_stage(network))
    rate = {id(p): group["base_lr"] for group in groups for p in group["params"]}
    assert {rate[id(parameter)] for parameter in network.stem.parameters()} == {0.5**4}
    for index, block in enumerate(network.encoder):
        assert {rate[id(parameter)] for parameter in block.parameters()} == {0.5 ** (3 - index)}
