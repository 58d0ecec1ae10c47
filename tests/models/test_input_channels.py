"""Networks for images of other channels than RGB, and the weights that they start from."""

from dataclasses import replace

import pytest
import torch
from timm.models import adapt_input_conv
from torch import nn

from sceneparse.factory.torch_loading import find_weights, segmenter_to_train
from sceneparse.labels import ade20k_labels
from sceneparse.models.input_channels import statistics_of_channels, weight_for_channels
from sceneparse.models.segmenter import Segmenter
from sceneparse.models.settings import EncoderUNetModel, ModelSettings, UNetModel
from sceneparse.models.structure import mermaid_diagram, summarize_layers
from sceneparse.models.transfer import transfer_weights

LITE = EncoderUNetModel(encoder="tf_efficientnet_lite0", decoder_channels=(16, 8))
MODELS = [UNetModel(width=4), LITE.untrained]
NAMES = ("a", "b")


def first_conv(segmenter: Segmenter) -> nn.Conv2d:
    return next(layer for layer in segmenter.modules() if isinstance(layer, nn.Conv2d))


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 5, 7, 12])
def test_weights_are_adapted_as_timm_does(channels: int) -> None:
    weight = torch.randn(8, 3, 5, 5)
    torch.testing.assert_close(
        weight_for_channels(weight, channels), adapt_input_conv(channels, weight)
    )


@pytest.mark.parametrize("given", [1, 2, 4, 12])
@pytest.mark.parametrize("channels", [1, 2, 3, 4, 12])
def test_equal_channels_give_the_same_output(given: int, channels: int) -> None:
    weight = torch.randn(4, 1, 3, 3).expand(4, given, 3, 3) / given
    adapted = weight_for_channels(weight, channels)
    assert adapted.shape == (4, channels, 3, 3)
    torch.testing.assert_close(adapted.sum(dim=1), weight.sum(dim=1))


def test_statistics_are_those_of_rgb_or_their_average() -> None:
    assert statistics_of_channels((1.0, 2.0, 6.0), 3) == (1.0, 2.0, 6.0)
    assert statistics_of_channels((1.0, 2.0, 6.0), 4) == (3.0,) * 4
    assert statistics_of_channels((1.0, 2.0, 6.0), 1) == (3.0,)


@pytest.mark.parametrize("model", MODELS, ids=str)
@pytest.mark.parametrize("channels", [1, 4, 12])
def test_networks_take_images_of_any_channels(model: ModelSettings, channels: int) -> None:
    segmenter = model.build(2, channels).eval()
    assert segmenter.channels == first_conv(segmenter).in_channels == channels
    image = torch.randint(0, 256, (1, channels, 40, 50), dtype=torch.uint8)
    normalised = segmenter.normalise(image)
    expected = (image.float() - segmenter.mean) / segmenter.std
    torch.testing.assert_close(normalised, expected)
    assert segmenter(image).shape[:2] == (1, 2)
    assert f"Image: {channels} channels" in mermaid_diagram(segmenter.network.blocks())
    assert summarize_layers(segmenter, 64)


@pytest.mark.parametrize("channels", [1, 4])
def test_packaged_imagenet_weights_are_adapted(channels: int) -> None:
    rgb, bands = LITE.build(2), LITE.build(2, channels)
    expected = adapt_input_conv(channels, first_conv(rgb).weight.detach())
    torch.testing.assert_close(first_conv(bands).weight.detach(), expected)
    given, own = rgb.state_dict(), bands.state_dict()
    for name in given:
        if "encoder" in name and own[name].shape == given[name].shape:
            torch.testing.assert_close(own[name], given[name])


@pytest.mark.parametrize("model", MODELS, ids=str)
@pytest.mark.parametrize(("given", "channels"), [(3, 4), (4, 3), (3, 1), (4, 12)])
def test_a_transfer_adapts_the_first_convolution(
    model: ModelSettings, given: int, channels: int
) -> None:
    source, target = model.build(2, given), model.build(2, channels)
    mean = target.mean.clone()
    result = transfer_weights(target, source.state_dict(), NAMES, NAMES)
    assert result.adapted_channels == (given, channels)
    assert result.not_loaded == result.unused == ()
    assert f"first convolution adapted from {given} to {channels} channels" in str(result)
    expected = weight_for_channels(first_conv(source).weight.detach(), channels)
    torch.testing.assert_close(first_conv(target).weight.detach(), expected)
    torch.testing.assert_close(target.mean, mean)
    same = transfer_weights(model.build(2, given), source.state_dict(), NAMES, NAMES)
    assert same.adapted_channels is None


def test_the_bundled_model_starts_networks_of_bands() -> None:
    bundled = find_weights("bundled")
    model = replace(bundled.config.model, weights="bundled")
    segmenter, result = segmenter_to_train(model, ade20k_labels(), 4)
    assert segmenter.channels == 4
    assert result is not None
    assert result.adapted_channels == (3, 4)
    assert result.not_loaded == ()
