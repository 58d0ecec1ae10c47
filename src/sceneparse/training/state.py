"""All that changes while a run goes on, in one place: what a checkpoint holds."""

from dataclasses import dataclass
from typing import Any

import torch
from lightning_fabric.plugins import MixedPrecision
from torch import Tensor

from sceneparse.errors import InputError
from sceneparse.models.segmenter import Segmenter
from sceneparse.ops.precision import sum_dtype
from sceneparse.optimization.ema import WeightEMA
from sceneparse.optimization.schedule import Schedule


@dataclass
class EpochSums:
    """What the epoch has added up so far.

    Attributes:
        loss: Sum of the loss over valid pixels, of all processes.
        confusion: int64 confusion matrix `(C, C + 1)` of the training predictions of this process.
    """

    loss: Tensor
    confusion: Tensor

    @classmethod
    def zeros(cls, num_classes: int, device: torch.device) -> "EpochSums":
        """Start an epoch."""
        return cls(
            loss=torch.zeros((), dtype=sum_dtype(device), device=device),
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
        data_key: What tells the training data and classes from others.
        average: Of the network's weights, where one is kept.
        step: Optimizer steps done.
        best_miou: Best validation mIoU so far.
        best_epoch: When it was reached; 0 before the first validation.
    """

    segmenter: Segmenter
    optimizer: torch.optim.Optimizer
    schedule: Schedule
    precision: MixedPrecision | None
    sums: EpochSums
    data_key: str
    average: WeightEMA[Segmenter] | None = None
    step: int = 0
    best_miou: float = float("nan")
    best_epoch: int = 0

    @property
    def kept(self) -> Segmenter:
        """The network that is validated, drawn and kept: the averaged one where there is one."""
        return self.average.network if self.average else self.segmenter

    def state_dict(self) -> dict[str, Any]:
        """Return everything as tensors, numbers and strings."""
        return {
            "step": self.step,
            "data_key": self.data_key,
            "best_miou": self.best_miou,
            "best_epoch": self.best_epoch,
            "segmenter": self.segmenter.state_dict(),
            "average": self.average.state_dict() if self.average else {},
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "precision": self.precision.state_dict() if self.precision else {},
            "sums": {"loss": self.sums.loss, "confusion": self.sums.confusion},
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Put everything back.

        Raises:
            InputError: If the state is that of another network or of other data.
        """
        if state.get("data_key") != self.data_key:
            raise InputError(
                "the training images, their order or the classes are not those that the run was "
                "started with, so it cannot go on exactly; bring them back, or start another run"
            )
        try:
            self._restore(state)
        except (KeyError, RuntimeError, ValueError) as error:
            raise InputError(f"the checkpoint does not fit the run's config ({error})") from error

    def _restore(self, state: dict[str, Any]) -> None:
        self.step = state["step"]
        self.best_miou = state["best_miou"]
        self.best_epoch = state["best_epoch"]
        self.segmenter.load_state_dict(state["segmenter"])
        if self.average:
            self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
        if self.precision:
            self.precision.load_state_dict(state["precision"])
        self.sums.loss.copy_(state["sums"]["loss"])
        self.sums.confusion.copy_(state["sums"]["confusion"])
