"""Attention gates, pyramid pooling, separable convolutions, dropout: against slow references."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sceneparse.errors import InputError
from sceneparse.losses.cross_entropy import CrossEntropy
from sceneparse.models.attention import AttentionGate
from sceneparse.models.block import mermaid
from sceneparse.models.encoder import Encoder
from sceneparse.models.encoder_unet import DecoderOptions, EncoderUNet
from sceneparse.models.pyramid_pooling import BINS, PyramidPooling
from sceneparse.models.segmenter import Segmenter
from sceneparse.models.separable import separable_double_conv
from sceneparse.models.summary import layers_of
from sceneparse.models.unet import double_conv

EVERYTHING = DecoderOptions(
    "separable", attention=True, pyramid_pooling=True, deep_supervision=0.4, dropout=0.1
)


def network(
    options: DecoderOptions | None = None, stride: int = 4, name: str = "test_resnet"
) -> EncoderUNet:
    torch.manual_seed(0)
    return EncoderUNet(Encoder(name, "none"), 5, (24, 16, 8), stride, options=options)


def bias(conv: nn.Conv2d) -> Tensor:
    assert conv.bias is not None
    return conv.bias


def bilinear(cells: Tensor, size: tuple[int, int]) -> Tensor:
    """Resize `(h, w)` place by place; centres are at half-integers."""
    resized = cells.new_zeros(size)
    for row in range(size[0]):
        for column in range(size[1]):
            y = min(max((row + 0.5) * cells.shape[0] / size[0] - 0.5, 0), cells.shape[0] - 1)
            x = min(max((column + 0.5) * cells.shape[1] / size[1] - 0.5, 0), cells.shape[1] - 1)
            top, left = int(y), int(x)
            for i, j in ((0, 0), (0, 1), (1, 0), (1, 1)):
                weight = abs(1 - i - (y - top)) * abs(1 - j - (x - left))
                at = (min(top + i, cells.shape[0] - 1), min(left + j, cells.shape[1] - 1))
                resized[row, column] += weight * cells[at]
    return resized


@torch.no_grad()
def test_the_gate_is_that_of_the_paper() -> None:
    torch.manual_seed(0)
    gate = AttentionGate(6, 5).double()
    skip, features = torch.randn(2, 6, 8, 6).double(), torch.randn(2, 5, 4, 3).double()
    expected = torch.zeros_like(skip)
    for picture in range(2):
        share = torch.zeros(4, 3).double()
        for row in range(4):
            for column in range(3):
                patch = skip[picture, :, 2 * row : 2 * row + 2, 2 * column : 2 * column + 2]
                joined = (gate.of_skip.weight * patch).sum(dim=(1, 2, 3))
                joined += gate.of_gate.weight[:, :, 0, 0] @ features[picture, :, row, column]
                joined = (joined + bias(gate.of_gate)).clamp(min=0)
                logit = gate.share.weight[0, :, 0, 0] @ joined + bias(gate.share)[0]
                share[row, column] = 1 / (1 + math.exp(-float(logit)))
        expected[picture] = skip[picture] * bilinear(share, (8, 6))
    torch.testing.assert_close(gate(skip, features), expected)


@torch.no_grad()
def test_open_gates_leave_the_plain_decoder() -> None:
    plain, gated = network(), network(DecoderOptions(attention=True))
    missing, unexpected = gated.load_state_dict(plain.state_dict(), strict=False)
    assert not unexpected
    assert all(".gate." in name for name in missing)
    gates = [module for module in gated.modules() if isinstance(module, AttentionGate)]
    assert len(gates) == 3
    for gate in gates:
        gate.share.weight.zero_()
        bias(gate.share).fill_(100)
    image = torch.randn(2, 3, 64, 96)
    assert torch.equal(gated.eval()(image), plain.eval()(image))
    for gate in gates:
        bias(gate.share).fill_(-100)
    assert not torch.equal(gated(image), plain(image))


@torch.no_grad()
@pytest.mark.parametrize("size", [(5, 7), (1, 1), (8, 6)])
def test_pyramid_pooling_equals_a_slow_reference(size: tuple[int, int]) -> None:
    torch.manual_seed(0)
    pooling = PyramidPooling(8, 6).double()
    for parameter in pooling.parameters():
        parameter.copy_(torch.randn_like(parameter))
    features = torch.randn(2, 8, *size).double()

    def conv(layers: nn.Module, cells: Tensor) -> Tensor:
        """Convolve `(D, h, w)`, take mean and deviation off, scale, cut at zero."""
        weight, scale, shift = (parameter.double() for parameter in layers.parameters())
        mixed = torch.einsum("od,dhw->ohw", weight[:, :, 0, 0], cells)
        normal = (mixed - mixed.mean()) / (mixed.var(correction=0) + 1e-5).sqrt()
        return (normal * scale[:, None, None] + shift[:, None, None]).clamp(min=0)

    for picture, found in zip(features, pooling(features), strict=True):
        parts = [picture]
        for branch, bins in zip(pooling.branches, BINS, strict=True):
            pooled = picture.new_zeros(8, bins, bins)
            for i in range(bins):
                for j in range(bins):
                    top, left = i * size[0] // bins, j * size[1] // bins
                    bottom, right = -(-(i + 1) * size[0] // bins), -(-(j + 1) * size[1] // bins)
                    pooled[:, i, j] = picture[:, top:bottom, left:right].mean(dim=(1, 2))
            cells = conv(branch, pooled)
            parts.append(torch.stack([bilinear(channel, size) for channel in cells]))
        torch.testing.assert_close(found, conv(pooling.joined, torch.cat(parts)))


def test_pyramid_pooling_trains_on_one_picture_of_one_cell() -> None:
    pooling = PyramidPooling(8, 6)
    pooling(torch.randn(1, 8, 1, 1)).square().sum().backward()
    assert all(parameter.grad is not None for parameter in pooling.parameters())


@torch.no_grad()
def test_a_separable_convolution_is_a_plain_one_of_lower_rank() -> None:
    torch.manual_seed(0)
    block = separable_double_conv(4, 6, 3).double().eval()
    image = torch.randn(2, 4, 9, 7).double()
    expected = image
    for place, deep, over, norm, cut in ((i, *block[i : i + 4]) for i in (0, 4)):
        assert isinstance(deep, nn.Conv2d)
        assert isinstance(over, nn.Conv2d)
        assert isinstance(cut, nn.ReLU), place
        dense = over.weight * deep.weight[None, :, 0]
        expected = norm(F.conv2d(expected, dense, padding=1)).clamp(min=0)
    torch.testing.assert_close(block(image), expected)


@torch.no_grad()
def test_separable_convolutions_take_a_fraction_of_the_work() -> None:
    work = [
        sum(
            layer.multiply_adds
            for layer in layers_of(Segmenter(net), 64)
            if "decoder" in layer.name
        )
        for net in (network(), network(DecoderOptions("separable")))
    ]
    assert work[1] < work[0] / 4


def test_dropout_hides_channels_from_the_head_in_training_alone() -> None:
    segmenter = Segmenter(network(DecoderOptions(dropout=0.5)))
    image = torch.randint(0, 256, (8, 3, 64, 64), dtype=torch.uint8)
    hidden = (segmenter.features(image) == 0).all(dim=(2, 3))
    assert 0.25 < hidden.float().mean() < 0.75
    segmenter.eval()
    assert not (segmenter.features(image) == 0).all(dim=(2, 3)).any()
    plain = Segmenter(network()).eval()
    plain.load_state_dict(segmenter.state_dict())
    assert torch.equal(segmenter(image), plain(image))


@pytest.mark.parametrize("name", ["test_resnet", "test_convnext", "vgg11"])
@pytest.mark.parametrize("stride", [1, 2, 4, 8])
def test_all_options_together_train_on_every_pyramid(name: str, stride: int) -> None:
    segmenter = Segmenter(network(EVERYTHING, stride, name))
    image = torch.randint(0, 256, (2, 3, 29, 64), dtype=torch.uint8)
    mask = torch.randint(0, 5, (2, 29, 64), dtype=torch.uint8)
    with torch.autocast("cpu", torch.bfloat16):
        sums = segmenter(image, mask, CrossEntropy(255))
    sums.total.backward()
    for parameter_name, parameter in segmenter.named_parameters():
        assert parameter.grad is not None, parameter_name
        assert parameter.grad.isfinite().all(), parameter_name


def test_without_options_nothing_is_added() -> None:
    parts = {name.split(".")[0] for name in network().state_dict()}
    assert parts == {"encoder", "decoder", "head"}
    conv = double_conv(24 + 16, 8, 8)
    block = network().decoder[2]
    assert {name.removeprefix("conv.") for name in block.state_dict()} == set(conv.state_dict())


def test_the_diagram_shows_what_was_built() -> None:
    net = network(EVERYTHING)
    lines = mermaid(net.blocks()).splitlines()
    assert "    encoder_stage_32 --> pyramid_pooling" in lines
    assert "    pyramid_pooling --> decoder_1" in lines
    assert "    encoder_stage_16 -- gated skip --> decoder_1" in lines
    assert "    decoder_2 --> auxiliary_head_2_in_training" in lines
    assert "    decoder_3 --> head" in lines
    assert "    head[head: 8→5, stride 4]" in lines
    nodes = {line.split("[")[0].strip() for line in lines if "[" in line}
    edges = [line for line in lines if "-->" in line]
    assert len(edges) == len(nodes) - 1 + 3
    deepest = net.blocks()[4]
    assert (deepest.name, deepest.out_channels) == ("encoder stage 32", 96)
    chain = network().blocks()
    assert [block.after for block in chain] == [None] * len(chain)


@torch.no_grad()
def test_the_head_sees_coarser_levels_upsampled() -> None:
    unet = network(DecoderOptions(head_levels=3)).eval()
    image = torch.randn(1, 3, 64, 32)
    levels: list[Tensor] = []

    def keep(_block: nn.Module, _given: object, found: Tensor) -> None:
        levels.append(found)

    for block in unet.decoder:
        block.register_forward_hook(keep)
    features = unet.features(image)
    coarse, middle, fine = levels
    assert unet.head_channels == (8, 16, 24)
    assert torch.equal(features[:, :8], fine)
    size = (fine.shape[2], fine.shape[3])
    for channel in (0, 7, 15):
        torch.testing.assert_close(features[0, 8 + channel], bilinear(middle[0, channel], size))
    for channel in (0, 23):
        torch.testing.assert_close(features[0, 24 + channel], bilinear(coarse[0, channel], size))


def test_a_head_that_sees_several_levels_is_drawn_so() -> None:
    drawn = mermaid(network(DecoderOptions(head_levels=3)).blocks())
    assert "head[head: 48→5, stride 4]" in drawn
    assert "decoder_2 -- skip --> head" in drawn
    assert "decoder_1 -- skip --> head" in drawn
    assert "decoder_3 --> head" in drawn


def test_more_levels_than_there_are_are_refused() -> None:
    with pytest.raises(InputError, match=r"head_levels: found 4, expected at most 3"):
        network(DecoderOptions(head_levels=4))
