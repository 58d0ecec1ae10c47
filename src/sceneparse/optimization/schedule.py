"""Learning-rate schedules: a factor on the rates of the optimizer, as a function of the step."""

import math
from dataclasses import dataclass, field
from typing import Any, Protocol


class Schedule(Protocol):
    """What the loop asks before each step, and tells after each validation."""

    def factor(self, step: int) -> float:
        """Return what the learning rates are multiplied by at a step."""
        ...

    def validated(self, loss: float) -> None:
        """Take note of a validation loss."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """Return what a resumed run needs."""
        ...

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore it."""
        ...


class _Stateless:
    """What a schedule that depends on the step alone has to remember: nothing."""

    def validated(self, loss: float) -> None:
        """Do nothing."""

    def state_dict(self) -> dict[str, Any]:
        """Return nothing."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore nothing."""


@dataclass(frozen=True)
class WarmUp:
    """The rates rise linearly before another schedule begins (Goyal et al., 2017, section 2.2).

    Attributes:
        schedule: The other one.
        steps: In which they rise, to its first factor.
    """

    schedule: Schedule
    steps: int

    def factor(self, step: int) -> float:
        """Return the factor at a step."""
        if step < self.steps:
            return self.schedule.factor(0) * (step + 1) / (self.steps + 1)
        return self.schedule.factor(step - self.steps)

    def validated(self, loss: float) -> None:
        """Tell the other one."""
        self.schedule.validated(loss)

    def state_dict(self) -> dict[str, Any]:
        """Return what the other one has to remember."""
        return self.schedule.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore it."""
        self.schedule.load_state_dict(state)


class Constant(_Stateless):
    """The rates stay."""

    def factor(self, step: int) -> float:  # noqa: ARG002 - the protocol's
        """Return 1."""
        return 1.0


@dataclass(frozen=True)
class Poly(_Stateless):
    """The rates fall by a power of the steps that are left (Chen et al., 2016, section 4.1).

    Attributes:
        total_steps: In which they fall.
        power: 1 is a straight line.
        end: Factor that is reached after the last step.
    """

    total_steps: int
    power: float
    end: float

    def factor(self, step: int) -> float:
        """Return the factor at a step."""
        left = max(0.0, 1 - step / max(1, self.total_steps))
        return self.end + (1 - self.end) * left**self.power


@dataclass(frozen=True)
class Cosine(_Stateless):
    """The rates fall along half a cosine (Loshchilov & Hutter, 2017, equation 5, no restarts).

    Attributes:
        total_steps: In which they fall.
        end: Factor that is reached after the last step.
    """

    total_steps: int
    end: float

    def factor(self, step: int) -> float:
        """Return the factor at a step."""
        share = min(1.0, step / max(1, self.total_steps))
        return self.end + (1 - self.end) * 0.5 * (1 + math.cos(math.pi * share))


@dataclass(frozen=True)
class OneCycle(_Stateless):
    """Linear rise, cosine fall (Smith & Topin, 2018, arXiv 1708.07120).

    Attributes:
        total_steps: Length of the run.
        warmup: Share of it in which the rate rises.
        start: Factor at the first step.
        end: Factor at the last step.
    """

    total_steps: int
    warmup: float
    start: float
    end: float

    def factor(self, step: int) -> float:
        """Return the factor at a step."""
        rising = self.warmup * self.total_steps
        if step < rising:
            return self.start + (1 - self.start) * step / rising
        share = (step - rising) / max(1.0, self.total_steps - 1 - rising)
        return self.end + (1 - self.end) * 0.5 * (1 + math.cos(math.pi * min(share, 1.0)))


@dataclass
class Plateau:
    """The rates fall when the validation loss stops falling, as `ReduceLROnPlateau` does it.

    Attributes:
        reduction: What the rates are multiplied by each time.
        patience: Validations without a lower loss that are waited for.
        current: The factor now.
        best: Lowest loss so far.
        waited: Validations since then.
    """

    # A loss that is lower by less than this share is not lower.
    THRESHOLD = 1e-4

    reduction: float
    patience: int
    current: float = 1.0
    best: float = field(default=math.inf)
    waited: int = 0

    def factor(self, step: int) -> float:  # noqa: ARG002 - the protocol's
        """Return the factor now."""
        return self.current

    def validated(self, loss: float) -> None:
        """Lower the factor if the loss has not fallen for too long."""
        if loss < self.best * (1 - self.THRESHOLD):
            self.best, self.waited = loss, 0
            return
        self.waited += 1
        if self.waited > self.patience:
            self.current *= self.reduction
            self.waited = 0

    def state_dict(self) -> dict[str, Any]:
        """Return factor, best loss and patience used up."""
        return {"current": self.current, "best": self.best, "waited": self.waited}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore them."""
        self.current, self.best, self.waited = state["current"], state["best"], state["waited"]
