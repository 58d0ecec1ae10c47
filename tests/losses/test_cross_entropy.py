"""Cross-entropy, plain and in strips, against float64 and the promises about void."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sceneparse.losses import strips
from sceneparse.losses.cross_entropy import CrossEntropy

IGNORE = 255
# (features h×w, covered cells, mask H×W): stride 1, stride 4, a picture that ends inside a cell.
SHAPES = {
    "stride 1": ((11, 7), (11.0, 7.0), (11, 7)),
    "stride 4": ((5, 9), (5.0, 9.0), (20, 36)),
    "padded": ((4, 6), (3.25, 5.5), (13, 22)),
    "shrunk": ((9, 8), (9.0, 8.0), (4, 5)),
}


def make(shape: str, seed: int = 0, classes: int = 6) -> tuple[Tensor, nn.Conv2d, Tensor]:
    torch.manual_seed(seed)
    cells, _, size = SHAPES[shape]
    features = torch.randn(3, 4, *cells)
    target = torch.randint(0, classes, (3, *size), dtype=torch.uint8)
    target[torch.rand(target.shape) < 0.3] = IGNORE
    return features, nn.Conv2d(4, classes, 1), target


def gradients(
    loss: CrossEntropy, features: Tensor, head: nn.Conv2d, shape: str, target: Tensor
) -> tuple[Tensor, list[Tensor]]:
    features = features.clone().requires_grad_()
    total = loss(features, head, SHAPES[shape][1], target).total
    inputs = [features, *head.parameters()]
    return total.detach(), list(torch.autograd.grad(total / 7, inputs))


def reference(
    features: Tensor, head: nn.Conv2d, shape: str, target: Tensor, smoothing: float
) -> tuple[Tensor, list[Tensor]]:
    """Compute loss and gradients in float64, pixel by pixel positions interpolated by hand."""
    features = features.double().requires_grad_()
    weight = head.weight.detach().double().flatten(1).requires_grad_()
    assert head.bias is not None
    bias = head.bias.detach().double().requires_grad_()
    logits = torch.einsum("cd,bdhw->bchw", weight, features) + bias[:, None, None]
    (rows, columns), (height, width) = SHAPES[shape][1], SHAPES[shape][2]
    total = torch.zeros((), dtype=torch.float64)
    for y in range(height):
        for x in range(width):
            value = sample(
                logits, (y + 0.5) * rows / height - 0.5, (x + 0.5) * columns / width - 0.5
            )
            here = target[:, y, x]
            valid = here != IGNORE
            total = total + F.cross_entropy(
                value[valid], here[valid].long(), reduction="sum", label_smoothing=smoothing
            )
    grads = torch.autograd.grad(total / 7, [features, weight, bias])
    return total.detach(), [grads[0], grads[1][..., None, None], grads[2]]


def sample(logits: Tensor, y: float, x: float) -> Tensor:
    height, width = logits.shape[2:]
    y, x = min(max(y, 0), height - 1), min(max(x, 0), width - 1)
    top, left = math.floor(y), math.floor(x)
    below, right = min(top + 1, height - 1), min(left + 1, width - 1)
    upper = logits[..., top, left] * (1 - x + left) + logits[..., top, right] * (x - left)
    lower = logits[..., below, left] * (1 - x + left) + logits[..., below, right] * (x - left)
    return upper * (1 - y + top) + lower * (y - top)


@pytest.mark.parametrize("in_strips", [True, False])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_loss_and_gradients_agree_with_float64(
    in_strips: bool, shape: str, smoothing: float
) -> None:
    features, head, target = make(shape)
    loss = CrossEntropy(IGNORE, smoothing, in_strips=in_strips)
    total, grads = gradients(loss, features, head, shape, target)
    exact, exact_grads = reference(features, head, shape, target, smoothing)
    assert total.item() == pytest.approx(exact.item(), rel=1e-6)
    for grad, exact_grad in zip(grads, exact_grads, strict=True):
        error = (grad.double() - exact_grad).norm() / exact_grad.norm()
        assert error <= 1e-5


@pytest.mark.parametrize("shape", SHAPES)
def test_strips_of_any_height_give_the_same(shape: str, monkeypatch: pytest.MonkeyPatch) -> None:
    features, head, target = make(shape)
    loss = CrossEntropy(IGNORE)
    whole = gradients(loss, features, head, shape, target)[1]
    monkeypatch.setitem(strips.STRIP_BYTES, "cpu", 1)
    for row, all_rows in zip(gradients(loss, features, head, shape, target)[1], whole, strict=True):
        torch.testing.assert_close(row, all_rows)


@pytest.mark.parametrize("in_strips", [True, False])
def test_void_pixels_change_neither_loss_nor_gradient(in_strips: bool) -> None:
    features, head, target = make("stride 1")
    loss = CrossEntropy(IGNORE, in_strips=in_strips)
    before = gradients(loss, features, head, "stride 1", target)
    void = (target == IGNORE)[:, None].expand_as(features)
    moved = torch.where(void, features + 3, features)
    after = gradients(loss, moved, head, "stride 1", target)
    assert after[0] == before[0]
    for grad_after, grad_before in zip(after[1], before[1], strict=True):
        torch.testing.assert_close(grad_after, grad_before)
    assert (before[1][0][void] == 0).all()


@pytest.mark.parametrize("in_strips", [True, False])
def test_a_mask_of_nothing_but_void_gives_zero(in_strips: bool) -> None:
    features, head, target = make("stride 4")
    loss = CrossEntropy(IGNORE, in_strips=in_strips)
    total, grads = gradients(loss, features, head, "stride 4", torch.full_like(target, IGNORE))
    assert total == 0
    assert all((grad == 0).all() for grad in grads)


def test_both_ways_count_the_same_confusion() -> None:
    features, head, target = make("padded")
    counts = [
        CrossEntropy(IGNORE, in_strips=way)(features, head, SHAPES["padded"][1], target).confusion
        for way in (True, False)
    ]
    torch.testing.assert_close(counts[0], counts[1])
    assert int(counts[0].sum()) == int((target != IGNORE).sum())
    assert counts[0].dtype == torch.int64


def test_strips_are_no_worse_than_plain_under_bf16() -> None:
    features, head, target = make("stride 4", classes=40)
    exact = reference(features, head, "stride 4", target, 0.0)[1][0]
    errors: dict[bool, float] = {}
    for in_strips in (True, False):
        with torch.autocast("cpu", torch.bfloat16):
            grads = gradients(
                CrossEntropy(IGNORE, in_strips=in_strips), features, head, "stride 4", target
            )
        errors[in_strips] = float((grads[1][0].double() - exact).norm() / exact.norm())
    assert errors[True] <= errors[False]


def test_ignore_index_of_two_bytes_is_ignored() -> None:
    features, head, _ = make("stride 1")
    target = torch.zeros(3, 11, 7, dtype=torch.int32)
    target[:, 5:] = 65535
    loss = CrossEntropy(65535)(features, head, (11.0, 7.0), target)
    assert int(loss.confusion.sum()) == 3 * 5 * 7
