"""A training step as `sceneparse train` does it, from a config of the repository."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins import MixedPrecision
from torch import Tensor

import material
from machine import ROOT
from sceneparse import build
from sceneparse.config.reading import read_config
from sceneparse.data.loader import Batch
from sceneparse.device import native_precision
from sceneparse.training.loop import Job, train_step
from sceneparse.training.state import EpochSums, TrainState

CPU = torch.device("cpu")
# Longer than any benchmark, so that schedules that end do not.
TOTAL_STEPS = 1000
# What the segmenters take off a picture in 0..255, and divide it by.
MEAN = 255 * torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)
STD = 255 * torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)


@dataclass(frozen=True)
class Trainer:
    """A run between two steps."""

    state: TrainState
    job: Job

    def step(self, batch: Batch) -> Tensor:
        """Do one step and return its mean loss."""
        loss = train_step(self.state, self.job, batch)
        self.state.step += 1
        return loss


def trainer(
    config_name: str,
    overrides: Sequence[str] = (),
    *,
    classes: int = 150,
    processes: int = 1,
    seed: int = 0,
) -> Trainer:
    """Make everything that a run of a config steps with, on the CPU, in its native precision.

    Args:
        config_name: File of `configs/ade20k` without its ending.
        overrides: As on the command line of `sceneparse train`.
        classes: Number of classes.
        processes: How many share each step.
        seed: Of the weights.
    """
    config = read_config(ROOT / "configs" / "ade20k" / f"{config_name}.yaml", overrides)
    torch.manual_seed(seed)
    segmenter = build.on_device(build.segmenter(config.model, classes), CPU)
    native = native_precision(CPU)
    precision = MixedPrecision("bf16-mixed", "cpu") if native == "bf16" else None
    fabric = Fabric(
        accelerator="cpu",
        devices=processes,
        strategy="ddp" if processes > 1 else "auto",
        plugins=[precision] if precision else None,
    )
    fabric.launch()
    state = TrainState(
        segmenter=segmenter,
        optimizer=build.optimizer(config.optimizer, segmenter),
        schedule=build.schedule(config.schedule, TOTAL_STEPS),
        precision=precision,
        sums=EpochSums.zeros(classes, CPU),
        data_key="",
    )
    model, optimizer = fabric.setup(segmenter, state.optimizer)
    labels = material.labels(classes)
    # A step alone needs neither data nor validation.
    absent: Any = None
    job = Job(
        fabric=fabric,
        model=model,
        optimizer=optimizer,
        loss=build.loss(config.loss, labels),
        loader=absent,
        ignore_index=labels.ignore_index,
        validate=cast("Any", absent),
        epochs=1,
        validate_every=1,
        clip_norm=config.training.clip_norm,
    )
    return Trainer(state, job)


def normalised(batch: Batch) -> tuple[Tensor, Tensor]:
    """Return a batch as peers take it: pictures `(B, 3, H, W)` fp32, masks `(B, H, W)` int64."""
    image = (torch.from_numpy(batch.image).permute(0, 3, 1, 2) - MEAN) / STD
    return image.contiguous(), torch.from_numpy(batch.mask).long()
