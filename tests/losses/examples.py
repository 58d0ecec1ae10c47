"""All losses with unusual settings, their definitions in float64, and small batches."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from sceneparse.losses.cross_entropy import CrossEntropy
from sceneparse.losses.dice import RegionLoss, dice, generalised_dice
from sceneparse.losses.focal import Focal
from sceneparse.losses.loss import SegmentationLoss, WeightedSum
from sceneparse.losses.lovasz import LovaszSoftmax
from sceneparse.losses.settings import (
    CrossEntropyLoss,
    DiceLoss,
    FocalLoss,
    GeneralisedDiceLoss,
    LovaszLoss,
)
from sceneparse.ops.upsampling import upsample

IGNORE = 255
WEIGHTS = [0.1, 2.0, 0.0, 1.0, 3.0, 0.5]
CLASSES = len(WEIGHTS)
AnyLoss = SegmentationLoss | WeightedSum
# (feature map h×w, rows and columns that the mask covers, mask H×W)
SHAPES = {
    "stride 1": ((11, 7), (11.0, 7.0), (11, 7)),
    "stride 2": ((6, 4), (6.0, 4.0), (12, 8)),
    "stride 4": ((5, 9), (5.0, 9.0), (20, 36)),
    "padded": ((4, 6), (3.25, 5.5), (13, 22)),
}


def with_tiling(loss: SegmentationLoss, *, tiled: bool) -> SegmentationLoss:
    """Choose whether a loss is computed tile by tile or from full-size logits."""
    loss.tiled = tiled
    return loss


def term(kind: str, ignore_index: int = IGNORE, *, tiled: bool = True) -> SegmentationLoss:
    """Make a loss with unusual settings; class weights are for six classes."""
    constructors: dict[str, Callable[[], SegmentationLoss]] = {
        "cross_entropy": lambda: CrossEntropy(CrossEntropyLoss(), ignore_index),
        "label_smoothing": lambda: CrossEntropy(
            CrossEntropyLoss(label_smoothing=0.2), ignore_index, WEIGHTS
        ),
        "focal": lambda: Focal(FocalLoss(gamma=1.5), ignore_index),
        "weighted_focal": lambda: Focal(FocalLoss(gamma=0.5), ignore_index, WEIGHTS),
        "dice": lambda: RegionLoss(DiceLoss(), ignore_index, dice),
        "generalised_dice": lambda: RegionLoss(
            GeneralisedDiceLoss(), ignore_index, generalised_dice
        ),
        "lovasz": lambda: LovaszSoftmax(LovaszLoss(), ignore_index),
    }
    return with_tiling(constructors[kind](), tiled=tiled)


KINDS = (
    "cross_entropy",
    "label_smoothing",
    "focal",
    "weighted_focal",
    "dice",
    "generalised_dice",
    "lovasz",
)
# The losses for any number of classes.
UNWEIGHTED = tuple(kind for kind in KINDS if kind not in ("label_smoothing", "weighted_focal"))


def sum_of_all_losses(ignore_index: int = IGNORE, *, tiled: bool = True) -> WeightedSum:
    """Make a sum of all losses, each with a different weight."""
    losses = [term(kind, ignore_index, tiled=tiled) for kind in UNWEIGHTED]
    for index, loss in enumerate(losses):
        loss.weight = 1 + index / 4
    return WeightedSum(losses)


def example(
    shape: str, seed: int = 0, classes: int = CLASSES, ignore_index: int = IGNORE
) -> tuple[Tensor, nn.Conv2d, Tensor]:
    """Draw features, a head, and masks of square blocks and void; class 1 never occurs."""
    torch.manual_seed(seed)
    feature_size, _, (height, width) = SHAPES[shape]
    features = torch.randn(3, 4, *feature_size)
    blocks = torch.randint(0, classes, (3, -(-height // 3), -(-width // 3)), dtype=torch.int32)
    blocks[blocks == 1] = 0
    target = blocks.repeat_interleave(3, 1).repeat_interleave(3, 2)[:, :height, :width].clone()
    target[torch.rand(target.shape) < 0.2] = ignore_index
    return features, nn.Conv2d(4, classes, 1), target


def gradients(
    loss: AnyLoss, features: Tensor, head: nn.Conv2d, shape: str, target: Tensor
) -> tuple[Tensor, list[Tensor]]:
    """Compute the mean over valid pixels, as training does, and its gradients."""
    features = features.clone().requires_grad_()
    mean = loss(features, head, SHAPES[shape][1], target).total / (target != IGNORE).sum()
    return mean.detach(), list(torch.autograd.grad(mean, [features, *head.parameters()]))


def exact(
    kind: str, features: Tensor, head: nn.Conv2d, shape: str, target: Tensor
) -> tuple[Tensor, list[Tensor]]:
    """Compute the mean and its gradients from the definition of the loss in float64."""
    double = nn.Conv2d(head.in_channels, head.out_channels, 1).double()
    double.load_state_dict(head.state_dict())
    features = features.double().requires_grad_()
    _, covered, size = SHAPES[shape]
    logits = upsample(double(features), covered, size)
    mean = definition(kind, logits, target)
    return mean.detach(), list(torch.autograd.grad(mean, [features, *double.parameters()]))


def definition(kind: str, logits: Tensor, target: Tensor) -> Tensor:
    """Compute a loss with the settings of `term` by the formula of its paper."""
    valid = target != IGNORE
    log_p = logits.log_softmax(1).movedim(1, -1)[valid]
    true = target[valid].long()
    p, true_log_p, classes = (
        log_p.exp(),
        log_p[torch.arange(len(true)), true],
        range(log_p.shape[1]),
    )
    weights = torch.tensor(WEIGHTS, dtype=torch.float64)
    present = [c for c in classes if (true == c).any()]
    match kind:
        case "cross_entropy":
            return -true_log_p.mean()
        case "label_smoothing":
            smoothed = (weights * log_p).sum(1) * 0.2 / log_p.shape[1]
            return -(0.8 * weights[true] * true_log_p + smoothed).mean()
        case "focal":
            return -((1 - true_log_p.exp()) ** 1.5 * true_log_p).mean()
        case "weighted_focal":
            return -(weights[true] * (1 - true_log_p.exp()) ** 0.5 * true_log_p).mean()
        case "lovasz":
            return torch.stack([lovasz_reference(p[:, c], true == c) for c in present]).mean()
        case _:
            return region_reference(kind, p, true, present)


def region_reference(kind: str, p: Tensor, true: Tensor, present: list[int]) -> Tensor:
    """Compute the Dice losses class by class."""
    values: list[Tensor] = []
    numerator = denominator = torch.zeros((), dtype=torch.float64)
    for c in present:
        is_true = (true == c).double()
        right, others, missed = (
            (p[:, c] * is_true).sum(),
            (p[:, c] * (1 - is_true)).sum(),
            ((1 - p[:, c]) * is_true).sum(),
        )
        if kind == "dice":
            values.append(1 - 2 * right / (2 * right + others + missed))
        numerator = numerator + right / is_true.sum() ** 2
        denominator = denominator + (p[:, c].sum() + is_true.sum()) / is_true.sum() ** 2
    return (
        1 - 2 * numerator / denominator
        if kind == "generalised_dice"
        else torch.stack(values).mean()
    )


def lovasz_reference(p: Tensor, is_true: Tensor) -> Tensor:
    """Add pixels to the set of wrong pixels by decreasing error; sum error times Jaccard rise."""
    errors = torch.where(is_true, 1 - p, p)
    wrong = torch.zeros_like(is_true)
    total, before = torch.zeros((), dtype=torch.float64), 0.0
    for index in errors.argsort(descending=True).tolist():
        wrong[index] = True
        now = float(wrong.sum() / (is_true | wrong).sum())
        total = total + errors[index] * (now - before)
        before = now
    return total
