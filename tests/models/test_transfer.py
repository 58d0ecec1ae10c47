"""Transfer of weights: what is loaded, rows of the head by class name, and the report."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from tests.models.decoders import encoder_unet
from torch import Tensor

from sceneparse.models.encoder import Encoder
from sceneparse.models.segmenter import Segmenter
from sceneparse.models.transfer import transfer_weights
from sceneparse.models.unet import UNet

OLD = ("wall", "floor", "cat", "dog")
NEW = ("dog", "lamp", "wall", "cat", "sofa")


def unet(classes: int, seed: int, width: int = 4) -> Segmenter:
    torch.manual_seed(seed)
    segmenter = Segmenter(UNet(classes, width), mean=[0.1 + seed] * 3).eval()
    for name, tensor in segmenter.state_dict().items():
        if "running_var" in name:
            tensor.uniform_(0.5, 2)
    return segmenter


def with_encoder(
    name: str, seed: int, options: Mapping[str, Any] = MappingProxyType({})
) -> Segmenter:
    torch.manual_seed(seed)
    return Segmenter(encoder_unet(Encoder(name, "none"), 4, (16, 8), 4, **options))


def with_head_levels(stride: int, head_levels: int, classes: int, seed: int) -> Segmenter:
    """Make a network whose decoder ends at a stride and whose head takes several levels."""
    torch.manual_seed(seed)
    options: dict[str, Any] = {"head_levels": head_levels}
    encoder = Encoder("test_resnet", "none")
    return Segmenter(encoder_unet(encoder, classes, (16, 8, 12), stride, **options)).eval()


def names(segmenter: Segmenter, *parts: str) -> set[str]:
    return {name for name in segmenter.state_dict() if any(part in name for part in parts)}


@torch.no_grad()
def test_shared_classes_keep_their_logits_whatever_their_order() -> None:
    old, new = unet(4, seed=0), unet(5, seed=1)
    untouched = new.network.head.weight.clone()
    result = transfer_weights(new, old.state_dict(), NEW, OLD)
    image = torch.randint(0, 256, (2, 3, 33, 47), dtype=torch.uint8)
    before, after = old(image), new(image)
    for name in ("wall", "cat", "dog"):
        torch.testing.assert_close(after[:, NEW.index(name)], before[:, OLD.index(name)])
    # Their softmax among each other is the same too.
    shared = [("wall", "cat", "dog").index(name) for name in ("wall", "cat", "dog")]
    probabilities = after[:, [2, 3, 0]][:, shared].softmax(1)
    torch.testing.assert_close(probabilities, before[:, [0, 2, 3]][:, shared].softmax(1))
    for index in (1, 4):
        assert torch.equal(new.network.head.weight[index], untouched[index])
    assert result.known_classes == ("dog", "wall", "cat")
    assert result.new_classes == ("lamp", "sofa")
    assert result.succeeded
    assert torch.equal(new.mean, old.mean)


@torch.no_grad()
def test_rows_of_the_head_follow_the_order_of_the_classes() -> None:
    old, new = unet(4, seed=0), unet(4, seed=1)
    transfer_weights(new, old.state_dict(), OLD[::-1], OLD)
    assert torch.equal(new.network.head.weight, old.network.head.weight.flip(0))
    biases = [segmenter.state_dict()["network.head.bias"] for segmenter in (new, old)]
    assert torch.equal(biases[0], biases[1].flip(0))


def test_class_names_that_occur_twice_are_matched_in_order() -> None:
    old, new = unet(3, seed=0), unet(3, seed=1)
    transfer_weights(
        new, old.state_dict(), ("screen", "door", "screen"), ("screen", "screen", "door")
    )
    assert torch.equal(new.network.head.weight, old.network.head.weight[[0, 2, 1]])


def test_the_result_names_every_tensor() -> None:
    old = with_encoder("test_resnet", 0)
    new = with_encoder("test_resnet", 1, {"block": "separable"})
    before = {name: tensor.clone() for name, tensor in new.state_dict().items()}
    result = transfer_weights(new, old.state_dict(), OLD, OLD)
    given = old.state_dict()
    heads = names(new, "network.head.")
    assert {*result.loaded, *result.not_loaded} == set(before) - heads
    assert set(result.unused) == names(old, "network.decoder.")
    assert set(result.not_loaded) == names(new, "network.decoder.")
    for name, tensor in new.state_dict().items():
        expected: Tensor = given[name] if name in {*result.loaded, *heads} else before[name]
        assert torch.equal(tensor, expected), name
    text = str(result)
    assert f"{len(result.loaded)} of {len(before) - len(heads)} tensors loaded" in text
    assert "head rows of 4 of 4 classes loaded" in text
    assert f"not loaded: decoder.0.conv ({len(names(new, 'network.decoder.0.'))})" in text
    assert f"unused: decoder.0.conv ({len(names(old, 'network.decoder.0.'))})" in text


@torch.no_grad()
def test_with_a_finer_level_shared_classes_keep_their_logits() -> None:
    old, new = with_head_levels(8, 1, 4, seed=0), with_head_levels(4, 2, 5, seed=1)
    untouched = new.network.head.weight.clone()
    result = transfer_weights(new, old.state_dict(), NEW, OLD)
    image = torch.randint(0, 256, (2, 3, 64, 96), dtype=torch.uint8)
    before = F.interpolate(old(image), scale_factor=2.0, mode="bilinear")
    for name in ("wall", "cat", "dog"):
        torch.testing.assert_close(new(image)[:, NEW.index(name)], before[:, OLD.index(name)])
    assert torch.equal(new.network.head.weight[[1, 4]], untouched[[1, 4]])
    assert result.known_classes == ("dog", "wall", "cat")
    assert set(result.not_loaded) == names(new, "network.decoder.2.")
    assert not result.unused


@pytest.mark.parametrize(
    "new", [with_head_levels(4, 1, 4, seed=1), with_head_levels(2, 2, 4, seed=1)]
)
def test_a_head_of_other_levels_is_not_loaded(new: Segmenter) -> None:
    result = transfer_weights(new, with_head_levels(8, 1, 4, seed=0).state_dict(), OLD, OLD)
    assert result.new_classes == OLD


@pytest.mark.parametrize("other", [unet(4, 0, width=6), with_encoder("test_convnext", 0)])
def test_a_transfer_without_matching_weights_fails(other: Segmenter) -> None:
    # The counters of batch norms match any other, but do not count as a success.
    result = transfer_weights(unet(4, 1), other.state_dict(), OLD, OLD)
    assert not result.succeeded


def test_only_the_encoder_is_loaded_under_another_decoder() -> None:
    old = with_encoder("test_resnet", 0)
    torch.manual_seed(1)
    new = Segmenter(encoder_unet(Encoder("test_resnet", "none"), 4, (24, 12), 4))
    result = transfer_weights(new, old.state_dict(), OLD, OLD)
    assert set(result.loaded) == names(new, "encoder") | {"mean", "std"}
    assert result.succeeded
    assert result.new_classes == OLD
