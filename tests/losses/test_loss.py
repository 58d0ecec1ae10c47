"""All losses, alone and in a sum, tiled and untiled."""

import math

import pytest
import torch
from tests.losses.examples import (
    CLASSES,
    IGNORE,
    KINDS,
    SHAPES,
    UNWEIGHTED,
    AnyLoss,
    definition,
    exact,
    example,
    gradients,
    sum_of_all_losses,
    term,
)
from torch import Tensor, nn
from torch.profiler import ProfilerActivity, profile

from sceneparse.losses.loss import WeightedSum
from sceneparse.ops import upsampling as upsample

PRECISIONS = (torch.bfloat16, torch.float16)


def make(kind: str, ignore_index: int = IGNORE, *, tiled: bool = True) -> AnyLoss:
    if kind == "sum":
        return sum_of_all_losses(ignore_index, tiled=tiled)
    return term(kind, ignore_index, tiled=tiled)


def assert_close(grads: list[Tensor], exact_grads: list[Tensor]) -> None:
    for grad, exact_grad in zip(grads, exact_grads, strict=True):
        assert (grad.double() - exact_grad).norm() <= 1e-5 * exact_grad.norm()


@pytest.mark.parametrize("tiled", [True, False])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", KINDS)
def test_loss_and_gradients_agree_with_the_definition_in_float64(
    kind: str, shape: str, tiled: bool
) -> None:
    features, head, target = example(shape)
    mean, grads = gradients(term(kind, tiled=tiled), features, head, shape, target)
    exact_mean, exact_grads = exact(kind, features, head, shape, target)
    assert mean.item() == pytest.approx(exact_mean.item(), rel=1e-6)
    assert_close(grads, exact_grads)


@pytest.mark.parametrize("kind", KINDS)
def test_untiled_losses_pass_gradcheck(kind: str) -> None:
    torch.manual_seed(0)
    logits = torch.randn(2, CLASSES, 3, 4, dtype=torch.float64, requires_grad=True)
    target = torch.randint(0, CLASSES, (2, 3, 4))
    target[0, 1, 1:] = IGNORE
    loss = term(kind)
    valid = (target != IGNORE).sum()
    # A small step, in which the order of the errors stays the same.
    assert torch.autograd.gradcheck(lambda x: loss.untiled(x, target), logits, eps=1e-7, atol=1e-4)
    mean = loss.untiled(logits, target) / valid
    assert mean.item() == pytest.approx(definition(kind, logits, target).item(), rel=1e-6)


@pytest.mark.parametrize("shape", ["stride 1", "padded"])
def test_a_weighted_sum_is_the_sum_of_its_terms(shape: str) -> None:
    features, head, target = example(shape)
    whole, grads = gradients(sum_of_all_losses(), features, head, shape, target)
    weights = [loss.weight for loss in sum_of_all_losses().losses]
    parts = [gradients(term(kind), features, head, shape, target) for kind in UNWEIGHTED]
    pairs = list(zip(weights, parts, strict=True))
    expected = math.fsum(weight * part[0].item() for weight, part in pairs)
    assert whole.item() == pytest.approx(expected, rel=1e-6)
    for index, grad in enumerate(grads):
        added = torch.stack([weight * part[1][index] for weight, part in pairs]).sum(0)
        torch.testing.assert_close(grad, added, rtol=1e-4, atol=1e-6)


def test_a_weighted_sum_is_tiled_only_if_all_its_terms_are() -> None:
    features, head, target = example("stride 4")
    mixed = WeightedSum([term("dice"), term("focal", tiled=False)])
    untiled = WeightedSum([term("dice", tiled=False), term("focal", tiled=False)])
    results = [gradients(loss, features, head, "stride 4", target)[1] for loss in (mixed, untiled)]
    assert all(torch.equal(*pair) for pair in zip(*results, strict=True))


@pytest.mark.parametrize("kind", [*KINDS, "sum"])
def test_tiles_of_any_size_give_the_same_gradient(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for shape in ("stride 1", "padded"):
        features, head, target = example(shape)
        whole = gradients(make(kind), features, head, shape, target)[1]
        with monkeypatch.context() as patch:
            patch.setitem(upsample.TILE_BYTES, "cpu", 1)
            parts = gradients(make(kind), features, head, shape, target)[1]
        for part, expected in zip(parts, whole, strict=True):
            torch.testing.assert_close(part, expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("tiled", [True, False])
@pytest.mark.parametrize("kind", [*KINDS, "sum"])
def test_void_pixels_change_neither_loss_nor_gradient(kind: str, tiled: bool) -> None:
    features, head, target = example("stride 1")
    before = gradients(make(kind, tiled=tiled), features, head, "stride 1", target)
    void = (target == IGNORE)[:, None].expand_as(features)
    moved = torch.where(void, 3 - 2 * features, features)
    after = gradients(make(kind, tiled=tiled), moved, head, "stride 1", target)
    torch.testing.assert_close(after[0], before[0])
    for grad_after, grad_before in zip(after[1], before[1], strict=True):
        torch.testing.assert_close(grad_after, grad_before)
    assert (before[1][0][void] == 0).all()


@pytest.mark.parametrize("tiled", [True, False])
@pytest.mark.parametrize("shape", ["stride 1", "stride 4"])
@pytest.mark.parametrize("kind", [*KINDS, "sum"])
def test_a_mask_of_nothing_but_void_gives_zero(kind: str, shape: str, tiled: bool) -> None:
    features, head, target = example(shape)
    features.requires_grad_()
    loss = make(kind, tiled=tiled)
    total = loss(features, head, SHAPES[shape][1], torch.full_like(target, IGNORE)).total
    assert total.item() == 0
    for grad in torch.autograd.grad(total, [features, *head.parameters()]):
        assert (grad == 0).all()


@pytest.mark.parametrize("classes", [2, 300])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", [*UNWEIGHTED, "sum"])
def test_tiled_agrees_with_untiled_for_any_number_of_classes(
    kind: str, shape: str, classes: int
) -> None:
    features, head, target = example(shape, classes=classes, ignore_index=65535)
    target = target.to(torch.uint16)
    results = [
        gradients(make(kind, 65535, tiled=tiled), features, head, shape, target)
        for tiled in (True, False)
    ]
    torch.testing.assert_close(results[0][0], results[1][0], rtol=1e-5, atol=1e-6)
    for grad, expected in zip(results[0][1], results[1][1], strict=True):
        assert (grad - expected).norm() <= 2e-5 * expected.norm()


@pytest.mark.parametrize("tiled", [True, False])
@pytest.mark.parametrize("dtype", PRECISIONS)
@pytest.mark.parametrize("kind", [*KINDS, "sum"])
def test_half_precision_keeps_loss_and_gradient(kind: str, dtype: torch.dtype, tiled: bool) -> None:
    features, head, target = example("padded")
    # One pixel of a class: the gradient of a Dice loss is large there.
    target[target == 3] = 0
    target[0, 0, 0] = 3
    expected, exact_grads = gradients(make(kind), features, head, "padded", target)
    with torch.autocast("cpu", dtype):
        mean, grads = gradients(make(kind, tiled=tiled), features.to(dtype), head, "padded", target)
    assert mean.dtype == torch.float32
    assert mean.item() == pytest.approx(expected.item(), rel=0.02)
    assert grads[0].dtype == dtype
    for grad, exact_grad in zip(grads, exact_grads, strict=True):
        assert (grad - exact_grad).norm() <= 0.1 * exact_grad.norm()


@pytest.mark.parametrize("kind", [*KINDS, "sum"])
def test_one_pixel_of_a_class_does_not_overflow_fp16(kind: str) -> None:
    torch.manual_seed(0)
    features = torch.randn(1, 4, 64, 64).half().requires_grad_()
    head = nn.Conv2d(4, CLASSES, 1)
    target = torch.zeros(1, 512, 512, dtype=torch.uint8)
    target[0, 100, 100] = 3
    with torch.autocast("cpu", torch.float16):
        total = make(kind)(features, head, (64.0, 64.0), target).total
    (total / target.numel()).backward()
    assert features.grad is not None
    assert features.grad.isfinite().all()
    assert features.grad.any()


@pytest.mark.parametrize("tiled", [True, False])
@pytest.mark.parametrize("kind", [*KINDS, "sum"])
def test_confident_logits_keep_a_finite_loss_and_gradient(kind: str, tiled: bool) -> None:
    features, head, target = example("stride 4")
    loss = make(kind, tiled=tiled)
    mean, grads = gradients(loss, features * 1e4, head, "stride 4", target)
    assert mean.isfinite()
    assert all(grad.isfinite().all() for grad in grads)
    # The prediction is right at every pixel.
    right = nn.functional.one_hot(target.where(target != IGNORE, 0).long(), CLASSES)
    eye = nn.Conv2d(CLASSES, CLASSES, 1, bias=False)
    nn.init.dirac_(eye.weight)
    features = right.movedim(-1, 1).float() * 200
    total = loss(features.requires_grad_(), eye, tuple(map(float, target.shape[1:])), target).total
    assert total.isfinite()
    assert all(g.isfinite().all() for g in torch.autograd.grad(total, [features, eye.weight]))


@pytest.mark.parametrize("logit", [1.0, 8.0])
@pytest.mark.parametrize("kind", UNWEIGHTED)
def test_tiles_are_as_exact_as_untiled_where_pixels_are_right(kind: str, logit: float) -> None:
    torch.manual_seed(0)
    target = torch.randint(0, 5, (2, 8, 16)).repeat_interleave(4, 1)
    one_hot = nn.functional.one_hot(target, 5).movedim(-1, 1)
    features = (one_hot * logit + torch.randn(one_hot.shape)).requires_grad_()
    double = features.detach().double().requires_grad_()
    head = nn.Conv2d(5, 5, 1, bias=False)
    nn.init.dirac_(head.weight)
    (exact_grad,) = torch.autograd.grad(term(kind).untiled(double, target), double)
    errors: dict[bool, float] = {}
    for tiled in (True, False):
        total = term(kind, tiled=tiled)(features, head, (32.0, 16.0), target).total
        (grad,) = torch.autograd.grad(total, features)
        errors[tiled] = float((grad - exact_grad).norm() / exact_grad.norm())
    assert errors[True] <= 2 * errors[False]


@pytest.mark.parametrize("kind", [*UNWEIGHTED, "sum"])
def test_permuting_the_classes_changes_nothing(kind: str) -> None:
    features, head, target = example("padded")
    before = gradients(make(kind), features, head, "padded", target)
    order = torch.tensor([3, 0, 5, 1, 4, 2])
    table = torch.full((IGNORE + 1,), IGNORE, dtype=torch.int32)
    table[order] = torch.arange(CLASSES, dtype=torch.int32)
    permuted = nn.Conv2d(4, CLASSES, 1)
    assert head.bias is not None
    permuted.load_state_dict({"weight": head.weight[order], "bias": head.bias[order]})
    after = gradients(make(kind), features, permuted, "padded", table[target.long()])
    torch.testing.assert_close(after[0], before[0], rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(after[1][0], before[1][0], rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(after[1][1], before[1][1][order], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("kind", [*UNWEIGHTED, "sum"])
def test_tiled_and_untiled_count_the_same_confusion_matrix(kind: str) -> None:
    features, head, target = example("padded")
    counts = [
        make(kind, tiled=tiled)(features, head, SHAPES["padded"][1], target).confusion
        for tiled in (True, False)
    ]
    torch.testing.assert_close(counts[0], counts[1])
    assert int(counts[0].sum()) == int((target != IGNORE).sum())


@pytest.mark.parametrize("stride", [1, pytest.param(4, marks=pytest.mark.slow)])
@pytest.mark.parametrize("kind", [*UNWEIGHTED, "sum"])
def test_the_big_tensor_is_never_made(kind: str, stride: int) -> None:
    side, classes = 256, 150
    features = torch.randn(1, 8, side // stride, side // stride, requires_grad=True)
    head, blocks = nn.Conv2d(8, classes, 1), torch.randint(0, classes, (1, 8, 8))
    target = blocks.repeat_interleave(side // 8, 1).repeat_interleave(side // 8, 2)
    loss, covered = make(kind), (side / stride, side / stride)
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True, acc_events=True) as memory:
        loss(features, head, covered, target.to(torch.uint8)).total.backward()
    largest = max(event.self_cpu_memory_usage for event in memory.events() or ())
    assert largest < 4 * classes * side * side / 8
