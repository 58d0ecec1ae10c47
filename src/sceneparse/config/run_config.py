"""A whole run: the settings of all its parts."""

from typing import Annotated, Literal

from annotated_types import Ge, Gt, Le, Lt

from sceneparse.augmentation.settings import TransformSettings
from sceneparse.data.datasets.ade20k import Ade20kData
from sceneparse.data.datasets.synthetic import SyntheticData
from sceneparse.data.settings import DataSection, SamplingSection, UniformSampling
from sceneparse.inference.settings import InferenceSettings
from sceneparse.losses.settings import CrossEntropyLoss, LossSection
from sceneparse.models.settings import ModelSection, UNetModel
from sceneparse.optimization.settings import Adam, OptimizerSection, Plateau, ScheduleSection
from sceneparse.system.settings import PositiveFloat, PositiveInt, settings


@settings
class TrainingSettings:
    """How long a run is, and on what."""

    epochs: PositiveInt = 30
    """Passes over the training images."""
    batch_size: PositiveInt | Literal["auto"] = "auto"
    """Images per step of all processes together; `auto`: 16, fewer for a tiny data set, and another
    number where the processes cannot share 16."""
    accumulation: PositiveInt | Literal["auto"] = "auto"
    """Parts in which each process computes its share of a batch, one after another: less memory
    for the same step, except that batch normalisation sees each part by itself; `auto`: as many
    as the memory needs."""
    check_memory: bool = True
    """Do not start on a CPU if by estimate its memory does not suffice; `false`: start all the
    same."""
    precision: Literal["auto", "bf16", "fp16", "fp32"] = "auto"
    """`auto`: the fastest in a short measurement; bf16 only where it is computed natively."""
    memory_format: Literal["auto", "channels_last", "contiguous"] = "auto"
    """Memory layout of tensors; `auto`: the fastest in the same measurement."""
    compile: Literal["auto", "on", "off"] = "auto"
    """Compile the network with torch.compile; `auto`: for long runs on CUDA. Without a compiler the
    run continues uncompiled and says so."""
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    """`auto`: the fastest one available."""
    threads: PositiveInt | Literal["auto"] = "auto"
    """Threads of each process that read images ahead."""
    processes: PositiveInt | Literal["auto"] = "auto"
    """Processes that share each step; `auto`: those that were started, else one per CUDA device."""
    sync_batch_norm: bool = True
    """Normalise over the images of all processes, as one process would; `false`: each by itself."""
    clip_norm: PositiveFloat | None = None
    """Largest norm of the gradient; longer ones are clipped."""
    ema: Annotated[float, Gt(0), Lt(1)] | None = None
    """Decay of an exponential moving average of the weights, such as 0.999; the averaged network is
    validated, drawn and kept. The decay is smaller in the first steps."""
    on_nonfinite: Literal["stop", "skip", "rollback"] = "stop"
    """What to do after a step whose loss or gradient is not finite, which never changes the
    weights: `stop` the run; `skip` the step, unless ten in a row are such; `rollback` to the last
    checkpoint and go on with half the learning rate."""
    patience: PositiveInt | None = None
    """Early stopping: validations in a row without a better mIoU after which the run ends."""
    validate_every: PositiveInt = 1
    """Epochs from one validation to the next."""
    checkpoint_epochs: PositiveInt = 1
    """Epochs from one checkpoint to the next. A run that ends or is stopped is always saved."""
    checkpoint_steps: PositiveInt | None = None
    """Steps from one checkpoint to the next, beside those of epochs and minutes."""
    checkpoint_minutes: PositiveFloat = 10
    """Save also when the last checkpoint is older: at most so much work can be lost."""
    checkpoints_kept: PositiveInt = 2
    """Checkpoints that are kept: with two, a damaged one is replaced by the one before."""


@settings
class ReportSettings:
    """What a run draws."""

    images: Annotated[int, Ge(1), Le(24)] = 6
    """Validation images that are drawn, the same each time."""
    every: PositiveInt = 5
    """Epochs from one drawing to the next."""
    tensorboard: bool = False
    """Write TensorBoard logs too; needs the extra `sceneparse[tensorboard]`."""


@settings
class RunConfig:
    """A training run as data: complete after loading, never changed."""

    seed: Annotated[int, Ge(0), Lt(2**31)] = 0
    """Seed of weights, order and augmentation."""
    data: DataSection = Ade20kData()
    """The images."""
    model: ModelSection = UNetModel()
    """The network."""
    transform: TransformSettings = TransformSettings()
    """Augmentation."""
    sampling: SamplingSection = UniformSampling()
    """How often each training image is drawn."""
    loss: LossSection = CrossEntropyLoss()
    """What is minimised."""
    optimizer: OptimizerSection = Adam()
    """The optimizer."""
    schedule: ScheduleSection = Plateau()
    """The learning rate over the steps."""
    training: TrainingSettings = TrainingSettings()
    """Length, precision, device and processes."""
    inference: InferenceSettings = InferenceSettings()
    """How images become masks."""
    report: ReportSettings = ReportSettings()
    """Drawings and logs."""

    @property
    def bands(self) -> tuple[int, ...] | None:
        """Bands of image files that the network takes; none for RGB."""
        return None if isinstance(self.data, SyntheticData) else self.data.bands

    @property
    def channels(self) -> int:
        """Number of channels of the images."""
        return 3 if self.bands is None else len(self.bands)
