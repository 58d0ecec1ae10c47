"""Checks of whole runs: what is decided when they start, and that they resume exactly."""

import warnings
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import material
from gpu_common import Found, Here, Skipped
from machine import ROOT
from measure import measured
from sceneparse.artifacts.checkpoint import read_checkpoint
from sceneparse.config import RunConfig
from sceneparse.config.reading import parse_config, read_config
from sceneparse.data.datasets.synthetic import SyntheticScenes
from sceneparse.recording.events import EpochEnded, Event
from sceneparse.system.device import native_precision
from sceneparse.tasks.train import train
from sceneparse.training.auto import resolve
from sceneparse.training.memory import MEMORY_SHARE, step_bytes
from training import trainer


def auto_settings(here: Here) -> Found:
    """What is `auto` is decided sensibly, and a step takes the memory that was foreseen."""
    side, batches = (64, (2, 4)) if here.quick else (512, (8, 16))
    overrides = ["model.weights=none", f"transform.size={side}"]
    config = _lite0([*overrides, f"training.device={here.device.type}"])
    scenes = SyntheticScenes(64, 64, 64, seed=0)
    segmenter = config.model.build(scenes.labels.num_classes)
    before = _allocated(here)
    settings = resolve(config, segmenter, scenes)
    if settings.batch_size != 16 or settings.accumulation & (settings.accumulation - 1):
        raise ValueError(f"a batch of {settings.batch_size} in {settings.accumulation} parts")
    if not all(0 < seconds < 60 for seconds in settings.times.values()):
        raise ValueError(f"times {settings.times}")
    # The workspaces of cuBLAS, 32 MiB for each thread that has used it, stay.
    if _allocated(here) > before + 2**27:
        raise ValueError(f"{_allocated(here) - before} bytes stay allocated")
    foreseen = step_bytes(config, segmenter, scenes.labels, settings.precision)
    peaks = [_peak_bytes(here, overrides, settings.precision, (count, side)) for count in batches]
    real = (peaks[1] - peaks[0]) / (batches[1] - batches[0])
    limit = 1 / MEMORY_SHARE[here.device.type]
    if here.quick:
        # Tiny steps are lost in what the process has already.
        real = min(real, limit * foreseen)
    note = f"{settings}; {settings.reasons()}; {foreseen / 1e6:.0f} MB foreseen for each image"
    reason = "what a further image takes over what was foreseen: the rule leaves so much room"
    return Found(real / foreseen, limit, reason, note)


def _peak_bytes(here: Here, overrides: Sequence[str], precision: str, size: tuple[int, int]) -> int:
    """Return what two steps on so many images of a side take at most."""
    ready = trainer("lite0", overrides, device=here.device.type, precision=precision)
    batch = material.batch(size[0], size[1], size[1], 150)
    return measured(lambda: float(ready.step(batch)), 0, 2, here.device.type)["peak_bytes"]


def _lite0(overrides: Sequence[str]) -> RunConfig:
    return read_config(ROOT / "configs" / "ade20k" / "lite0.yaml", overrides)


def _allocated(here: Here) -> int:
    return torch.cuda.memory_allocated() if here.device.type == "cuda" else 0


def exact_resume(here: Here) -> Found:
    """A run that was stopped and resumed has, bit by bit, the state of one that was not."""
    return _resumed(here, native_precision(here.device))


def exact_resume_fp16(here: Here) -> Found:
    """The same in fp16, whose gradient scaler has a state too."""
    if here.device.type == "cpu":
        raise Skipped("on the CPU fp16 takes long")
    return _resumed(here, "fp16")


def _resumed(here: Here, precision: str) -> Found:
    config = small_config(here, precision, epochs=2)
    paths = {name: here.folder / f"{precision}-{name}" for name in ("whole", "parts", "again")}
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
            note = f"{len(again)} differ between two whole runs; here {', '.join(differ[:3])}"
    refused = {
        str(one.message).split(" does not")[0] for one in caught if "deterministic" in str(one)
    }
    note += f"; not deterministic: {', '.join(sorted(refused))}" if refused else ""
    reason = "tensors that differ: a run is a function of its config, its seed and its step"
    return Found(len(differ), 0, reason, note)


class Stopped(Exception):  # noqa: N818 - no error
    """The end of a run that is going to be resumed."""


def _stop_at_second_epoch(event: Event) -> None:
    """End a run when it reports its second epoch, whose checkpoint is not written by then."""
    if isinstance(event, EpochEnded) and event.record.epoch == 2:
        raise Stopped


@contextmanager
def _deterministic() -> Generator[list[warnings.WarningMessage]]:
    """Make CUDA deterministic inside the `with`; what cannot be only warns, and is listed."""
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


def small_config(here: Here, precision: str, *, epochs: int) -> RunConfig:
    """Make a run with augmentation, an average, clipping and parts of a batch."""
    side, images = (32, 8) if here.quick else (64, 24)
    model = (
        "{kind: unet, width: 4}"
        if here.quick
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
    device: {here.device.type}}}
inference: {{resize: stretch, size: {side}}}
report: {{images: 1, every: 50}}
"""
    return parse_config(text, "gpu_checks")


def _state(folder: Path) -> dict[str, Any]:
    return flat(read_checkpoint(folder / "checkpoints" / "last.pt"))


def flat(value: Any, name: str = "") -> dict[str, Any]:
    """Return what is in a nested state, by where it is."""
    if isinstance(value, dict | list | tuple):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        return {k: v for key, one in items for k, v in flat(one, f"{name}.{key}").items()}
    return {name: value}


def differing(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    """List what differs, or is in one of them alone."""
    names = sorted(one.keys() | other.keys())
    return [name for name in names if not _same(one.get(name), other.get(name))]


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, Tensor) and isinstance(other, Tensor):
        return torch.equal(one, other)
    return type(one) is type(other) and one == other
