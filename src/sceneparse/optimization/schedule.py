"""The learning-rate schedule of a run: a factor on the rates of the optimizer."""

import math
from typing import Any

from sceneparse.optimization.settings import OneCycle, Plateau, ScheduleSettings

# A validation loss that is lower by less than this share does not count as lower.
THRESHOLD = 1e-4


class Schedule:
    """A schedule over the steps of a run: warm-up, then the function of the settings.

    Only `Plateau` has a state: it follows the validation losses as PyTorch's `ReduceLROnPlateau`.

    Attributes:
        reduced: Factor by which `Plateau` has reduced the rates so far.
        best: Lowest validation loss so far.
        waited: Validations since then.
    """

    def __init__(self, settings: ScheduleSettings, total_steps: int) -> None:
        """Take the settings and the number of steps of the run."""
        self._settings = settings
        self._total_steps = total_steps
        # One-cycle has its own way of rising.
        share = 0.0 if isinstance(settings, OneCycle) else settings.warmup
        self._warmup_steps = round(share * total_steps)
        self.reduced = 1.0
        self.best = math.inf
        self.waited = 0

    def factor(self, step: int) -> float:
        """Return the factor on the rates at a step.

        During warm-up it rises linearly (Goyal et al., 2017, section 2.2).
        """
        if step < self._warmup_steps:
            return self._factor(0) * (step + 1) / (self._warmup_steps + 1)
        return self._factor(step - self._warmup_steps)

    def _factor(self, step: int) -> float:
        after = self._settings.multiplier(step, self._total_steps - self._warmup_steps)
        return after * self.reduced

    def validated(self, loss: float) -> None:
        """Take note of a validation loss; `Plateau` may reduce the rates."""
        if not isinstance(self._settings, Plateau):
            return
        if loss < self.best * (1 - THRESHOLD):
            self.best, self.waited = loss, 0
            return
        self.waited += 1
        if self.waited > self._settings.patience:
            self.reduced *= self._settings.factor
            self.waited = 0

    def state_dict(self) -> dict[str, Any]:
        """Return what a resumed run needs."""
        return {"reduced": self.reduced, "best": self.best, "waited": self.waited}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore it."""
        self.reduced, self.best, self.waited = state["reduced"], state["best"], state["waited"]
