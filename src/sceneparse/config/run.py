"""A whole run."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, PositiveFloat, PositiveInt, model_validator

from sceneparse.config.data import DataConfig
from sceneparse.config.loss import CrossEntropyLoss, LossConfig
from sceneparse.config.model import ModelConfig, UNetModel
from sceneparse.config.optimization import (
    Adam,
    OptimizerConfig,
    Plateau,
    ScheduleConfig,
)
from sceneparse.config.published import Ade20kData
from sceneparse.config.refinement import NoRefinement, RefinementConfig
from sceneparse.config.sampling import SamplingConfig, UniformSampling
from sceneparse.config.section import Section
from sceneparse.config.transform import TransformConfig


def _switch(value: object) -> object:
    """Undo YAML 1.1, to which bare `on` and `off` are true and false."""
    return {True: "on", False: "off"}[value] if isinstance(value, bool) else value


class TrainingConfig(Section):
    """How long a run is, and on what."""

    epochs: PositiveInt = 30
    """Times that the training images are gone through."""
    batch_size: PositiveInt | Literal["auto"] = "auto"
    """Images per step of all processes together; `auto`: 16, or fewer for a tiny data set."""
    accumulation: PositiveInt | Literal["auto"] = "auto"
    """Parts in which each process computes its share of a batch, one after another: less memory,
    and the same step, but for batch normalisation, which sees each part by itself; `auto`: as many
    as the memory asks for."""
    precision: Literal["auto", "bf16", "fp16", "fp32"] = "auto"
    """`auto`: the fastest in a short measurement; bf16 only where it is computed natively."""
    memory_format: Literal["auto", "channels_last", "contiguous"] = "auto"
    """How tensors lie in memory; `auto`: the fastest in the same measurement."""
    compile: Annotated[Literal["auto", "on", "off"], BeforeValidator(_switch)] = "auto"
    """Compile the network with torch.compile; `auto`: for long runs on CUDA. Without a compiler the
    run goes on uncompiled and says so."""
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    """`auto`: the fastest that is there."""
    threads: PositiveInt | Literal["auto"] = "auto"
    """Threads of each process that read images ahead."""
    processes: PositiveInt | Literal["auto"] = "auto"
    """That share each step; `auto`: those that were started, else one for each CUDA device."""
    sync_batch_norm: bool = True
    """Normalise over the images of all processes, as one would; `false`: each by itself."""
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
    """How images are sized for the network, in validation and ever after."""

    resize: Literal["stretch", "keep_ratio", "window"] = "stretch"
    """`stretch` to a square; `keep_ratio`; `window`: ratio kept, overlapping squares."""
    size: int = Field(default=256, ge=32, le=4096)
    """Pixels of the short side, and of the square."""
    overlap: float = Field(default=0.25, ge=0, lt=1)
    """Least share of a window that the next one sees again."""
    scales: tuple[Annotated[float, Field(ge=0.1, le=4)], ...] = Field(
        default=(1.0,), min_length=1, max_length=8
    )
    """Factors on `size` at which the network sees each image; its answers are averaged."""
    flip: bool = False
    """See each image mirrored too, at every scale."""
    refine: RefinementConfig = NoRefinement()
    """What follows the edges of the photo afterwards."""
    batch_size: PositiveInt = 4
    """Images that go through the network together when a data set is scored; their sizes may
    differ, those that the network sees at the same size are put together."""
    memory_budget_mb: int = Field(default=256, ge=16)
    """Most memory in MiB that bringing the logits of an image to its size takes."""


class ReportConfig(Section):
    """What a run draws."""

    images: int = Field(default=6, ge=1, le=24)
    """Validation images that are drawn, the same each time."""
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
