"""A training step as `sceneparse train` does it, from a config of the repository."""

import atexit
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

import material
from machine import ROOT
from sceneparse import build
from sceneparse.config.reading import read_config
from sceneparse.data.loader import Batch
from sceneparse.device import native_precision
from sceneparse.inference.evaluate import Evaluation
from sceneparse.inference.predictor import Predictor
from sceneparse.processes import find_place
from sceneparse.runs.assembly import assemble
from sceneparse.training.auto import Plan
from sceneparse.training.group import joined
from sceneparse.training.loop import Job, train_step
from sceneparse.training.state import TrainState

CPU = torch.device("cpu")
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


# The narrower decoder to stride 4 that the config had when `docs/performance.md` was measured.
STRIDE_4 = ("model.decoder_channels=[128,64,48]", "model.output_stride=4")


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
    segmenter = build.segmenter(config.model, classes)
    nothing = material.Nothing(material.labels(classes))
    plan = Plan(
        device=CPU,
        precision=native_precision(CPU),
        memory_format="channels_last",
        compiled=False,
        batch_size=processes,
        threads=1,
        processes=processes,
        times={},
    )
    place = find_place()
    joining = joined(place)
    joining.__enter__()
    # A group that is not left aborts now and then when the process ends.
    atexit.register(joining.__exit__, None, None, None)
    state, job, _ = assemble(config, plan, segmenter, nothing, _never, place)
    return Trainer(state, job)


def _never(_: Predictor) -> Evaluation:
    raise NotImplementedError


def normalised(batch: Batch) -> tuple[Tensor, Tensor]:
    """Return a batch as peers take it: pictures `(B, 3, H, W)` fp32, masks `(B, H, W)` int64."""
    image = (torch.from_numpy(batch.image).permute(0, 3, 1, 2) - MEAN) / STD
    return image.contiguous(), torch.from_numpy(batch.mask).long()
