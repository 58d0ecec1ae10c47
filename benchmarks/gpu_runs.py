"""Checks of whole runs: automatic settings and exact resume."""

import warnings
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import material
from gpu_common import CheckContext, CheckResult, CheckSkipped
from machine import ROOT
from measure import measured
from sceneparse.artifacts.checkpoint import Checkpoints, read_checkpoint
from sceneparse.config import RunConfig
from sceneparse.config.reading import parse_config, read_config
from sceneparse.data.datasets.synthetic import SyntheticScenes
from sceneparse.recording.events import EpochEnded, Event
from sceneparse.system.device import native_precision
from sceneparse.tasks.train import train
from sceneparse.training.auto import resolve
from sceneparse.training.memory import MEMORY_SHARE, activation_bytes_per_image
from training import trainer


def auto_settings(context: CheckContext) -> CheckResult:
    """Automatic settings are plausible, and a step takes the estimated memory."""
    side, batches = (64, (2, 4)) if context.quick else (512, (8, 16))
    overrides = ["model.weights=none", f"transform.size={side}"]
    config = _lite0([*overrides, f"training.device={context.device.type}"])
    scenes = SyntheticScenes(64, 64, 64, seed=0)
    segmenter = config.model.build(scenes.labels.num_classes)
    before = _allocated(context)
    settings = resolve(config, segmenter, scenes)
    if settings.batch_size != 16 or settings.accumulation & (settings.accumulation - 1):
        raise ValueError(
            f"found a batch of {settings.batch_size} in {settings.accumulation} parts, "
            "expected 16 in 2^n"
        )
    if not all(0 < seconds < 60 for seconds in settings.times.values()):
        raise ValueError(f"found step times {settings.times}, expected 0 to 60 s")
    # cuBLAS keeps a workspace of 32 MiB for each thread that used it.
    if _allocated(context) > before + 2**27:
        raise ValueError(
            f"{_allocated(context) - before} bytes still allocated, expected at most 2^27"
        )
    estimated = activation_bytes_per_image(config, segmenter, scenes.labels, settings.precision)
    peaks = [
        _peak_bytes(context, overrides, settings.precision, (count, side)) for count in batches
    ]
    measured_bytes = (peaks[1] - peaks[0]) / (batches[1] - batches[0])
    limit = 1 / MEMORY_SHARE[context.device.type]
    if context.quick:
        # Tiny steps fit into memory that the process already has.
        measured_bytes = min(measured_bytes, limit * estimated)
    note = f"{settings}; {settings.reasons()}; estimate {estimated / 1e6:.0f} MB per image"
    reason = "memory of a further image over its estimate; the memory rule leaves this margin"
    return CheckResult(measured_bytes / estimated, limit, reason, note)


def _peak_bytes(
    context: CheckContext, overrides: Sequence[str], precision: str, size: tuple[int, int]
) -> int:
    """Return the peak memory of two steps; `size` is the number of images and their side."""
    ready = trainer("lite0", overrides, device=context.device.type, precision=precision)
    batch = material.batch(size[0], size[1], size[1], 150)
    return measured(lambda: float(ready.step(batch)), 0, 2, context.device.type)["peak_bytes"]


def _lite0(overrides: Sequence[str]) -> RunConfig:
    return read_config(ROOT / "configs" / "ade20k" / "lite0.yaml", overrides)


def _allocated(context: CheckContext) -> int:
    return torch.cuda.memory_allocated() if context.device.type == "cuda" else 0


def exact_resume(context: CheckContext) -> CheckResult:
    """An interrupted and resumed run has bit for bit the state of an uninterrupted one."""
    return _resumed(context, native_precision(context.device))


def exact_resume_fp16(context: CheckContext) -> CheckResult:
    """Resume is exact in fp16 too, where the gradient scaler has a state."""
    if context.device.type == "cpu":
        raise CheckSkipped("fp16 is slow on the CPU")
    return _resumed(context, "fp16")


def _resumed(context: CheckContext, precision: str) -> CheckResult:
    config = small_config(context, precision, epochs=2)
    paths = {name: context.folder / f"{precision}-{name}" for name in ("whole", "parts", "again")}
    with _deterministic() as caught:
        train(config, out=paths["whole"])
        try:
            train(config, out=paths["parts"], callback=_stop_at_second_epoch)
        except Stopped:
            train(config, out=paths["parts"], resume=True)
        states = {name: _state(paths[name]) for name in ("whole", "parts")}
        differ = differing(states["whole"], states["parts"])
        note = ""
        if differ:
            train(config, out=paths["again"])
            again = differing(states["whole"], _state(paths["again"]))
            note = (
                f"{len(again)} differ between two uninterrupted runs; in this check "
                f"{', '.join(differ[:3])}"
            )
    refused = {
        str(warning.message).split(" does not")[0]
        for warning in caught
        if "deterministic" in str(warning)
    }
    note += f"; not deterministic: {', '.join(sorted(refused))}" if refused else ""
    reason = "number of tensors that differ: a run depends only on config, seed and step"
    return CheckResult(len(differ), 0, reason, note)


class Stopped(Exception):  # noqa: N818 - no error
    """Stops a run that is resumed later."""


def _stop_at_second_epoch(event: Event) -> None:
    """Stop a run when it reports its second epoch, before it writes that checkpoint."""
    if isinstance(event, EpochEnded) and event.record.epoch == 2:
        raise Stopped


@contextmanager
def _deterministic() -> Generator[list[warnings.WarningMessage]]:
    """Use deterministic algorithms inside the `with`; collect warnings of those that are not."""
    before = torch.backends.cudnn.benchmark
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.backends.cudnn.benchmark = False
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            yield caught
    finally:
        torch.use_deterministic_algorithms(False)
        torch.backends.cudnn.benchmark = before


def small_config(context: CheckContext, precision: str, *, epochs: int) -> RunConfig:
    """Make the config of a run with augmentation, EMA, clipping and accumulation."""
    side, images = (32, 8) if context.quick else (64, 24)
    model = (
        "{kind: unet, width: 4}"
        if context.quick
        else "{kind: encoder_unet, weights: none, decoder_channels: [32, 16], output_stride: 4}"
    )
    text = f"""
data: {{kind: synthetic, training_images: {images}, validation_images: 4, height: 64, width: 64}}
model: {model}
transform: {{size: {side}, crop: 0.5, flip: 0.5, brightness: 0.3, contrast: 0.2, hue: 0.1}}
optimizer: {{kind: adamw, lr: 0.003}}
schedule: {{kind: one_cycle}}
training:
  {{epochs: {epochs}, batch_size: 4, accumulation: 2, threads: 2, ema: 0.9, clip_norm: 1.0,
    precision: {precision}, memory_format: channels_last, compile: "off",
    device: {context.device.type}}}
inference: {{resize: stretch, size: {side}}}
report: {{images: 1, every: 50}}
"""
    return parse_config(text, "gpu_checks")


def _state(folder: Path) -> dict[str, Any]:
    return flat(read_checkpoint(Checkpoints(folder / "checkpoints").paths()[0]))


def flat(value: Any, name: str = "") -> dict[str, Any]:
    """Flatten a nested state to a dict by path."""
    if isinstance(value, dict | list | tuple):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        return {k: v for key, one in items for k, v in flat(one, f"{name}.{key}").items()}
    return {name: value}


def differing(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    """List the paths whose values differ or are in only one of two states."""
    names = sorted(one.keys() | other.keys())
    return [name for name in names if not _same(one.get(name), other.get(name))]


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, Tensor) and isinstance(other, Tensor):
        return torch.equal(one, other)
    return type(one) is type(other) and one == other
