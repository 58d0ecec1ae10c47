"""How a run minimises its loss, and at which rate."""

from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat

from sceneparse.config.section import Section


class _Optimizer(Section):
    weight_decay: NonNegativeFloat = 0.0
    """Decay of weights; norms and biases are never decayed."""
    encoder_lr_mult: PositiveFloat = 1.0
    """The learning rate of the encoder is this times `lr`."""
    layer_decay: float = Field(default=1.0, gt=0, le=1)
    """The rate of each stage of the encoder is this times that of the next deeper one; that of the
    deepest is `encoder_lr_mult` times `lr`."""


class Adam(_Optimizer):
    """Adam (Kingma & Ba, 2015)."""

    kind: Literal["adam"] = "adam"
    lr: PositiveFloat = 1e-3
    """Learning rate."""


class AdamW(_Optimizer):
    """Adam with decoupled weight decay (Loshchilov & Hutter, 2019)."""

    kind: Literal["adamw"]
    lr: PositiveFloat = 1e-3
    """Learning rate."""
    weight_decay: NonNegativeFloat = 0.01
    """Decay of weights; norms and biases are never decayed."""


class Sgd(_Optimizer):
    """Stochastic gradient descent with Nesterov momentum."""

    kind: Literal["sgd"]
    lr: PositiveFloat = 0.01
    """Learning rate."""
    momentum: float = Field(default=0.9, ge=0, lt=1)
    """Share of the last step that is taken again."""


OptimizerConfig = Annotated[Adam | AdamW | Sgd, Field(discriminator="kind")]


class _Schedule(Section):
    warmup: float = Field(default=0.0, ge=0, lt=1)
    """Share of the run in which the rate first rises to `lr`, linearly."""


class Constant(_Schedule):
    """The learning rate stays."""

    kind: Literal["constant"]


class Plateau(_Schedule):
    """The learning rate falls when the validation loss no longer does (ReduceLROnPlateau)."""

    kind: Literal["plateau"] = "plateau"
    factor: float = Field(default=0.5, gt=0, lt=1)
    """What the rate is multiplied by."""
    patience: int = Field(default=3, ge=0)
    """Validations without a lower loss that are waited for."""


class Poly(_Schedule):
    """The learning rate falls by a power of the steps that are left (Chen et al., 2016)."""

    kind: Literal["poly"]
    power: PositiveFloat = 0.9
    """Of the share of steps that are left; 1 is a straight line."""
    end: float = Field(default=0.0, ge=0, le=1)
    """Rate that is reached after the last step, as a share of `lr`."""


class Cosine(_Schedule):
    """The learning rate falls along half a cosine (Loshchilov & Hutter, 2017)."""

    kind: Literal["cosine"]
    end: float = Field(default=0.0, ge=0, le=1)
    """Rate that is reached after the last step, as a share of `lr`."""


class OneCycle(Section):
    """The learning rate rises linearly, then falls along a cosine (Smith & Topin, 2018)."""

    kind: Literal["one_cycle"]
    warmup: float = Field(default=0.1, ge=0, lt=1)
    """Share of the run in which the rate rises."""
    start: float = Field(default=0.04, gt=0, le=1)
    """Rate at the first step, as a share of `lr`."""
    end: float = Field(default=0.001, ge=0, le=1)
    """Rate at the last step, as a share of `lr`."""


ScheduleConfig = Annotated[
    Constant | Plateau | Poly | Cosine | OneCycle, Field(discriminator="kind")
]
