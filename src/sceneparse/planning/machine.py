"""The machine of a plan, and what a run costs on it."""

from dataclasses import dataclass
from typing import Literal

from sceneparse.planning.estimate import ImageCosts, RunCosts


@dataclass(frozen=True)
class Machine:
    """This machine, and what a run costs on it.

    Attributes:
        device: Kind of device.
        precision: The fastest precision.
        memory_format: The fastest memory layout.
        threads: Threads that read images ahead.
        batch_size: Images per step that were measured with.
        memory_bytes: Memory for the images of a step.
        asked_bytes: Memory that the user has allowed; none for all that is free.
        reason: What the measured precisions and layouts took.
        images: What an image costs at each size.
        costs: What everything else costs; `begin_s` without the first steps.
        first_steps_s: Seconds until the first steps are done, which are slower.
    """

    device: Literal["cpu", "cuda", "mps"]
    precision: Literal["bf16", "fp16", "fp32"]
    memory_format: Literal["channels_last", "contiguous"]
    threads: int
    batch_size: int
    memory_bytes: float
    asked_bytes: float | None
    reason: str
    images: ImageCosts
    costs: RunCosts
    first_steps_s: float

    @property
    def rough_costs(self) -> RunCosts:
        """What everything but the images costs, the first steps included."""
        return self.costs._replace(begin_s=self.costs.begin_s + self.first_steps_s)
