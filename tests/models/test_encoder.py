"""Encoders with all kinds of strides, and frozen stages."""

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
from sceneparse.models.normalization import synchronise_batch_norms_
from sceneparse.models.segmenter import Segmenter
from sceneparse.optimization.parameter_groups import parameter_groups

# Strides 2..32, 4..32 in NCHW, 4..32 in NHWC, 1..32.
ENCODERS = ("test_resnet", "test_convnext", "swin_tiny_patch4_window7_224", "vgg11")
ALL_OPTIONS: dict[str, Any] = {"block": "separable", "dropout": 0.1}


@pytest.mark.parametrize("name", ENCODERS)
@torch.no_grad()
def test_features_have_the_output_stride_for_images_of_any_size(name: str) -> None:
    encoder = Encoder(name, "none")
    for options in ({}, ALL_OPTIONS):
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
    not_none = [gradient for gradient in gradients if gradient is not None]
    assert all(gradient.isfinite().all() for gradient in not_none)
    # In some models, only the classifier uses the last layer.
    assert len(not_none) > 0.9 * len(gradients)


def test_images_are_normalised_as_the_weights_expect() -> None:
    for name, mean in (("test_resnet", (0.5, 0.5, 0.5)), ("resnet18", (0.485, 0.456, 0.406))):
        text = f"model: {{kind: encoder_unet, encoder: {name}, weights: none}}"
        segmenter = parse_config(text, "test").model.build(5)
        assert (segmenter.mean.flatten() / 255).tolist() == pytest.approx(mean)


@pytest.mark.parametrize("name", ["test_maxvit", "test_coatnet"])
def test_an_encoder_for_images_of_only_one_size_is_refused(name: str) -> None:
    with pytest.raises(
        InputError, match=r"any size: for 64×96 found stages .* expected \[.*such as resnet"
    ):
        Encoder(name, "none")


@pytest.mark.parametrize("name", ["test_resnet", "test_convnext", "tf_efficientnet_lite0"])
@torch.no_grad()
def test_drop_path_skips_blocks_only_in_training(name: str) -> None:
    torch.manual_seed(0)
    encoder = Encoder(name, "none", drop_path=0.5)
    encoder.freeze(0, norm=True)
    for parameter in encoder.parameters():
        if parameter.ndim == 1:
            parameter.uniform_(0.5, 1.5)
    image = torch.randn(1, 3, 64, 64).expand(8, -1, -1, -1)
    deepest = encoder(image)[-1]
    assert any(not torch.allclose(image_stage, deepest[0], rtol=1e-3) for image_stage in deepest)
    deepest = encoder.eval()(image)[-1]
    torch.testing.assert_close(deepest, deepest[:1].expand_as(deepest))


def test_drop_path_is_refused_for_an_encoder_without_stochastic_depth() -> None:
    with pytest.raises(InputError, match=r"drop_path: vgg11 has no stochastic depth; set it to 0"):
        Encoder("vgg11", "none", drop_path=0.1)


@torch.no_grad()
def encoder_with_random_norms(name: str) -> Encoder:
    """Make an encoder whose norms do not start at zero, which would hide whole branches."""
    torch.manual_seed(0)
    encoder = Encoder(name, "none")
    for parameter in encoder.parameters():
        if parameter.ndim == 1:
            parameter.uniform_(0.5, 1.5)
    return encoder


@pytest.mark.parametrize("name", ["test_resnet", "test_convnext", "test_efficientnet"])
@pytest.mark.parametrize("stages", [1, 3])
@torch.no_grad()
def test_exactly_the_parameters_that_the_stages_depend_on_are_frozen(
    name: str, stages: int
) -> None:
    encoder = encoder_with_random_norms(name)
    encoder.freeze(stages)
    encoder.eval()
    image = torch.randn(1, 3, 64, 64)
    before = encoder(image)
    for parameter_name, parameter in encoder.body.named_parameters():
        original = parameter.clone()
        # A different change for each channel: a norm would cancel a common one.
        parameter.add_(torch.randn_like(parameter))
        changed = [
            not torch.equal(stage, expected)
            for stage, expected in zip(encoder(image), before, strict=True)
        ]
        parameter.copy_(original)
        assert any(changed[:stages]) != parameter.requires_grad, parameter_name


def train_steps(encoder: Encoder, steps: int = 3) -> Segmenter:
    """Train a few steps, and switch to evaluation and back before each, as validation does."""
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
def test_frozen_stages_do_not_change_and_have_no_gradient(name: str) -> None:
    encoder = encoder_with_random_norms(name)
    encoder.freeze(2)
    before = copy.deepcopy(encoder.state_dict())
    train_steps(encoder)
    frozen = {name for name, p in encoder.named_parameters() if not p.requires_grad}
    layers = {name.rpartition(".")[0] for name in frozen}
    assert frozen
    for tensor_name, tensor in encoder.state_dict().items():
        changed = not torch.equal(tensor, before[tensor_name])
        assert changed != (tensor_name.rpartition(".")[0] in layers), tensor_name
    for parameter_name, parameter in encoder.named_parameters():
        assert (parameter.grad is None) == (parameter_name in frozen)
    # Autograd records no graph for them.
    stages = encoder.train()(torch.zeros(2, 3, 64, 64))
    assert [stage.requires_grad for stage in stages[:3]] == [False, False, True]


def test_frozen_norms_keep_their_statistics_and_train_their_weights() -> None:
    encoder = encoder_with_random_norms("test_resnet")
    encoder.freeze(0, norm=True)
    before = copy.deepcopy(encoder.state_dict())
    train_steps(encoder)
    for name, tensor in encoder.state_dict().items():
        is_statistic = "running" in name or "num_batches" in name
        assert torch.equal(tensor, before[name]) == is_statistic, name


def test_norms_stay_frozen_when_layers_are_replaced() -> None:
    for device in ("cpu", "cuda"):
        encoder = Encoder("test_efficientnet", "none")
        encoder.freeze(1)
        synchronise_batch_norms_(encoder, torch.device(device))
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


def test_freezing_more_stages_than_there_are_is_refused() -> None:
    with pytest.raises(InputError, match=r"freeze_stages: found 6, expected at most 5"):
        Encoder("test_resnet", "none").freeze(6)
