"""Checks of matrix products, losses, label maps and colours against float64 references."""

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import material
from gpu_common import IGNORE, CheckContext, CheckResult, in_fp32, unet
from sceneparse.augmentation.colors import jitter_colors, jitter_colors_of_batch
from sceneparse.augmentation.parameters import ColorJitter
from sceneparse.data.datasets.synthetic import SyntheticScenes
from sceneparse.inference.decision import label_map, score
from sceneparse.inference.network import ImageLogits
from sceneparse.losses.loss import SegmentationLoss, WeightedSum
from sceneparse.losses.settings import (
    CrossEntropyLoss,
    DiceLoss,
    FocalLoss,
    GeneralisedDiceLoss,
    LossSettings,
    LovaszLoss,
    SumLoss,
)
from sceneparse.ops.precision import exact_products
from sceneparse.ops.upsampling import upsample
from sceneparse.system.device import allow_tf32

# Memory of a decision, as `inference.memory_budget_mb`.
BUDGET = 256 * 2**20


def tf32_switch(context: CheckContext) -> CheckResult:
    """`exact_products` switches TF32 in a way that torch.compile can read."""
    allow_tf32()
    inside: list[str] = []
    for _ in range(2):
        with exact_products(torch.device("cuda")):
            inside.append(torch.get_float32_matmul_precision())
    after = torch.get_float32_matmul_precision()
    num_wrong = sum(value != "highest" for value in inside) + (after != "high")
    num_wrong += not torch.backends.cuda.matmul.allow_tf32
    torch.set_float32_matmul_precision("highest")
    return CheckResult(
        num_wrong, 0, "`highest` inside `exact_products`, unchanged outside", context.device.type
    )


def tf32_products(context: CheckContext) -> CheckResult:
    """Inside `exact_products`, a product has the error of fp32, even if TF32 is allowed."""
    torch.manual_seed(0)
    size = 64 if context.quick else 2048
    left, right = (torch.randn(size, size, device=context.device) for _ in range(2))
    exact = left.double() @ right.double()
    allow_tf32()
    tf32_error = _error(left @ right, exact)
    with exact_products(context.device):
        error = _error(left @ right, exact)
    torch.set_float32_matmul_precision("highest")
    reason = "sums of n products have an error of about sqrt(n) · 6e-8 in fp32, of 3e-4 in TF32"
    return CheckResult(error, 2e-5, reason, f"outside {tf32_error:.1e}")


# (feature map h×w, rows and columns that the mask covers, mask H×W); stride 4 with padding, and 1.
_SHAPES = (((64, 64), (62.5, 61.5), (250, 246)), ((96, 80), (96.0, 80.0), (96, 80)))
_QUICK_SHAPES = (((8, 8), (7.5, 7.25), (30, 29)), ((9, 11), (9.0, 11.0), (9, 11)))


def losses_fp32(context: CheckContext) -> CheckResult:
    """Every tiled loss and its gradients equal the definition in float64."""
    return _losses(context, torch.float32)


def losses_bf16(context: CheckContext) -> CheckResult:
    """Every tiled loss of bf16 features under autocast equals the definition in float64."""
    return _losses(context, torch.bfloat16)


def losses_fp16(context: CheckContext) -> CheckResult:
    """Every tiled loss of fp16 features with the gradient scaler equals the definition."""
    return _losses(context, torch.float16)


def _losses(context: CheckContext, dtype: torch.dtype) -> CheckResult:
    allow_tf32()
    # The gradient of the features is rounded to their type twice; all else is fp32.
    limits = {"loss": 1e-5, "features": max(1e-5, 2.0 * torch.finfo(dtype).eps), "head": 1e-5}
    worst, note, untiled_worst = 0.0, "", 0.0
    for shape in _QUICK_SHAPES if context.quick else _SHAPES:
        features, head, target = _loss_example(context, shape, dtype)
        for name, config in _loss_configs(head.out_channels).items():
            exact = _exact_loss(config, features, head, shape, target)
            for tiled in (True, False):
                loss = _with_tiling(config.build(material.labels(head.out_channels)), tiled)
                errors = _loss_errors(loss, features, head, shape, target, exact)
                share = max(errors[part] / limits[part] for part in limits)
                if not tiled:
                    untiled_worst = max(untiled_worst, share)
                elif not share <= worst:
                    worst = share
                    text = ", ".join(f"{part} {error:.1e}" for part, error in errors.items())
                    note = f"{name} at {shape[2]}: {text}"
    torch.set_float32_matmul_precision("highest")
    reason = (
        "error as a share of the tolerance: 1e-5 of the norm for loss and head, summed in fp32 "
        f"or better; {limits['features']:.1e} for features, rounded to their type twice"
    )
    return CheckResult(worst, 1.0, reason, f"{note}; without tiles {untiled_worst:.2g}")


def _loss_configs(classes: int) -> dict[str, LossSettings | SumLoss]:
    weights = tuple(0.25 + (index % 5) / 2 for index in range(classes))
    single = {
        "cross_entropy": CrossEntropyLoss(),
        "label_smoothing": CrossEntropyLoss(label_smoothing=0.1, class_weights=weights),
        "focal": FocalLoss(gamma=1.5, class_weights=weights),
        "dice": DiceLoss(),
        "generalised_dice": GeneralisedDiceLoss(),
        "lovasz": LovaszLoss(),
    }
    return {**single, "sum": SumLoss(terms=tuple(single.values()))}


def _with_tiling(
    loss: SegmentationLoss | WeightedSum, tiled: bool
) -> SegmentationLoss | WeightedSum:
    for term in loss.losses if isinstance(loss, WeightedSum) else [loss]:
        term.tiled = tiled
    return loss


def _loss_example(
    context: CheckContext, shape: Any, dtype: torch.dtype
) -> tuple[Tensor, nn.Conv2d, Tensor]:
    torch.manual_seed(0)
    feature_size, _, size = shape
    images, channels, classes = (1, 8, 7) if context.quick else (2, 48, 150)
    features = torch.randn(images, channels, *feature_size)
    features = features.to(context.device, dtype, memory_format=torch.channels_last)
    target = torch.from_numpy(material.mask((images, *size), classes)).to(context.device)
    return features, nn.Conv2d(channels, classes, 1).to(context.device), target


def _exact_loss(
    config: LossSettings | SumLoss, features: Tensor, head: nn.Conv2d, shape: Any, target: Tensor
) -> list[Tensor]:
    """Compute the mean loss and its gradients from the definition in float64."""
    loss = config.build(material.labels(head.out_channels))
    terms = loss.losses if isinstance(loss, WeightedSum) else [loss]
    double, inputs = copy.deepcopy(head).double(), features.double().requires_grad_()
    logits = upsample(double(inputs), shape[1], shape[2])
    parts = [term.weight * term.untiled(logits, target) for term in terms]
    mean = torch.stack(parts).sum() / (target != IGNORE).sum()
    return [mean.detach(), *torch.autograd.grad(mean, [inputs, *double.parameters()])]


def _loss_errors(
    loss: SegmentationLoss | WeightedSum,
    features: Tensor,
    head: nn.Conv2d,
    shape: Any,
    target: Tensor,
    exact: Sequence[Tensor],
) -> dict[str, float]:
    """Compute loss and gradients as a training step does; return their relative errors."""
    kind, dtype = features.device.type, features.dtype
    scaler = torch.amp.GradScaler(kind, enabled=dtype == torch.float16)
    inputs = features.clone().requires_grad_()
    with torch.autocast(kind, dtype, enabled=dtype != torch.float32):
        total = loss(inputs, head, shape[1], target).total
    mean = total / (target != IGNORE).sum()
    grads = torch.autograd.grad(scaler.scale(mean), [inputs, *head.parameters()])
    scale = scaler.get_scale()
    errors = [
        _error(grad.double() / scale, exact_grad)
        for grad, exact_grad in zip(grads, exact[1:], strict=True)
    ]
    loss_error = float((mean.detach().double() - exact[0]).abs() / exact[0].abs())
    return {"loss": loss_error, "features": errors[0], "head": max(errors[1:])}


def _error(found: Tensor, exact: Tensor) -> float:
    """Return the relative error by the 2-norm; NaN stays NaN."""
    return float((found.double() - exact).norm() / exact.norm())


def label_maps(context: CheckContext) -> CheckResult:
    """Tiled label map, confidence and score equal those of upsampled logits in float64."""
    size, classes = ((90, 70), 7) if context.quick else ((1050, 900), 150)
    torch.manual_seed(0)
    logits = torch.randn(1, classes, size[0] // 8, size[1] // 8)
    mask = material.mask(size, classes)
    allow_tf32()
    feature_size = (float(logits.shape[2]), float(logits.shape[3]))
    on_device = ImageLogits(logits[0].to(context.device), feature_size)
    prediction = label_map(on_device, size, np.uint8, BUDGET)
    counts = score(on_device, mask, IGNORE, BUDGET)
    torch.set_float32_matmul_precision("highest")
    upsampled = F.interpolate(logits.to(context.device).double(), size=size, mode="bilinear")
    chosen = torch.from_numpy(prediction.mask).long().to(context.device)[None, None]
    # Another class may win if its logit equals the largest in all but the last digits.
    below = float((upsampled.amax(1) - upsampled.gather(1, chosen)[:, 0]).max())
    found_confidence = torch.from_numpy(prediction.confidence).to(context.device)
    confidence = float((upsampled.softmax(1).amax(1)[0] - found_confidence).abs().max())
    target = torch.from_numpy(mask).long().to(context.device)[None]
    loss = float(F.cross_entropy(upsampled, target, ignore_index=IGNORE, reduction="sum"))
    counted = int(counts.confusion.sum()) - int((mask != IGNORE).sum())
    right = int((mask == prediction.mask).sum()) - int(np.trace(counts.confusion[:, :-1]))
    figures = [below / 1e-5, confidence / 1e-5, abs(counts.loss / loss - 1) / 1e-5]
    reason = (
        "error as a share of 1e-5: four roundings of 6e-8 in logits up to 5; every pixel is "
        "counted once"
    )
    note = f"below the maximum {below:.1e}, confidence {confidence:.1e}"
    return CheckResult(max(*figures, float(counted != 0), float(right != 0) * 2), 1.0, reason, note)


def wide_masks(context: CheckContext) -> CheckResult:
    """Scores and losses of 16-bit masks equal those on the CPU."""
    narrow = material.mask((2, 64, 64), 200)
    masks = np.where(narrow == IGNORE, np.uint16(65535), narrow)
    logits = np.random.default_rng(0).standard_normal((300, 16, 16), np.float32)
    found: list[list[float]] = []
    for device in (torch.device("cpu"), context.device):
        on_device = ImageLogits(torch.from_numpy(logits).to(device), (16.0, 16.0))
        counts = score(on_device, masks[0], 65535, BUDGET)
        batch = material.batch(2, 64, 64, 200)._replace(mask=masks)
        ready = unet(device, classes=300)
        with in_fp32(device):
            found.append([counts.loss, float(counts.confusion.sum()), float(ready.step(batch))])
    error = max(abs(cpu_value / value - 1) for cpu_value, value in zip(*found, strict=True))
    return CheckResult(error, 1e-4, "fp32 on both devices: some hundred roundings of 6e-8")


def colors(context: CheckContext) -> CheckResult:
    """Colour changes of a batch equal those on the CPU."""
    changes = [
        ColorJitter(1.2, 0.8, 1.3, 0.1),
        ColorJitter(0.7, 1.3, 0.6, -0.2),
        ColorJitter(),
        ColorJitter(hue=0.5),
    ]
    images = SyntheticScenes(len(changes), 64 if context.quick else 256, 96, seed=0)
    stack = np.stack([images[index].image for index in range(len(changes))])
    batch, change = torch.from_numpy(stack).permute(0, 3, 1, 2), torch.tensor(changes)
    expected = jitter_colors_of_batch(batch, change)
    found = jitter_colors_of_batch(batch.to(context.device), change.to(context.device)).cpu()
    by_bytes = np.stack([jitter_colors(*pair) for pair in zip(stack, changes, strict=True)])
    byte_difference = np.abs(by_bytes - found.permute(0, 2, 3, 1).numpy()).mean()
    reason = "error in 1/255: some twenty roundings of 255 · 6e-8, and an fp32 mean (1e-5 · 255)"
    return CheckResult(
        float((found - expected).abs().max()),
        0.02,
        reason,
        f"difference from the change of bytes {byte_difference:.2f}",
    )
