"""A step of training whose loss or gradient was not finite, kept to be computed again."""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from sceneparse.artifacts.checkpoint import read_checkpoint, write_checkpoint
from sceneparse.artifacts.writing import write_text
from sceneparse.errors import InputError

# Increase this number when the contents change so that an older version could misread them.
FORMAT = 2


@dataclass(frozen=True)
class NonFiniteStep:
    """A step whose loss or gradient was not finite.

    Attributes:
        step: Steps done before it; with the seed, it tells the batch and its augmentation.
        seed: Seed of the run.
        names: Names of the images of the batch, in the order of the processes.
        world_size: Number of processes that shared the batch.
        loss: Its mean loss.
        gradient_norm: Norm of its gradient, before clipping.
        parts: Parts in which each process computed its share.
    """

    step: int
    seed: int
    names: tuple[str, ...]
    world_size: int
    loss: float
    gradient_norm: float
    parts: int

    @property
    def number(self) -> int:
        """Number of the step, from 1, as training reports it."""
        return self.step + 1

    @property
    def reason(self) -> str:
        """What is not finite."""
        if not math.isfinite(self.loss):
            return f"the training loss is {self.loss}"
        return f"the norm of the gradient is {self.gradient_norm}"


def keep_step(folder: Path, step: NonFiniteStep, network: Mapping[str, Tensor]) -> Path:
    """Write a step as `step_N.json`, and the weights before it beside it as `step_N.pt`.

    Args:
        folder: Folder of the files; it is made if it does not exist.
        step: The step.
        network: Weights and buffers before the step, by name.

    Returns:
        The JSON file.

    Raises:
        InputError: If a file cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"step_{step.number}.json"
    write_checkpoint(_weights_file(path), {"step": step.step, "segmenter": dict(network)})
    document = {"format": FORMAT, "number": step.number, "reason": step.reason, **asdict(step)}
    # JSON has no NaN.
    for name in ("loss", "gradient_norm"):
        document[name] = str(document[name])
    write_text(path, json.dumps(document, indent=1) + "\n")
    return path


def read_step(path: Path) -> tuple[NonFiniteStep, dict[str, Tensor]]:
    """Read a step and the weights before it.

    Raises:
        InputError: If a file is missing or was written by something else.
    """
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        version = found["format"]
    except OSError as error:
        raise InputError(
            f"{path}: cannot be read ({error.strerror}); give a file of a run's nonfinite/ folder"
        ) from None
    except (ValueError, KeyError, TypeError):
        raise InputError(
            f"{path}: holds no step of a run; give a file nonfinite/step_N.json of a run folder"
        ) from None
    if version != FORMAT:
        raise InputError(
            f"{path}: found a step of format {version}, expected {FORMAT}; replay it with the "
            "version of sceneparse that wrote it"
        )
    step = NonFiniteStep(
        step=found["step"],
        seed=found["seed"],
        names=tuple(found["names"]),
        world_size=found["world_size"],
        loss=float(found["loss"]),
        gradient_norm=float(found["gradient_norm"]),
        parts=found["parts"],
    )
    return step, read_checkpoint(_weights_file(path))["segmenter"]


def _weights_file(path: Path) -> Path:
    return path.with_suffix(".pt")
