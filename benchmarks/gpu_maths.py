"""Checks of products, losses, label maps and colours, against definitions in float64."""

import copy
from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import material
from gpu_common import IGNORE, Found, Here, in_fp32, unet
from sceneparse.augmentation.colors import jitter_colors, jitter_colors_of_batch
from sceneparse.augmentation.parameters import ColorJitter
from sceneparse.data.datasets.synthetic import SyntheticScenes
from sceneparse.inference.backends.torch import TorchBackend
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


def tf32_switch(here: Here) -> Found:
    """TF32 is switched in a way that other libraries can read: Fabric and torch.compile do."""
    allow_tf32()
    inside: list[str] = []
    for _ in range(2):
        with exact_products(torch.device("cuda")):
            inside.append(torch.get_float32_matmul_precision())
    after = torch.get_float32_matmul_precision()
    wrong = sum(value != "highest" for value in inside) + (after != "high")
    wrong += not torch.backends.cuda.matmul.allow_tf32
    torch.set_float32_matmul_precision("highest")
    return Found(wrong, 0, "inside `exact_products` highest, outside what it was", here.device.type)


def tf32_products(here: Here) -> Found:
    """Inside `exact_products` a product has the error of fp32, whatever TF32 is allowed to do."""
    torch.manual_seed(0)
    size = 64 if here.quick else 2048
    left, right = (torch.randn(size, size, device=here.device) for _ in range(2))
    exact = left.double() @ right.double()
    allow_tf32()
    rough = _error(left @ right, exact)
    with exact_products(here.device):
        error = _error(left @ right, exact)
    torch.set_float32_matmul_precision("highest")
    reason = "sums of n products err by about sqrt(n) · 6e-8 in fp32, and by 3e-4 in TF32"
    return Found(error, 2e-5, reason, f"outside {rough:.1e}")


# (features h×w, covered cells, mask H×W): a decoder at stride 4 with padding, and one at stride 1.
_SHAPES = (((64, 64), (62.5, 61.5), (250, 246)), ((96, 80), (96.0, 80.0), (96, 80)))
_QUICK_SHAPES = (((8, 8), (7.5, 7.25), (30, 29)), ((9, 11), (9.0, 11.0), (9, 11)))


def losses_fp32(here: Here) -> Found:
    """Every loss in tiles is its definition in float64, and so are its gradients."""
    return _losses(here, torch.float32)


def losses_bf16(here: Here) -> Found:
    """The same of features in bf16, under autocast."""
    return _losses(here, torch.bfloat16)


def losses_fp16(here: Here) -> Found:
    """The same of features in fp16, under autocast and with the gradient scaler."""
    return _losses(here, torch.float16)


def _losses(here: Here, dtype: torch.dtype) -> Found:
    allow_tf32()
    # What goes back to the features is rounded to their type twice; all else is in fp32.
    limits = {"loss": 1e-5, "features": max(1e-5, 2.0 * torch.finfo(dtype).eps), "head": 1e-5}
    worst, note, plain_worst = 0.0, "", 0.0
    for shape in _QUICK_SHAPES if here.quick else _SHAPES:
        features, head, target = _loss_example(here, shape, dtype)
        for name, config in _loss_configs(head.out_channels).items():
            exact = _exact_loss(config, features, head, shape, target)
            for tiled in (True, False):
                loss = _one_way(config.build(material.labels(head.out_channels)), tiled)
                errors = _loss_errors(loss, features, head, shape, target, exact)
                share = max(errors[part] / limits[part] for part in limits)
                if not tiled:
                    plain_worst = max(plain_worst, share)
                elif not share <= worst:
                    worst = share
                    text = ", ".join(f"{part} {error:.1e}" for part, error in errors.items())
                    note = f"{name} at {shape[2]}: {text}"
    torch.set_float32_matmul_precision("highest")
    reason = (
        "a share of the tolerances: 1e-5 of the norm for loss and head, which are summed in fp32 "
        f"or better; {limits['features']:.1e} for features, which are rounded to their type twice"
    )
    return Found(worst, 1.0, reason, f"{note}; without tiles {plain_worst:.2g}")


def _loss_configs(classes: int) -> dict[str, LossSettings | SumLoss]:
    weights = tuple(0.25 + (place % 5) / 2 for place in range(classes))
    alone = {
        "cross_entropy": CrossEntropyLoss(),
        "smooth": CrossEntropyLoss(label_smoothing=0.1, class_weights=weights),
        "focal": FocalLoss(gamma=1.5, class_weights=weights),
        "dice": DiceLoss(),
        "generalised_dice": GeneralisedDiceLoss(),
        "lovasz": LovaszLoss(),
    }
    return {**alone, "sum": SumLoss(terms=tuple(alone.values()))}


def _one_way(loss: SegmentationLoss | WeightedSum, tiled: bool) -> SegmentationLoss | WeightedSum:
    for term in loss.losses if isinstance(loss, WeightedSum) else [loss]:
        term.tiled = tiled
    return loss


def _loss_example(here: Here, shape: Any, dtype: torch.dtype) -> tuple[Tensor, nn.Conv2d, Tensor]:
    torch.manual_seed(0)
    cells, _, size = shape
    images, channels, classes = (1, 8, 7) if here.quick else (2, 48, 150)
    features = torch.randn(images, channels, *cells)
    features = features.to(here.device, dtype, memory_format=torch.channels_last)
    target = torch.from_numpy(material.mask((images, *size), classes)).to(here.device)
    return features, nn.Conv2d(channels, classes, 1).to(here.device), target


def _exact_loss(
    config: LossSettings | SumLoss, features: Tensor, head: nn.Conv2d, shape: Any, target: Tensor
) -> list[Tensor]:
    """Compute the mean loss and its gradients by definition in float64."""
    loss = config.build(material.labels(head.out_channels))
    terms = loss.losses if isinstance(loss, WeightedSum) else [loss]
    double, moving = copy.deepcopy(head).double(), features.double().requires_grad_()
    logits = upsample(double(moving), shape[1], shape[2])
    parts = [term.weight * term.plain(logits, target) for term in terms]
    mean = torch.stack(parts).sum() / (target != IGNORE).sum()
    return [mean.detach(), *torch.autograd.grad(mean, [moving, *double.parameters()])]


def _loss_errors(
    loss: SegmentationLoss | WeightedSum,
    features: Tensor,
    head: nn.Conv2d,
    shape: Any,
    target: Tensor,
    exact: Sequence[Tensor],
) -> dict[str, float]:
    """Compute the same as a training step does, and compare."""
    kind, dtype = features.device.type, features.dtype
    scaler = torch.amp.GradScaler(kind, enabled=dtype == torch.float16)
    moving = features.clone().requires_grad_()
    with torch.autocast(kind, dtype, enabled=dtype != torch.float32):
        total = loss(moving, head, shape[1], target).total
    mean = total / (target != IGNORE).sum()
    grads = torch.autograd.grad(scaler.scale(mean), [moving, *head.parameters()])
    scale = scaler.get_scale()
    errors = [
        _error(grad.double() / scale, own) for grad, own in zip(grads, exact[1:], strict=True)
    ]
    of_loss = float((mean.detach().double() - exact[0]).abs() / exact[0].abs())
    return {"loss": of_loss, "features": errors[0], "head": max(errors[1:])}


def _error(found: Tensor, exact: Tensor) -> float:
    """Return the norm of the difference over that of the exact one; not a number stays that."""
    return float((found.double() - exact).norm() / exact.norm())


def label_maps(here: Here) -> Found:
    """Label map, confidence and score in tiles are those of upsampled logits in float64."""
    size, classes = ((90, 70), 7) if here.quick else ((1050, 900), 150)
    torch.manual_seed(0)
    logits = torch.randn(1, classes, size[0] // 8, size[1] // 8)
    labels = material.labels(classes)
    backend = TorchBackend(nn.Identity(), labels, (4, 4), here.device, nullcontext)
    mask = material.mask(size, classes)
    allow_tf32()
    cells = (float(logits.shape[2]), float(logits.shape[3]))
    answer = backend.label_map(logits[0].numpy(), cells, size)
    counts = backend.score(logits[0].numpy(), cells, mask)
    torch.set_float32_matmul_precision("highest")
    wide = F.interpolate(logits.to(here.device).double(), size=size, mode="bilinear")
    chosen = torch.from_numpy(answer.mask).long().to(here.device)[None, None]
    # A class may be chosen that is equal to the best one in all but the last digits.
    below = float((wide.amax(1) - wide.gather(1, chosen)[:, 0]).max())
    sure = torch.from_numpy(answer.confidence).to(here.device)
    confidence = float((wide.softmax(1).amax(1)[0] - sure).abs().max())
    target = torch.from_numpy(mask).long().to(here.device)[None]
    loss = float(F.cross_entropy(wide, target, ignore_index=IGNORE, reduction="sum"))
    counted = int(counts.confusion.sum()) - int((mask != IGNORE).sum())
    right = int((mask == answer.mask).sum()) - int(np.trace(counts.confusion[:, :-1]))
    figures = [below / 1e-5, confidence / 1e-5, abs(counts.loss / loss - 1) / 1e-5]
    reason = (
        "a share of 1e-5: logits up to 5 are mixed from four cells with four roundings of 6e-8; "
        "and every pixel is counted once"
    )
    note = f"below the best {below:.1e}, confidence {confidence:.1e}"
    return Found(max(*figures, float(counted != 0), float(right != 0) * 2), 1.0, reason, note)


def wide_masks(here: Here) -> Found:
    """Masks of 16 bits are counted and learned from as on the CPU."""
    narrow = material.mask((2, 64, 64), 200)
    masks = np.where(narrow == IGNORE, np.uint16(65535), narrow)
    logits = np.random.default_rng(0).standard_normal((300, 16, 16), np.float32)
    found: list[list[float]] = []
    for device in (torch.device("cpu"), here.device):
        backend = TorchBackend(nn.Identity(), material.labels(300), (4, 4), device, nullcontext)
        counts = backend.score(logits, (16.0, 16.0), masks[0])
        batch = material.batch(2, 64, 64, 200)._replace(mask=masks)
        ready = unet(device, classes=300)
        with in_fp32(device):
            found.append([counts.loss, float(counts.confusion.sum()), float(ready.step(batch))])
    error = max(abs(own / other - 1) for own, other in zip(*found, strict=True))
    return Found(error, 1e-4, "fp32 on both sides: 6e-8 in each of some hundred roundings")


def colors(here: Here) -> Found:
    """Colours of a batch are changed as on the CPU."""
    drawn = [
        ColorJitter(1.2, 0.8, 1.3, 0.1),
        ColorJitter(0.7, 1.3, 0.6, -0.2),
        ColorJitter(),
        ColorJitter(hue=0.5),
    ]
    images = SyntheticScenes(len(drawn), 64 if here.quick else 256, 96, seed=0)
    stack = np.stack([images[place].image for place in range(len(drawn))])
    batch, change = torch.from_numpy(stack).permute(0, 3, 1, 2), torch.tensor(drawn)
    expected = jitter_colors_of_batch(batch, change)
    found = jitter_colors_of_batch(batch.to(here.device), change.to(here.device)).cpu()
    by_bytes = np.stack([jitter_colors(*pair) for pair in zip(stack, drawn, strict=True)])
    apart = np.abs(by_bytes - found.permute(0, 2, 3, 1).numpy()).mean()
    reason = (
        "of 255: some twenty roundings of 255 · 6e-8, and a mean of all pixels in fp32 (1e-5 · 255)"
    )
    return Found(
        float((found - expected).abs().max()), 0.02, reason, f"from those of bytes {apart:.2f}"
    )
