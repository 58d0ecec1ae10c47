"""Weights of one network in another: what fits, rows by the names of classes, and the account."""

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
from sceneparse.models.transfer import transfer
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


def pyramid(name: str, seed: int, options: Mapping[str, Any] = MappingProxyType({})) -> Segmenter:
    torch.manual_seed(seed)
    return Segmenter(encoder_unet(Encoder(name, "none"), 4, (16, 8), 4, **options))


def seen(stride: int, head_levels: int, classes: int, seed: int) -> Segmenter:
    """Over a decoder of two levels, or of three."""
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
    taken = transfer(new, old.state_dict(), NEW, OLD)
    image = torch.randint(0, 256, (2, 3, 33, 47), dtype=torch.uint8)
    before, after = old(image), new(image)
    for name in ("wall", "cat", "dog"):
        torch.testing.assert_close(after[:, NEW.index(name)], before[:, OLD.index(name)])
    # And so their probabilities among themselves.
    shared = [("wall", "cat", "dog").index(name) for name in ("wall", "cat", "dog")]
    mine = after[:, [2, 3, 0]][:, shared].softmax(1)
    torch.testing.assert_close(mine, before[:, [0, 2, 3]][:, shared].softmax(1))
    for index in (1, 4):
        assert torch.equal(new.network.head.weight[index], untouched[index])
    assert taken.kept == ("dog", "wall", "cat")
    assert taken.untaught == ("lamp", "sofa")
    assert taken.fits
    assert torch.equal(new.mean, old.mean)


@torch.no_grad()
def test_as_many_classes_in_another_order_are_not_taken_as_they_stand() -> None:
    old, new = unet(4, seed=0), unet(4, seed=1)
    transfer(new, old.state_dict(), OLD[::-1], OLD)
    assert torch.equal(new.network.head.weight, old.network.head.weight.flip(0))
    biases = [segmenter.state_dict()["network.head.bias"] for segmenter in (new, old)]
    assert torch.equal(biases[0], biases[1].flip(0))


def test_of_names_that_occur_twice_the_first_goes_to_the_first() -> None:
    old, new = unet(3, seed=0), unet(3, seed=1)
    transfer(new, old.state_dict(), ("screen", "door", "screen"), ("screen", "screen", "door"))
    assert torch.equal(new.network.head.weight, old.network.head.weight[[0, 2, 1]])


def test_every_tensor_is_accounted_for() -> None:
    old = pyramid("test_resnet", 0)
    new = pyramid("test_resnet", 1, {"block": "separable"})
    before = {name: tensor.clone() for name, tensor in new.state_dict().items()}
    taken = transfer(new, old.state_dict(), OLD, OLD)
    given = old.state_dict()
    heads = names(new, "network.head.")
    assert {*taken.taken, *taken.new} == set(before) - heads
    assert set(taken.unused) == names(old, "network.decoder.")
    assert set(taken.new) == names(new, "network.decoder.")
    for name, tensor in new.state_dict().items():
        expected: Tensor = given[name] if name in {*taken.taken, *heads} else before[name]
        assert torch.equal(tensor, expected), name
    text = str(taken)
    assert f"{len(taken.taken)} of {len(before) - len(heads)} tensors taken" in text
    assert "head rows of 4 of 4 classes kept" in text
    assert f"start anew: decoder.0.conv ({len(names(new, 'network.decoder.0.'))})" in text
    assert f"left behind: decoder.0.conv ({len(names(old, 'network.decoder.0.'))})" in text


@torch.no_grad()
def test_with_a_finer_level_shared_classes_keep_their_logits() -> None:
    old, new = seen(8, 1, 4, seed=0), seen(4, 2, 5, seed=1)
    untouched = new.network.head.weight.clone()
    taken = transfer(new, old.state_dict(), NEW, OLD)
    image = torch.randint(0, 256, (2, 3, 64, 96), dtype=torch.uint8)
    before = F.interpolate(old(image), scale_factor=2.0, mode="bilinear")
    for name in ("wall", "cat", "dog"):
        torch.testing.assert_close(new(image)[:, NEW.index(name)], before[:, OLD.index(name)])
    assert torch.equal(new.network.head.weight[[1, 4]], untouched[[1, 4]])
    assert taken.kept == ("dog", "wall", "cat")
    assert set(taken.new) == names(new, "network.decoder.2.")
    assert not taken.unused


@pytest.mark.parametrize("new", [seen(4, 1, 4, seed=1), seen(2, 2, 4, seed=1)])
def test_a_head_that_does_not_see_what_the_other_saw_starts_anew(new: Segmenter) -> None:
    taken = transfer(new, seen(8, 1, 4, seed=0).state_dict(), OLD, OLD)
    assert taken.untaught == OLD


@pytest.mark.parametrize("other", [unet(4, 0, width=6), pyramid("test_convnext", 0)])
def test_where_nothing_fits_nothing_fits(other: Segmenter) -> None:
    # Not even the counters of batch norms, which have no shape.
    taken = transfer(unet(4, 1), other.state_dict(), OLD, OLD)
    assert not taken.fits


def test_the_encoder_alone_is_taken_under_another_decoder() -> None:
    old = pyramid("test_resnet", 0)
    torch.manual_seed(1)
    new = Segmenter(encoder_unet(Encoder("test_resnet", "none"), 4, (24, 12), 4))
    taken = transfer(new, old.state_dict(), OLD, OLD)
    assert set(taken.taken) == names(new, "encoder") | {"mean", "std"}
    assert taken.fits
    assert taken.untaught == OLD
