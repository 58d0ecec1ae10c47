"""What a plan is decided from: the data, the machine, and how long things take on it."""

from dataclasses import dataclass
from typing import Literal, NamedTuple

from sceneparse.data.settings import DataSettings
from sceneparse.models.settings import EncoderUNetModel, ModelSettings

Device = Literal["cpu", "cuda", "mps"]

# What padding to the stride of most networks does not enlarge.
SIDE_STEP = 32


@dataclass(frozen=True)
class DataFacts:
    """What there is to learn from.

    Attributes:
        config: Which data set.
        training: Images to train on.
        validation: Images to validate on.
        height: Median of the images, in pixels.
        width: Likewise.
        class_names: Of the classes.
        imbalance: The largest weight of a class by median frequency over the smallest.
        count_s: Seconds in which a run would count the classes of images not counted yet.
    """

    config: DataSettings
    training: int
    validation: int
    height: int
    width: int
    class_names: tuple[str, ...]
    imbalance: float
    count_s: float = 0.0

    @property
    def short_side(self) -> int:
        """Pixels of the shorter side."""
        return min(self.height, self.width)

    @property
    def ratio(self) -> float:
        """The longer side over the shorter one."""
        return max(self.height, self.width) / self.short_side


@dataclass(frozen=True)
class MachineFacts:
    """What computes, and how.

    Attributes:
        device: Its kind.
        precision: The fastest one.
        memory_format: The fastest one.
        threads: That read images ahead.
        memory_bytes: That a training step may take for what grows with its images.
        asked_bytes: Of memory, where the user has said how much a run may take.
        measured: What the ways to compute took that were tried.
    """

    device: Device
    precision: Literal["bf16", "fp16", "fp32"]
    memory_format: Literal["channels_last", "contiguous"]
    threads: int
    memory_bytes: float
    asked_bytes: float | None = None
    measured: str = ""


class Start(NamedTuple):
    """Which network is trained, and from what it starts.

    Attributes:
        model: The network.
        reason: Why this one.
        learned_size: Side of the smallest images that the whole network has learned to segment;
            none if no more than its encoder is trained.
        is_finer: Whether the decoder has one level more than that of the weights.
    """

    model: ModelSettings
    reason: str
    learned_size: int | None = None
    is_finer: bool = False

    @property
    def is_trained(self) -> bool:
        """Whether there are weights to start from."""
        return self.model.weights != "none"

    @property
    def is_fixed(self) -> bool:
        """Whether the encoder stays as it is."""
        return isinstance(self.model, EncoderUNetModel) and self.model.freeze_stages > 0

    @property
    def is_further(self) -> bool:
        """Whether a network that can segment already learns as a whole."""
        return self.learned_size is not None and not self.is_fixed


class Costs(NamedTuple):
    """Seconds of what a run does beside training and validation.

    Attributes:
        begin_s: Until the first step: the program, the data, the first drawing.
        epoch_s: After each epoch: tables, curves, weights, checkpoint.
        drawing_s: Each drawing of predictions.
        frame_s: Each image of a animation, whenever one is made.
        end_s: After the last epoch: the kept weights are read and drawn.
    """

    begin_s: float
    epoch_s: float
    drawing_s: float
    frame_s: float
    end_s: float


class Measured(NamedTuple):
    """How long the two that take most of a run take at one size.

    Attributes:
        image_s: A training image, at this side of its square.
        validation_image_s: A validation image, at the side that belongs to it.
        image_bytes: That an image of a step keeps in memory.
    """

    image_s: float
    validation_image_s: float
    image_bytes: float


@dataclass(frozen=True)
class Speed:
    """How long images take at any size: a constant, and a part that grows with their pixels.

    Attributes:
        small: Side of the smaller square that was measured.
        at_small: What was measured.
        large: Side of the larger one; it may be the same.
        at_large: What was measured.
    """

    small: int
    at_small: Measured
    large: int
    at_large: Measured

    def at(self, size: int) -> Measured:
        """Return what an image takes at a size, by a straight line over its pixels."""
        if self.small == self.large:
            return Measured(*((size / self.small) ** 2 * value for value in self.at_small))
        share = (size**2 - self.small**2) / (self.large**2 - self.small**2)
        pairs = zip(self.at_small, self.at_large, strict=True)
        # A machine that was busy for a moment must not make larger images free.
        return Measured(*(max(low + share * (high - low), 0.1 * low) for low, high in pairs))
