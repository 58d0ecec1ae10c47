"""The training state: everything that changes during a run and that a checkpoint stores."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.amp import GradScaler

from sceneparse.errors import InputError
from sceneparse.models.segmenter import Segmenter
from sceneparse.ops.precision import sum_dtype
from sceneparse.optimization.ema import WeightEMA
from sceneparse.optimization.schedule import Schedule
from sceneparse.training.nonfinite import FiniteGuard


@dataclass
class EpochSums:
    """Sums over the steps of the current epoch.

    Attributes:
        loss: Loss summed over the valid pixels of all processes, a scalar.
        confusion: int64 confusion matrix `(C, C + 1)` of this process's training predictions.
    """

    loss: Tensor
    confusion: Tensor

    @classmethod
    def zeros(cls, num_classes: int, device: torch.device) -> "EpochSums":
        """Return the sums at the start of an epoch."""
        return cls(
            loss=torch.zeros((), dtype=sum_dtype(device), device=device),
            confusion=torch.zeros(num_classes, num_classes + 1, dtype=torch.int64, device=device),
        )


@dataclass
class TrainState:
    """The training state between two steps.

    Attributes:
        segmenter: The network.
        optimizer: Its optimizer.
        schedule: Its learning-rate schedule.
        scaler: Scales the loss in fp16; disabled in other precisions.
        sums: Sums over the current epoch.
        data_key: Digest of the names and classes of the training data.
        guard: Keeps steps that are not finite out of the state.
        average: Moving average of the weights, if the run has one.
        parts: Number of parts (the micro-batches of gradient accumulation) in which a process
            computes its share of a batch; more than at the start if memory has run out.
        step: Number of optimizer steps done.
        best_miou: Best validation mIoU so far.
        best_epoch: Epoch of the best validation mIoU; 0 before the first validation.
    """

    segmenter: Segmenter
    optimizer: torch.optim.Optimizer
    schedule: Schedule
    scaler: GradScaler
    sums: EpochSums
    data_key: str
    guard: FiniteGuard
    average: WeightEMA[Segmenter] | None = None
    parts: int = 1
    step: int = 0
    best_miou: float = float("nan")
    best_epoch: int = 0

    @property
    def kept(self) -> Segmenter:
        """The network to validate, draw and save: the averaged one if there is one."""
        return self.average.network if self.average else self.segmenter

    def state_dict(self) -> dict[str, Any]:
        """Return the state as tensors, numbers and strings."""
        return {
            "step": self.step,
            "parts": self.parts,
            "data_key": self.data_key,
            "best_miou": self.best_miou,
            "best_epoch": self.best_epoch,
            "segmenter": self.segmenter.state_dict(),
            "average": self.average.state_dict() if self.average else {},
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "precision": self.scaler.state_dict(),
            "guard": self.guard.state_dict(),
            "sums": {"loss": self.sums.loss, "confusion": self.sums.confusion},
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the state.

        Raises:
            InputError: If the state belongs to another network or to other data.
        """
        if state.get("data_key") != self.data_key:
            raise InputError(
                "the training images, their order or the classes are not those that the run was "
                "started with, so it cannot go on exactly; bring them back, or start another run"
            )
        try:
            self._restore(state)
        except (LookupError, RuntimeError, ValueError, TypeError, AttributeError) as error:
            raise InputError(f"the checkpoint does not fit the run's config ({error})") from error

    def _restore(self, state: dict[str, Any]) -> None:
        self.step = state["step"]
        self.parts = max(self.parts, state.get("parts", 1))
        self.best_miou = state["best_miou"]
        self.best_epoch = state["best_epoch"]
        self.segmenter.load_state_dict(state["segmenter"])
        if self.average:
            self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
        self.scaler.load_state_dict(state["precision"])
        self.guard.load_state_dict(state["guard"])
        self.sums.loss.copy_(state["sums"]["loss"])
        self.sums.confusion.copy_(state["sums"]["confusion"])
