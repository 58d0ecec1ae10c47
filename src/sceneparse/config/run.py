"""A whole run."""

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, PositiveFloat, PositiveInt, model_validator

from sceneparse.config.data import Ade20kData, DataConfig
from sceneparse.config.loss import CrossEntropyLoss, LossConfig
from sceneparse.config.model import ModelConfig, UNetModel
from sceneparse.config.optimization import (
    Adam,
    OptimizerConfig,
    Plateau,
    ScheduleConfig,
)
from sceneparse.config.refinement import NoRefinement, RefinementConfig
from sceneparse.config.sampling import SamplingConfig, UniformSampling
from sceneparse.config.section import Section


def _switch(value: object) -> object:
    """Undo YAML 1.1, to which bare `on` and `off` are true and false."""
    return {True: "on", False: "off"}[value] if isinstance(value, bool) else value


class TransformConfig(Section):
    """How training pictures are sized, and what is changed in them at random."""

    size: int = Field(default=256, ge=32, le=4096)
    """Side in pixels of the square that the network sees."""
    first_size: int | None = Field(default=None, ge=32, le=4096)
    """Side in the first epoch, from which it grows to `size` in steps of 32 pixels; none: it is
    `size` from the beginning."""
    growth: float = Field(default=0.5, gt=0, le=1)
    """Share of the epochs at the end of which `first_size` has grown to `size`."""
    crop: float = Field(default=1.0, gt=0, le=1)
    """Smallest share of the sides that is cut out; 1 keeps the whole picture."""
    aspect: float = Field(default=1.0, ge=1, le=4)
    """Largest factor by which the cut's ratio of sides differs from the picture's."""
    scale: tuple[PositiveFloat, PositiveFloat] | None = None
    """Range of random scale, as `[0.5, 2]`: the picture's shorter side becomes `short_side` times
    a factor in it, and a square of `size` is cut out, void where it reaches beyond the picture."""
    short_side: int | None = Field(default=None, ge=32, le=4096)
    """Pixels of the picture's shorter side at scale 1; `size` if not given."""
    class_share: float = Field(default=1.0, gt=0, le=1)
    """Largest share of a cut that one class may take, if one of ten places allows it."""
    rotation: float = Field(default=0.0, ge=0, le=180)
    """Largest angle in degrees; void where the cut then reaches beyond the picture."""
    flip: float = Field(default=0.0, ge=0, le=1)
    """Probability of mirroring left and right."""
    brightness: float = Field(default=0.0, ge=0, lt=1)
    """Largest relative change of brightness."""
    contrast: float = Field(default=0.0, ge=0, lt=1)
    """Largest relative change of contrast."""
    saturation: float = Field(default=0.0, ge=0, le=1)
    """Largest relative change of saturation."""
    hue: float = Field(default=0.0, ge=0, le=0.5)
    """Largest shift of hue, as a share of the colour circle."""
    color_probability: float = Field(default=1.0, ge=0, le=1)
    """Of each of these four changes."""
    grey: float = Field(default=0.0, ge=0, le=1)
    """Probability of taking all colour away."""
    blur: float = Field(default=0.0, ge=0, le=1)
    """Probability of blurring."""
    blur_sigma: float = Field(default=2.0, gt=0, le=20)
    """Largest standard deviation of the blur, in pixels of the square."""
    noise: float = Field(default=0.0, ge=0, le=1)
    """Probability of adding noise."""
    noise_sigma: float = Field(default=12.0, gt=0, le=100)
    """Largest standard deviation of the noise, in 0..255."""
    jpeg: float = Field(default=0.0, ge=0, le=1)
    """Probability of artefacts of JPEG."""
    jpeg_quality: int = Field(default=30, ge=1, le=95)
    """Lowest quality of that JPEG; the highest is 95."""
    cutmix: float = Field(default=0.0, ge=0, le=1)
    """Probability of laying a rectangle of another picture over one."""
    classmix: float = Field(default=0.0, ge=0, le=1)
    """Probability of laying what belongs to half of the classes of another picture over one."""
    copy_paste: float = Field(default=0.0, ge=0, le=1)
    """Probability of laying what belongs to rare classes in another picture over one."""
    rare_below: float = Field(default=0.001, gt=0, lt=1)
    """Share of all labelled training pixels below which a class is rare, for `copy_paste`."""

    @model_validator(mode="after")
    def _check(self) -> "TransformConfig":
        """Refuse fields that contradict each other, or would silently do nothing."""
        if self.scale is None and self.short_side is not None:
            raise ValueError("short_side is the side at scale 1; give scale too, as [0.5, 2]")
        if self.scale is not None and self.scale[0] > self.scale[1]:
            raise ValueError("scale begins with the larger number; give the smaller one first")
        if self.scale is not None and self.crop < 1:
            raise ValueError("crop and scale are two ways to choose the cut; leave one out")
        if self.scale is None and self.crop == 1 and self.class_share < 1:
            raise ValueError("class_share chooses among cuts; it needs crop < 1 or scale")
        if self.cutmix + self.classmix + self.copy_paste > 1:
            raise ValueError(
                "cutmix, classmix and copy_paste add up to more than 1; a picture takes one of them"
            )
        return self

    @property
    def largest_side(self) -> float:
        """Pixels of the shorter side of pictures of which the smallest cut loses no detail."""
        if self.scale is None:
            return self.size * self.aspect**0.5 / self.crop
        return (self.short_side or self.size) * self.aspect**0.5 * self.scale[1]

    @model_validator(mode="after")
    def _check_growth(self) -> Self:
        if self.first_size is not None and self.first_size > self.size:
            raise ValueError(f"first_size {self.first_size} is larger than size {self.size}")
        return self


class TrainingConfig(Section):
    """How long a run is, and on what."""

    epochs: PositiveInt = 30
    """Times that the training pictures are gone through."""
    batch_size: PositiveInt | Literal["auto"] = "auto"
    """Pictures per step of all processes together; `auto`: 16, or fewer for a tiny data set."""
    accumulation: PositiveInt | Literal["auto"] = "auto"
    """Parts in which each process computes its share of a batch, one after another: less memory,
    and the same step, but for batch normalisation, which sees each part by itself; `auto`: as many
    as the memory asks for."""
    precision: Literal["auto", "bf16", "fp16", "fp32"] = "auto"
    """`auto`: the fastest in a short measurement; bf16 only where it is computed natively."""
    memory_format: Literal["auto", "channels_last", "contiguous"] = "auto"
    """How tensors lie in memory; `auto`: the fastest in the same measurement."""
    compile: Annotated[Literal["auto", "on", "off"], BeforeValidator(_switch)] = "auto"
    """Compile the network with torch.compile; `auto`: for long runs on CUDA."""
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    """`auto`: the fastest that is there."""
    threads: PositiveInt | Literal["auto"] = "auto"
    """Threads of each process that read pictures ahead."""
    processes: PositiveInt | Literal["auto"] = "auto"
    """That share each step; `auto`: those that were started, else one for each CUDA device."""
    sync_batch_norm: bool = True
    """Normalise over the pictures of all processes, as one would; `false`: each by itself."""
    clip_norm: PositiveFloat | None = None
    """Largest norm of the gradient; longer ones are shortened."""
    ema: float | None = Field(default=None, gt=0, lt=1)
    """Keep a moving average of the weights, of which this share stays in a step, such as 0.999 (the
    first steps are forgotten faster); it is validated, drawn and kept instead of the weights."""
    patience: PositiveInt | None = None
    """Validations in a row without a better mIoU after which the run ends early."""
    validate_every: PositiveInt = 1
    """Epochs from one validation to the next."""


class InferenceConfig(Section):
    """How pictures are sized for the network, in validation and ever after."""

    resize: Literal["squash", "keep_ratio", "window"] = "squash"
    """`squash` to a square; `keep_ratio`; `window`: ratio kept, overlapping squares."""
    size: int = Field(default=256, ge=32, le=4096)
    """Pixels of the short side, and of the square."""
    overlap: float = Field(default=0.25, ge=0, lt=1)
    """Least share of a window that the next one sees again."""
    scales: tuple[Annotated[float, Field(ge=0.1, le=4)], ...] = Field(
        default=(1.0,), min_length=1, max_length=8
    )
    """Factors on `size` at which the network sees each picture; its answers are averaged."""
    flip: bool = False
    """See each picture mirrored too, at every scale."""
    refine: RefinementConfig = NoRefinement()
    """What follows the edges of the photo afterwards."""
    batch_size: PositiveInt = 4
    """Pictures that go through the network together when a data set is scored; their sizes may
    differ, those that the network sees at the same size are put together."""
    memory_budget_mb: int = Field(default=256, ge=16)
    """Most memory in MiB that bringing the logits of a picture to its size takes."""


class ReportConfig(Section):
    """What a run draws."""

    pictures: int = Field(default=6, ge=1, le=24)
    """Validation pictures that are drawn, the same each time."""
    every: PositiveInt = 5
    """Epochs from one drawing to the next."""
    tensorboard: bool = False
    """Write TensorBoard logs too; needs the extra `sceneparse[tensorboard]`."""


class RunConfig(Section):
    """One training run, whole."""

    seed: int = Field(default=0, ge=0, lt=2**31)
    """Of weights, order and augmentation."""
    data: DataConfig = Ade20kData()
    model: ModelConfig = UNetModel()
    transform: TransformConfig = TransformConfig()
    sampling: SamplingConfig = UniformSampling()
    loss: LossConfig = CrossEntropyLoss()
    optimizer: OptimizerConfig = Adam()
    schedule: ScheduleConfig = Plateau()
    training: TrainingConfig = TrainingConfig()
    inference: InferenceConfig = InferenceConfig()
    report: ReportConfig = ReportConfig()

    @model_validator(mode="before")
    @classmethod
    def _default_kinds(cls, document: Any) -> Any:
        """Let a section that names no `kind` be of the default one."""
        if not isinstance(document, dict):
            return document
        filled: dict[str, Any] = {**document}
        for name, field in cls.model_fields.items():
            kind = getattr(field.default, "kind", None)
            if kind is not None and isinstance(filled.get(name), dict):
                filled[name] = {"kind": kind, **filled[name]}
        return filled
