"""All that changes while a run goes on, in one place: what a checkpoint holds."""

import math
from dataclasses import dataclass
from typing import Any

import torch
from lightning_fabric.plugins import MixedPrecision
from torch import Tensor

from sceneparse.models.segmenter import Segmenter
from sceneparse.optimization.schedule import Schedule


@dataclass
class EpochSums:
    """What the epoch has added up so far.

    Attributes:
        loss: Sum of the loss over valid pixels.
        confusion: int64 confusion matrix `(C, C + 1)` of the training predictions.
    """

    loss: Tensor
    confusion: Tensor

    @classmethod
    def zeros(cls, num_classes: int, device: torch.device) -> "EpochSums":
        """Start an epoch."""
        # MPS has no float64.
        precise = torch.float32 if device.type == "mps" else torch.float64
        return cls(
            loss=torch.zeros((), dtype=precise, device=device),
            confusion=torch.zeros(num_classes, num_classes + 1, dtype=torch.int64, device=device),
        )


@dataclass
class TrainState:
    """The state of a run between two steps.

    Attributes:
        segmenter: The network.
        optimizer: Its optimizer.
        schedule: Of the learning rate.
        precision: Fabric's plugin with the gradient scaler, where fp16 needs one.
        sums: Of the running epoch.
        step: Optimizer steps done.
        best_miou: Best validation mIoU so far; -1 before the first.
        best_epoch: When it was reached.
    """

    segmenter: Segmenter
    optimizer: torch.optim.Optimizer
    schedule: Schedule
    precision: MixedPrecision | None
    sums: EpochSums
    step: int = 0
    best_miou: float = -1.0
    best_epoch: int = 0

    def state_dict(self) -> dict[str, Any]:
        """Return everything as tensors, numbers and strings."""
        return {
            "step": self.step,
            "best_miou": self.best_miou,
            "best_epoch": self.best_epoch,
            "segmenter": self.segmenter.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "precision": self.precision.state_dict() if self.precision else {},
            "sums": {"loss": self.sums.loss, "confusion": self.sums.confusion},
            "random": torch.get_rng_state(),
            "random_cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Put everything back."""
        self.step = state["step"]
        self.best_miou = state["best_miou"]
        self.best_epoch = state["best_epoch"]
        self.segmenter.load_state_dict(state["segmenter"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
        if self.precision:
            self.precision.load_state_dict(state["precision"])
        self.sums.loss.copy_(state["sums"]["loss"])
        self.sums.confusion.copy_(state["sums"]["confusion"])
        torch.set_rng_state(state["random"])
        if state["random_cuda"] and torch.cuda.is_available():
            torch.cuda.set_rng_state_all(state["random_cuda"])


def is_better(miou: float, best: float) -> bool:
    """Tell whether a score beats the best one; NaN, no class at all, never does."""
    return not math.isnan(miou) and miou > best
