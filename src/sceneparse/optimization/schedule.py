"""The learning rate schedule of a run: a factor on the learning rates of the optimizer."""

import math
from typing import Any

from sceneparse.optimization.settings import OneCycle, Plateau, ScheduleSettings

# A validation loss is lower only if it falls by at least this share.
PLATEAU_THRESHOLD = 1e-4


class Schedule:
    """A schedule over the steps of a run: warm-up, then the multiplier of the settings.

    `Plateau` alone has a state: like PyTorch's `ReduceLROnPlateau`, it depends on the validation
    losses.

    Attributes:
        plateau_factor: Factor by which `Plateau` has reduced the learning rates so far.
        best_loss: Lowest validation loss so far.
        num_bad_validations: Validations since the last reduction or lower loss.
    """

    def __init__(self, settings: ScheduleSettings, total_steps: int) -> None:
        """Make the schedule of a run.

        Args:
            settings: The schedule.
            total_steps: Steps of the run.
        """
        self._settings = settings
        self._total_steps = total_steps
        # The multiplier of `OneCycle` includes its warm-up.
        share = 0.0 if isinstance(settings, OneCycle) else settings.warmup
        self._warmup_steps = round(share * total_steps)
        self.plateau_factor = 1.0
        self.best_loss = math.inf
        self.num_bad_validations = 0

    def factor(self, step: int) -> float:
        """Return the factor on the learning rates at a step, counted from 0.

        During warm-up it rises linearly (Goyal et al., 2017, section 2.2).
        """
        if step < self._warmup_steps:
            return self._factor_after_warmup(0) * (step + 1) / (self._warmup_steps + 1)
        return self._factor_after_warmup(step - self._warmup_steps)

    def _factor_after_warmup(self, step: int) -> float:
        multiplier = self._settings.multiplier(step, self._total_steps - self._warmup_steps)
        return multiplier * self.plateau_factor

    def add_validation(self, loss: float) -> None:
        """Record a validation loss; `Plateau` may reduce the learning rates."""
        if not isinstance(self._settings, Plateau):
            return
        if loss < self.best_loss * (1 - PLATEAU_THRESHOLD):
            self.best_loss, self.num_bad_validations = loss, 0
            return
        self.num_bad_validations += 1
        if self.num_bad_validations > self._settings.patience:
            self.plateau_factor *= self._settings.factor
            self.num_bad_validations = 0

    def state_dict(self) -> dict[str, Any]:
        """Return the state of `Plateau` for a checkpoint."""
        return {
            "plateau_factor": self.plateau_factor,
            "best_loss": self.best_loss,
            "num_bad_validations": self.num_bad_validations,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Load what `state_dict` returned."""
        self.plateau_factor = state["plateau_factor"]
        self.best_loss = state["best_loss"]
        self.num_bad_validations = state["num_bad_validations"]
