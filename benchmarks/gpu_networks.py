"""Checks of copies to the device, of networks in training, and of trained models."""

import math
import shutil
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

import material
from gpu_common import Found, Here, Skipped, encoder_unet, first_loss, in_fp32, unet
from gpu_runs import small_config
from sceneparse.artifacts.weights import StoredModel
from sceneparse.data.datasets.synthetic import SyntheticScenes
from sceneparse.factory.loading import find_weights, predictor_of
from sceneparse.system.device import native_precision
from sceneparse.tasks.train import train
from sceneparse.training.loop import _on_device


def copies(here: Here) -> Found:
    """Batches that are copied while the device is at work arrive as they are."""
    setup = unet(here.device).setup
    side, wrong = (32, 0) if here.quick else (512, 0)
    busy = torch.randn(side, side, device=here.device)
    arrived: list[tuple[Tensor, Tensor]] = []
    for seed in range(8):
        for _ in range(10):
            busy = busy @ busy / side
        # The host's memory is given back at once, and taken by the next batch.
        arrived.append(_on_device(setup, material.batch(4, side, side, 150, seed)))
    for seed, (image, mask) in enumerate(arrived):
        batch = material.batch(4, side, side, 150, seed)
        bytes_there = image.permute(0, 2, 3, 1).round().byte().cpu().numpy()
        wrong += int((bytes_there != batch.image).sum()) + int(
            (mask.cpu().numpy() != batch.mask).sum()
        )
    return Found(wrong, 0, "bytes that differ; colours that are not changed stay within 1e-3")


def memory_formats(here: Here) -> Found:
    """The first step has the same loss channels last and contiguous."""
    losses = [
        first_loss(here.device, [], memory_format=layout)
        for layout in ("channels_last", "contiguous")
    ]
    return Found(abs(losses[0] / losses[1] - 1), 1e-4, "fp32 without TF32; other orders of sums")


_OPTIONS = {
    "plain": [],
    "separable": ["model.block=separable"],
    "group": ["model.normalization=group", "model.head_levels=2"],
    "frozen": ["model.freeze_stages=2", "model.freeze_norm=true"],
    "resnet18": ["model.encoder=resnet18"],
    "convnext": ["model.encoder=convnext_atto"],
}


def model_options(here: Here) -> Found:
    """The first step of each kind of network has the loss that it has on the CPU."""
    chosen = dict(list(_OPTIONS.items())[:2]) if here.quick else _OPTIONS
    errors = {
        name: abs(first_loss(here.device, extra) / first_loss(torch.device("cpu"), extra) - 1)
        for name, extra in chosen.items()
    }
    worst = max(errors, key=errors.__getitem__)
    reason = "fp32 without TF32: some hundred layers, each with sums that err by about 1e-6"
    return Found(errors[worst], 1e-3, reason, f"worst {worst}")


def random_options(here: Here) -> Found:
    """What draws random numbers on the device gives finite losses."""
    extra = ["model.dropout=0.2", "model.drop_path=0.1"]
    ready, batch = encoder_unet(here.device, extra)
    losses = [float(ready.step(batch)) for _ in range(3)]
    wrong = sum(not math.isfinite(loss) for loss in losses)
    return Found(wrong, 0, "losses that are no number", f"{losses[-1]:.3f}")


def fp16_learns(here: Here) -> Found:
    """With fp16 and the gradient scaler, steps on one batch lower its loss."""
    ready, batch = unet(here.device, precision="fp16"), material.batch(4, 128, 128, 150)
    if here.quick:
        batch = material.batch(2, 32, 32, 150)
    losses = [float(ready.step(batch)) for _ in range(5 if here.quick else 20)]
    note = f"{losses[0]:.3f} to {losses[-1]:.3f}"
    return Found(losses[-1] / losses[0], 0.99, "it is the same batch in each step", note)


def compiled_step(here: Here) -> Found:
    """A compiled network has the first loss of the same network that is not."""
    if here.device.type == "cpu" and (here.quick or shutil.which("g++") is None):
        raise Skipped("on the CPU it takes a C++ compiler, and long")
    precision = native_precision(here.device)
    losses: list[list[float]] = []
    for compiled in (False, True):
        ready = unet(here.device, compiled=compiled, precision=precision)
        batch = material.batch(4, 128, 128, 150)
        losses.append([float(ready.step(batch)) for _ in range(3)])
    first = abs(losses[1][0] / losses[0][0] - 1)
    reason = (
        "bf16 rounds each number by up to 0.4 %, compiled code less often; the mean over "
        "65,536 pixels evens that out; fp32 differs by far less"
    )
    note = f"third loss {losses[0][2]:.4f} and {losses[1][2]:.4f}"
    return Found(first if all(map(math.isfinite, losses[1])) else math.nan, 5e-3, reason, note)


def bundled_fp32(here: Here) -> Found:
    """The model of the package, in fp32, predicts what it predicts on the CPU."""
    weights = _in_precision(find_weights("bundled"), "fp32")
    with in_fp32(here.device):
        return _apart(here, weights, weights, 1e-3, "only where two classes are equal to 1e-5")


def bundled_native(here: Here) -> Found:
    """The model of the package, in the precision of the device, predicts much the same."""
    weights = find_weights("bundled")
    reason = "bf16 rounds each number by up to 0.4 %: on a CPU that changed 2.8 % of these pixels"
    fp32 = _in_precision(weights, "fp32")
    return _apart(here, weights, fp32, 0.05, reason)


def weights_move(here: Here) -> Found:
    """Weights that were written on the device predict the same on the CPU."""
    folder = here.folder / "moved"
    train(small_config(here, "fp32", epochs=1), out=folder)
    weights = find_weights(folder)
    with in_fp32(here.device):
        return _apart(here, weights, weights, 1e-3, "only where two classes are equal to 1e-5")


def _in_precision(weights: StoredModel, precision: str) -> StoredModel:
    training = replace(weights.config.training, precision=precision)
    return weights._replace(config=replace(weights.config, training=training))


def _apart(here: Here, there: StoredModel, on_cpu: StoredModel, limit: float, reason: str) -> Found:
    """Compare predictions on the device and on the CPU: the share of pixels that differ."""
    one, other = predictor_of(there, here.device), predictor_of(on_cpu, torch.device("cpu"))
    scenes = SyntheticScenes(1 if here.quick else 4, 192, 256, seed=0)
    pairs = [(one(scenes[place].image), other(scenes[place].image)) for place in range(len(scenes))]
    differ = float(np.mean([np.mean(mine.mask != own.mask) for mine, own in pairs]))
    sure = max(float(np.abs(mine.confidence - own.confidence).max()) for mine, own in pairs)
    return Found(differ, limit, reason, f"confidence differs by up to {sure:.1e}")
