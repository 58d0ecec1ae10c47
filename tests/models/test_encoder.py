"""Encoders of every kind of pyramid, and stages of them that stay as they are."""

import copy
from typing import Any

import pytest
import torch
from tests.models.decoders import encoder_unet
from torch import nn

from sceneparse.config.reading import parse_config
from sceneparse.errors import InputError
from sceneparse.losses.cross_entropy import CrossEntropy
from sceneparse.losses.settings import CrossEntropyLoss
from sceneparse.models.encoder import Encoder
from sceneparse.models.normalization import synchronise_
from sceneparse.models.segmenter import Segmenter
from sceneparse.optimization.parameters import parameter_groups

# Strides 2..32, 4..32 in NCHW and in NHWC, 1..32.
PYRAMIDS = ("test_resnet", "test_convnext", "swin_tiny_patch4_window7_224", "vgg11")
EVERYTHING: dict[str, Any] = {"block": "separable", "dropout": 0.1}


@pytest.mark.parametrize("name", PYRAMIDS)
@torch.no_grad()
def test_any_size_gives_features_of_the_size_that_is_promised(name: str) -> None:
    encoder = Encoder(name, "none")
    for options in ({}, EVERYTHING):
        segmenter = Segmenter(encoder_unet(encoder, 3, (16, 8), 4, **options)).eval()
        for height, width in ((1, 1), (33, 65), (70, 31)):
            features = segmenter.features(torch.zeros(1, 3, height, width, dtype=torch.uint8))
            rows, columns = (-(-side // 32) * 8 for side in (height, width))
            assert features.shape == (1, 8, rows, columns)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        "resnet50",
        "convnext_tiny",
        "tf_efficientnet_lite0",
        "swin_tiny_patch4_window7_224",
        "swinv2_tiny_window8_256",
        "vgg16_bn",
        "efficientnet_b0",
        "mobilenetv3_large_100",
        "regnety_016",
        "hrnet_w18",
        "densenet121",
        "pvt_v2_b0",
    ],
)
def test_well_known_encoders_train_at_any_size(name: str) -> None:
    text = f"model: {{kind: encoder_unet, encoder: {name}, weights: none, output_stride: 2}}"
    segmenter = parse_config(text, "test").model.build(5)
    image = torch.randint(0, 256, (2, 3, 70, 95), dtype=torch.uint8)
    mask = torch.randint(0, 5, (2, 70, 95), dtype=torch.uint8)
    segmenter(image, mask, CrossEntropy(CrossEntropyLoss(), 255)).total.backward()
    gradients = [parameter.grad for parameter in segmenter.parameters()]
    reached = [gradient for gradient in gradients if gradient is not None]
    assert all(gradient.isfinite().all() for gradient in reached)
    # Some have a layer that only their classifier uses.
    assert len(reached) > 0.9 * len(gradients)


def test_normalisation_is_that_of_the_weights() -> None:
    for name, mean in (("test_resnet", (0.5, 0.5, 0.5)), ("resnet18", (0.485, 0.456, 0.406))):
        text = f"model: {{kind: encoder_unet, encoder: {name}, weights: none}}"
        segmenter = parse_config(text, "test").model.build(5)
        assert (segmenter.mean.flatten() / 255).tolist() == pytest.approx(mean)


@pytest.mark.parametrize("name", ["test_maxvit", "test_coatnet"])
def test_an_encoder_for_one_size_alone_is_refused(name: str) -> None:
    with pytest.raises(InputError, match=r"any size: for 64×96 expected stages \[.*such as resnet"):
        Encoder(name, "none")


@pytest.mark.parametrize("name", ["test_resnet", "test_convnext", "tf_efficientnet_lite0"])
@torch.no_grad()
def test_blocks_are_left_out_in_training_alone(name: str) -> None:
    torch.manual_seed(0)
    encoder = Encoder(name, "none", drop_path=0.5)
    encoder.freeze(0, norm=True)
    for parameter in encoder.parameters():
        if parameter.ndim == 1:
            parameter.uniform_(0.5, 1.5)
    image = torch.randn(1, 3, 64, 64).expand(8, -1, -1, -1)
    deepest = encoder(image)[-1]
    assert any(not torch.allclose(one, deepest[0], rtol=1e-3) for one in deepest)
    deepest = encoder.eval()(image)[-1]
    torch.testing.assert_close(deepest, deepest[:1].expand_as(deepest))


def test_an_encoder_without_residual_blocks_has_none_to_leave_out() -> None:
    with pytest.raises(InputError, match=r"drop_path: vgg11 has no stochastic depth; set it to 0"):
        Encoder("vgg11", "none", drop_path=0.1)


@torch.no_grad()
def lively(name: str) -> Encoder:
    """Make an encoder without the norms of zeros that silence whole branches at first."""
    torch.manual_seed(0)
    encoder = Encoder(name, "none")
    for parameter in encoder.parameters():
        if parameter.ndim == 1:
            parameter.uniform_(0.5, 1.5)
    return encoder


@pytest.mark.parametrize("name", ["test_resnet", "test_convnext", "test_efficientnet"])
@pytest.mark.parametrize("stages", [1, 3])
@torch.no_grad()
def test_what_is_fixed_is_exactly_what_the_stages_depend_on(name: str, stages: int) -> None:
    encoder = lively(name)
    encoder.freeze(stages)
    encoder.eval()
    image = torch.randn(1, 3, 64, 64)
    before = encoder(image)
    for parameter_name, parameter in encoder.body.named_parameters():
        kept = parameter.clone()
        # Not the same for all channels: a norm may take that off again.
        parameter.add_(torch.randn_like(parameter))
        moved = [
            not torch.equal(mine, theirs)
            for mine, theirs in zip(encoder(image), before, strict=True)
        ]
        parameter.copy_(kept)
        assert any(moved[:stages]) != parameter.requires_grad, parameter_name


def in_training(encoder: Encoder, steps: int = 3) -> Segmenter:
    """Train a few steps, with a switch to evaluation in between as a validation makes it."""
    segmenter = Segmenter(encoder_unet(encoder, 4, (16, 8), 4))
    optimizer = torch.optim.SGD(parameter_groups(segmenter, 0.01, 0.01, 1.0), momentum=0.9)
    for _ in range(steps):
        segmenter.eval()
        segmenter.train()
        image = torch.randint(0, 256, (2, 3, 64, 64), dtype=torch.uint8)
        mask = torch.randint(0, 4, (2, 64, 64), dtype=torch.uint8)
        (
            segmenter(image, mask, CrossEntropy(CrossEntropyLoss(), 255)).total / mask.numel()
        ).backward()
        optimizer.step()
    return segmenter


@pytest.mark.parametrize("name", ["test_resnet", "test_efficientnet", "vgg11"])
def test_fixed_stages_do_not_change_and_have_no_gradient(name: str) -> None:
    encoder = lively(name)
    encoder.freeze(2)
    before = copy.deepcopy(encoder.state_dict())
    in_training(encoder)
    fixed = {name for name, p in encoder.named_parameters() if not p.requires_grad}
    layers = {name.rpartition(".")[0] for name in fixed}
    assert fixed
    for tensor_name, tensor in encoder.state_dict().items():
        changed = not torch.equal(tensor, before[tensor_name])
        assert changed != (tensor_name.rpartition(".")[0] in layers), tensor_name
    for parameter_name, parameter in encoder.named_parameters():
        assert (parameter.grad is None) == (parameter_name in fixed)
    # No graph is built for them either.
    stages = encoder.train()(torch.zeros(2, 3, 64, 64))
    assert [stage.requires_grad for stage in stages[:3]] == [False, False, True]


def test_fixed_norms_keep_their_statistics_and_learn_their_weights() -> None:
    encoder = lively("test_resnet")
    encoder.freeze(0, norm=True)
    before = copy.deepcopy(encoder.state_dict())
    in_training(encoder)
    for name, tensor in encoder.state_dict().items():
        is_statistic = "running" in name or "num_batches" in name
        assert torch.equal(tensor, before[name]) == is_statistic, name


def test_fixed_norms_stay_fixed_when_other_layers_take_their_place() -> None:
    for device in ("cpu", "cuda"):
        encoder = Encoder("test_efficientnet", "none")
        encoder.freeze(1)
        synchronise_(encoder, torch.device(device))
        encoder.train()
        norms = [
            layer
            for layer in copy.deepcopy(encoder).train().modules()
            if isinstance(layer, nn.BatchNorm2d | nn.SyncBatchNorm)
        ]
        trained = [layer.training for layer in norms]
        assert trained == [bool(layer.weight.requires_grad) for layer in norms]
        assert set(trained) == {True, False}
        assert not any(module.training for module in encoder.eval().modules())


def test_more_stages_than_there_are_cannot_be_fixed() -> None:
    with pytest.raises(InputError, match=r"freeze_stages: 6, but the encoder has 5 stages"):
        Encoder("test_resnet", "none").freeze(6)
