"""Checks of copies to the device, of training steps, and of trained models."""

import math
import shutil
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

import material
from gpu_common import (
    CheckContext,
    CheckResult,
    CheckSkipped,
    encoder_unet,
    first_loss,
    in_fp32,
    unet,
)
from gpu_runs import small_config
from sceneparse.artifacts.weights import StoredModel
from sceneparse.data.datasets.synthetic import SyntheticScenes
from sceneparse.factory.torch_loading import find_weights, predictor_of
from sceneparse.system.device import native_precision
from sceneparse.tasks.train import train
from sceneparse.training.loop import to_device


def copies(context: CheckContext) -> CheckResult:
    """Batches that are copied while the device computes arrive unchanged."""
    setup = unet(context.device).setup
    side, num_wrong = (32, 0) if context.quick else (512, 0)
    busy = torch.randn(side, side, device=context.device)
    arrived: list[tuple[Tensor, Tensor]] = []
    for seed in range(8):
        for _ in range(10):
            busy = busy @ busy / side
        # The host frees the memory at once, and the next batch reuses it.
        arrived.append(to_device(setup, material.batch(4, side, side, 150, seed)))
    for seed, (image, mask) in enumerate(arrived):
        batch = material.batch(4, side, side, 150, seed)
        device_bytes = image.permute(0, 2, 3, 1).round().byte().cpu().numpy()
        num_wrong += int((device_bytes != batch.image).sum()) + int(
            (mask.cpu().numpy() != batch.mask).sum()
        )
    return CheckResult(
        num_wrong, 0, "number of bytes that differ; unchanged colours stay within 1e-3"
    )


def memory_formats(context: CheckContext) -> CheckResult:
    """The first step has the same loss with channels last and contiguous tensors."""
    losses = [
        first_loss(context.device, [], memory_format=layout)
        for layout in ("channels_last", "contiguous")
    ]
    return CheckResult(
        abs(losses[0] / losses[1] - 1), 1e-4, "fp32 without TF32; sums in another order"
    )


_OPTIONS = {
    "plain": [],
    "separable": ["model.block=separable"],
    "group": ["model.normalization=group", "model.head_levels=2"],
    "frozen": ["model.freeze_stages=2", "model.freeze_norm=true"],
    "resnet18": ["model.encoder=resnet18"],
    "convnext": ["model.encoder=convnext_atto"],
}


def model_options(context: CheckContext) -> CheckResult:
    """The first step of each kind of network has the same loss as on the CPU."""
    chosen = dict(list(_OPTIONS.items())[:2]) if context.quick else _OPTIONS
    errors = {
        name: abs(first_loss(context.device, extra) / first_loss(torch.device("cpu"), extra) - 1)
        for name, extra in chosen.items()
    }
    worst = max(errors, key=errors.__getitem__)
    reason = "fp32 without TF32: some hundred layers, each with an error of about 1e-6"
    return CheckResult(errors[worst], 1e-3, reason, f"worst {worst}")


def random_options(context: CheckContext) -> CheckResult:
    """Options that draw random numbers on the device give finite losses."""
    extra = ["model.dropout=0.2", "model.drop_path=0.1"]
    ready, batch = encoder_unet(context.device, extra)
    losses = [float(ready.step(batch)) for _ in range(3)]
    num_wrong = sum(not math.isfinite(loss) for loss in losses)
    return CheckResult(num_wrong, 0, "number of losses that are not finite", f"{losses[-1]:.3f}")


def fp16_learns(context: CheckContext) -> CheckResult:
    """With fp16 and the gradient scaler, steps on one batch lower its loss."""
    ready, batch = unet(context.device, precision="fp16"), material.batch(4, 128, 128, 150)
    if context.quick:
        batch = material.batch(2, 32, 32, 150)
    losses = [float(ready.step(batch)) for _ in range(5 if context.quick else 20)]
    note = f"{losses[0]:.3f} to {losses[-1]:.3f}"
    return CheckResult(losses[-1] / losses[0], 0.99, "each step has the same batch", note)


def compiled_step(context: CheckContext) -> CheckResult:
    """A compiled network has the same first loss as the network without compilation."""
    if context.device.type == "cpu" and (context.quick or shutil.which("g++") is None):
        raise CheckSkipped("compilation on the CPU needs a C++ compiler and is slow")
    precision = native_precision(context.device)
    losses: list[list[float]] = []
    for compiled in (False, True):
        ready = unet(context.device, compiled=compiled, precision=precision)
        batch = material.batch(4, 128, 128, 150)
        losses.append([float(ready.step(batch)) for _ in range(3)])
    first = abs(losses[1][0] / losses[0][0] - 1)
    reason = (
        "bf16 rounds each number by up to 0.4 %, compiled code less often; the mean over "
        "65,536 pixels averages that; fp32 differs by far less"
    )
    note = f"third loss {losses[0][2]:.4f} and {losses[1][2]:.4f}"
    return CheckResult(
        first if all(map(math.isfinite, losses[1])) else math.nan, 5e-3, reason, note
    )


def bundled_fp32(context: CheckContext) -> CheckResult:
    """The bundled model predicts the same in fp32 as on the CPU."""
    weights = _in_precision(find_weights("bundled"), "fp32")
    return _compare_fp32(context, weights)


def bundled_native(context: CheckContext) -> CheckResult:
    """The bundled model predicts almost the same in the native precision of the device."""
    weights = find_weights("bundled")
    reason = "bf16 rounds each number by up to 0.4 %: on a CPU that changed 2.8 % of these pixels"
    fp32 = _in_precision(weights, "fp32")
    return _compare_predictions(context, weights, fp32, 0.05, reason)


def weights_move(context: CheckContext) -> CheckResult:
    """Weights from a run on the device predict the same on the CPU."""
    folder = context.folder / "moved"
    train(small_config(context, "fp32", epochs=1), out=folder)
    weights = find_weights(folder)
    return _compare_fp32(context, weights)


def _in_precision(weights: StoredModel, precision: str) -> StoredModel:
    training = replace(weights.config.training, precision=precision)
    return weights._replace(config=replace(weights.config, training=training))


def _compare_fp32(context: CheckContext, weights: StoredModel) -> CheckResult:
    """Predict with the same weights in fp32 on the device and on the CPU."""
    reason = "only pixels whose two best classes are equal to 1e-5 may differ"
    with in_fp32(context.device):
        return _compare_predictions(context, weights, weights, 1e-3, reason)


def _compare_predictions(
    context: CheckContext, on_device: StoredModel, on_cpu: StoredModel, limit: float, reason: str
) -> CheckResult:
    """Return the share of pixels that differ between the device and the CPU."""
    predictor, cpu_predictor = (
        predictor_of(on_device, context.device),
        predictor_of(on_cpu, torch.device("cpu")),
    )
    scenes = SyntheticScenes(1 if context.quick else 4, 192, 256, seed=0)
    pairs = [
        (predictor(scenes[index].image), cpu_predictor(scenes[index].image))
        for index in range(len(scenes))
    ]
    differ = float(np.mean([np.mean(on_gpu.mask != reference.mask) for on_gpu, reference in pairs]))
    confidence_error = max(
        float(np.abs(on_gpu.confidence - reference.confidence).max()) for on_gpu, reference in pairs
    )
    return CheckResult(differ, limit, reason, f"confidence differs by up to {confidence_error:.1e}")
