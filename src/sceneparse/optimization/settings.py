"""Settings of optimizers and learning-rate schedules, and the lists of all of them."""

import math
from typing import TYPE_CHECKING, Annotated, Any

from annotated_types import Ge, Gt, Le, Lt

from sceneparse.system.settings import (
    Kinds,
    NonNegativeFloat,
    PositiveFloat,
    Share,
    ShareBelowOne,
    settings,
)

if TYPE_CHECKING:
    from torch.optim import Optimizer


# Factors on `lr` at the first and the last step: about 1/25, as in PyTorch's `OneCycleLR`, and low
# enough for the end.
ONE_CYCLE_START, ONE_CYCLE_END = 0.04, 0.001


@settings
class OptimizerSettings:
    """Fields that every optimizer has."""

    lr: PositiveFloat = 1e-3
    """Learning rate."""
    weight_decay: NonNegativeFloat = 0.0
    """Weight decay; norms and biases are never decayed."""
    encoder_lr_mult: PositiveFloat = 1.0
    """Factor on the learning rate of the encoder."""
    layer_decay: Annotated[float, Gt(0), Le(1)] = 1.0
    """Factor on the learning rate of each stage of the encoder, against the next deeper one; the
    deepest stage has `encoder_lr_mult` times `lr`."""

    @property
    def moments(self) -> int:
        """Numbers that the optimizer keeps for each weight that it trains."""
        return 2

    def build(self, groups: list[dict[str, Any]], *, fused: bool) -> "Optimizer":
        """Make the optimizer of parameter groups.

        Args:
            groups: As `optimization.parameter_groups.parameter_groups` returns them.
            fused: Use PyTorch's fused implementation, one pass over memory per step.
        """
        raise NotImplementedError


@settings
class Adam(OptimizerSettings):
    """Adam (Kingma & Ba, 2015)."""

    def build(self, groups: list[dict[str, Any]], *, fused: bool) -> "Optimizer":
        """Make the optimizer of parameter groups."""
        import torch

        return torch.optim.Adam(groups, fused=fused)


@settings
class AdamW(OptimizerSettings):
    """Adam with decoupled weight decay (Loshchilov & Hutter, 2019)."""

    weight_decay: NonNegativeFloat = 0.01
    """Weight decay; norms and biases are never decayed."""

    def build(self, groups: list[dict[str, Any]], *, fused: bool) -> "Optimizer":
        """Make the optimizer of parameter groups."""
        import torch

        return torch.optim.AdamW(groups, fused=fused)


@settings
class Sgd(OptimizerSettings):
    """Stochastic gradient descent with Nesterov momentum."""

    lr: PositiveFloat = 0.01
    """Learning rate."""
    momentum: ShareBelowOne = 0.9
    """Momentum; 0 is plain gradient descent."""

    @property
    def moments(self) -> int:
        """Numbers that the optimizer keeps for each weight that it trains."""
        return 1 if self.momentum else 0

    def build(self, groups: list[dict[str, Any]], *, fused: bool) -> "Optimizer":
        """Make the optimizer of parameter groups."""
        import torch

        nesterov = self.momentum > 0
        sgd = torch.optim.SGD(groups, momentum=self.momentum, nesterov=nesterov, fused=fused)
        if nesterov:
            # A first step that is skipped would leave the momentum of a fused SGD undefined.
            for parameter in (parameter for group in groups for parameter in group["params"]):
                sgd.state[parameter]["momentum_buffer"] = torch.zeros_like(parameter)
        return sgd


OPTIMIZERS: dict[str, type[OptimizerSettings]] = {"adam": Adam, "adamw": AdamW, "sgd": Sgd}
OptimizerSection = Annotated[OptimizerSettings, Kinds(OPTIMIZERS, default="adam")]


@settings
class ScheduleSettings:
    """A learning-rate schedule: a factor on the rates, as a function of the step."""

    warmup: ShareBelowOne = 0.0
    """Share of the run in which the rate first rises linearly to `lr`."""

    def multiplier(self, step: int, total_steps: int) -> float:
        """Return the factor on the learning rate.

        Args:
            step: The step after the warm-up, counted from 0.
            total_steps: Steps after the warm-up in all.
        """
        raise NotImplementedError


@settings
class Constant(ScheduleSettings):
    """The learning rate stays the same."""

    def multiplier(self, step: int, total_steps: int) -> float:  # noqa: ARG002 - part of the interface
        """Return 1."""
        return 1.0


@settings
class Plateau(ScheduleSettings):
    """The learning rate falls when the validation loss stops falling (ReduceLROnPlateau)."""

    factor: Annotated[float, Gt(0), Lt(1)] = 0.5
    """Factor on the rate, each time."""
    patience: Annotated[int, Ge(0)] = 3
    """Validations without a lower loss before the rate falls."""

    def multiplier(self, step: int, total_steps: int) -> float:  # noqa: ARG002 - part of the interface
        """Return 1: the factor depends on the validations (`optimization.schedule.Schedule`)."""
        return 1.0


@settings
class Poly(ScheduleSettings):
    """The learning rate falls by a power of the remaining steps (Chen et al., 2016)."""

    power: PositiveFloat = 0.9
    """Power of the share of remaining steps; 1 is a straight line."""
    end: Share = 0.0
    """Rate after the last step, as a share of `lr`."""

    def multiplier(self, step: int, total_steps: int) -> float:
        """Return the factor at a step (section 4.1)."""
        remaining = max(0.0, 1 - step / max(1, total_steps))
        return self.end + (1 - self.end) * remaining**self.power


@settings
class Cosine(ScheduleSettings):
    """The learning rate falls along half a cosine (Loshchilov & Hutter, 2017)."""

    end: Share = 0.0
    """Rate after the last step, as a share of `lr`."""

    def multiplier(self, step: int, total_steps: int) -> float:
        """Return the factor at a step (equation 5, without restarts)."""
        share = min(1.0, step / max(1, total_steps))
        return self.end + (1 - self.end) * 0.5 * (1 + math.cos(math.pi * share))


@settings
class OneCycle(ScheduleSettings):
    """The learning rate rises linearly, then falls along a cosine (Smith & Topin, 2018)."""

    warmup: ShareBelowOne = 0.1
    """Share of the run in which the rate rises."""

    def multiplier(self, step: int, total_steps: int) -> float:
        """Return the factor at a step, warm-up included."""
        rising = self.warmup * total_steps
        if step < rising:
            return ONE_CYCLE_START + (1 - ONE_CYCLE_START) * step / rising
        share = (step - rising) / max(1.0, total_steps - 1 - rising)
        fall = 0.5 * (1 + math.cos(math.pi * min(share, 1.0)))
        return ONE_CYCLE_END + (1 - ONE_CYCLE_END) * fall


SCHEDULES: dict[str, type[ScheduleSettings]] = {
    "constant": Constant,
    "plateau": Plateau,
    "poly": Poly,
    "cosine": Cosine,
    "one_cycle": OneCycle,
}
ScheduleSection = Annotated[ScheduleSettings, Kinds(SCHEDULES, default="plateau")]
