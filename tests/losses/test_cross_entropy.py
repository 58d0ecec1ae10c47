"""Cross-entropy, tiled and untiled, equals a float64 reference and ignores void."""

import math
from typing import cast

import pytest
import torch
import torch.nn.functional as F
from tests.losses.examples import with_tiling
from torch import Tensor, nn
from torch.profiler import ProfilerActivity, profile

from sceneparse.losses.cross_entropy import CrossEntropy
from sceneparse.losses.loss import SegmentationLoss
from sceneparse.losses.settings import CrossEntropyLoss
from sceneparse.ops import upsampling as upsample

IGNORE = 255
# (feature map h×w, rows and columns that the mask covers, mask H×W)
SHAPES = {
    "stride 1": ((11, 7), (11.0, 7.0), (11, 7)),
    "stride 4": ((5, 9), (5.0, 9.0), (20, 36)),
    "padded": ((4, 6), (3.25, 5.5), (13, 22)),
    "shrunk": ((9, 8), (9.0, 8.0), (4, 5)),
}


def make(shape: str, seed: int = 0, classes: int = 6) -> tuple[Tensor, nn.Conv2d, Tensor]:
    torch.manual_seed(seed)
    feature_size, _, size = SHAPES[shape]
    features = torch.randn(3, 4, *feature_size)
    target = torch.randint(0, classes, (3, *size), dtype=torch.uint8)
    target[torch.rand(target.shape) < 0.3] = IGNORE
    return features, nn.Conv2d(4, classes, 1), target


def gradients(
    loss: SegmentationLoss, features: Tensor, head: nn.Conv2d, shape: str, target: Tensor
) -> tuple[Tensor, list[Tensor]]:
    features = features.clone().requires_grad_()
    total = loss(features, head, SHAPES[shape][1], target).total
    inputs = [features, *head.parameters()]
    return total.detach(), list(torch.autograd.grad(total / 7, inputs))


def reference(
    features: Tensor,
    head: nn.Conv2d,
    shape: str,
    target: Tensor,
    smoothing: float,
    weights: Tensor | None = None,
) -> tuple[Tensor, list[Tensor]]:
    """Compute loss and gradients in float64, with a separate interpolation of each pixel."""
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
            true = target[:, y, x]
            valid = true != IGNORE
            total = total + F.cross_entropy(
                value[valid],
                true[valid].long(),
                weight=weights,
                reduction="sum",
                label_smoothing=smoothing,
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


@pytest.mark.parametrize("tiled", [True, False])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("weighted", [True, False])
def test_loss_and_gradients_agree_with_float64(
    tiled: bool, shape: str, smoothing: float, weighted: bool
) -> None:
    features, head, target = make(shape)
    weights = [0.1, 2.0, 0.0, 1.0, 3.0, 0.5] if weighted else None
    loss = with_tiling(
        CrossEntropy(CrossEntropyLoss(label_smoothing=smoothing), IGNORE, weights), tiled=tiled
    )
    total, grads = gradients(loss, features, head, shape, target)
    double = None if weights is None else torch.tensor(weights, dtype=torch.float64)
    exact, exact_grads = reference(features, head, shape, target, smoothing, double)
    assert total.item() == pytest.approx(exact.item(), rel=1e-6)
    for grad, exact_grad in zip(grads, exact_grads, strict=True):
        error = (grad.double() - exact_grad).norm() / exact_grad.norm()
        assert error <= 1e-5


@pytest.mark.parametrize("shape", SHAPES)
def test_tiles_of_any_size_give_the_same_gradient(
    shape: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    features, head, target = make(shape)
    loss = CrossEntropy(CrossEntropyLoss(), IGNORE)
    whole = gradients(loss, features, head, shape, target)[1]
    monkeypatch.setitem(upsample.TILE_BYTES, "cpu", 1)
    for grad, expected in zip(
        gradients(loss, features, head, shape, target)[1], whole, strict=True
    ):
        torch.testing.assert_close(grad, expected)


@pytest.mark.parametrize("tiled", [True, False])
def test_void_pixels_change_neither_loss_nor_gradient(tiled: bool) -> None:
    features, head, target = make("stride 1")
    loss = with_tiling(CrossEntropy(CrossEntropyLoss(), IGNORE), tiled=tiled)
    before = gradients(loss, features, head, "stride 1", target)
    void = (target == IGNORE)[:, None].expand_as(features)
    moved = torch.where(void, features + 3, features)
    after = gradients(loss, moved, head, "stride 1", target)
    assert after[0] == before[0]
    for grad_after, grad_before in zip(after[1], before[1], strict=True):
        torch.testing.assert_close(grad_after, grad_before)
    assert (before[1][0][void] == 0).all()


@pytest.mark.parametrize("tiled", [True, False])
def test_a_mask_of_nothing_but_void_gives_zero(tiled: bool) -> None:
    features, head, target = make("stride 4")
    loss = with_tiling(CrossEntropy(CrossEntropyLoss(), IGNORE), tiled=tiled)
    total, grads = gradients(loss, features, head, "stride 4", torch.full_like(target, IGNORE))
    assert total == 0
    assert all((grad == 0).all() for grad in grads)


def test_tiled_and_untiled_count_the_same_confusion_matrix() -> None:
    features, head, target = make("padded")
    counts = [
        with_tiling(CrossEntropy(CrossEntropyLoss(), IGNORE), tiled=tiled)(
            features, head, SHAPES["padded"][1], target
        ).confusion
        for tiled in (True, False)
    ]
    torch.testing.assert_close(counts[0], counts[1])
    assert int(counts[0].sum()) == int((target != IGNORE).sum())
    assert counts[0].dtype == torch.int64


def test_tiles_are_no_less_exact_than_untiled_under_bf16() -> None:
    features, head, target = make("stride 4", classes=40)
    exact = reference(features, head, "stride 4", target, 0.0)[1][0]
    errors: dict[bool, float] = {}
    for tiled in (True, False):
        with torch.autocast("cpu", torch.bfloat16):
            grads = gradients(
                with_tiling(CrossEntropy(CrossEntropyLoss(), IGNORE), tiled=tiled),
                features,
                head,
                "stride 4",
                target,
            )
        errors[tiled] = float((grads[1][0].double() - exact).norm() / exact.norm())
    assert errors[True] <= errors[False]


def test_ignore_index_of_two_bytes_is_ignored() -> None:
    features, head, _ = make("stride 1")
    target = torch.zeros(3, 11, 7, dtype=torch.int32)
    target[:, 5:] = 65535
    loss = CrossEntropy(CrossEntropyLoss(), 65535)(features, head, (11.0, 7.0), target)
    assert int(loss.confusion.sum()) == 3 * 5 * 7


@pytest.mark.parametrize("classes", [1, 2, 150, 700])
@pytest.mark.parametrize("shape", ["stride 1", "padded"])
def test_tiled_agrees_with_untiled_for_any_number_of_classes(classes: int, shape: str) -> None:
    features = make(shape)[0]
    head = nn.Conv2d(4, classes, 1)
    target = torch.randint(0, classes, (3, *SHAPES[shape][2]), dtype=torch.int32)
    target[:, 2:5] = 65535
    results = {
        tiled: gradients(
            with_tiling(CrossEntropy(CrossEntropyLoss(), 65535), tiled=tiled),
            features,
            head,
            shape,
            target,
        )
        for tiled in (True, False)
    }
    torch.testing.assert_close(results[True][0], results[False][0], rtol=1e-5, atol=1e-4)
    for grad, expected in zip(results[True][1], results[False][1], strict=True):
        torch.testing.assert_close(grad, expected, rtol=1e-4, atol=1e-5)


def test_confident_logits_keep_a_finite_loss_and_gradient() -> None:
    features, head, target = make("stride 4")
    with torch.no_grad():
        features = features * 1e4
    total, grads = gradients(
        CrossEntropy(CrossEntropyLoss(), IGNORE), features, head, "stride 4", target
    )
    exact, exact_grads = reference(features, head, "stride 4", target, 0.0)
    assert total.item() == pytest.approx(exact.item(), rel=1e-5)
    for grad, exact_grad in zip(grads, exact_grads, strict=True):
        assert (grad.double() - exact_grad).norm() <= 1e-3 * exact_grad.norm()


class HeadAndLoss(nn.Module):
    """The end of a compiled network."""

    def __init__(self, head: nn.Conv2d) -> None:
        super().__init__()
        self.head = head
        self.loss = CrossEntropy(CrossEntropyLoss(), IGNORE)

    def forward(self, features: Tensor, target: Tensor) -> Tensor:
        return self.loss(features.relu(), self.head, SHAPES["padded"][1], target).total


@pytest.mark.slow
# Dynamo reads `.grad` of every input of a graph, non-leaf tensors too.
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor:UserWarning")
# PyTorch 2.6's Dynamo instantiates an autograd function, and PyTorch warns about that.
@pytest.mark.filterwarnings("ignore:.*should not be instantiated:DeprecationWarning")
def test_a_compiled_network_gets_the_same_loss_and_gradient() -> None:
    features, head, target = make("padded")
    module = HeadAndLoss(head)
    compiled = cast("nn.Module", torch.compile(module, backend="aot_eager"))
    results: list[list[Tensor]] = []
    for run in (module, compiled):
        inputs = features.clone().requires_grad_()
        total = run(inputs, target)
        results.append([total, *torch.autograd.grad(total, [inputs, *head.parameters()])])
    for eager, from_compiled in zip(*results, strict=True):
        torch.testing.assert_close(eager, from_compiled)


def test_the_big_tensor_is_never_made() -> None:
    features = torch.randn(1, 8, 64, 64, requires_grad=True)
    head, target = nn.Conv2d(8, 150, 1), torch.randint(0, 150, (1, 512, 512), dtype=torch.uint8)
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True, acc_events=True) as memory:
        CrossEntropy(CrossEntropyLoss(), IGNORE)(
            features, head, (64.0, 64.0), target
        ).total.backward()
    largest = max(event.self_cpu_memory_usage for event in memory.events() or ())
    assert largest < 4 * 150 * 512 * 512 / 8
