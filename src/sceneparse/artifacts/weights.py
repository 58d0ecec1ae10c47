"""Weights files: a network with its config and labels, in one file that is used alone."""

from pathlib import Path
from typing import NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from sceneparse.artifacts.writing import written
from sceneparse.config import RunConfig
from sceneparse.config.reading import config_yaml, parse_config
from sceneparse.errors import InputError
from sceneparse.labels import Labels
from sceneparse.labels.files import labels_from_text

# Raised whenever the contents change so that an older version could misread them.
FORMAT = "sceneparse 1"


class StoredModel(NamedTuple):
    """A trained network as a weights file holds it.

    Attributes:
        tensors: Parameters and buffers by name.
        config: The run that trained it.
        labels: The classes that it predicts.
    """

    tensors: dict[str, Tensor]
    config: RunConfig
    labels: Labels


def write_weights(
    path: Path, model: StoredModel, *, half: bool = False, max_bytes: int | None = None
) -> int:
    """Write a network so that the one file can be used alone.

    Config and labels go into the header; no code is stored.

    Args:
        path: The file.
        model: The network.
        half: Store weights in fp16, which rounds them to three digits.
        max_bytes: Of the file; none for any size.

    Returns:
        The size of the file in bytes.

    Raises:
        InputError: If it would be too large, or cannot be written.
    """
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in model.tensors.items()}
    if half:
        tensors = {name: _halved(tensor) for name, tensor in tensors.items()}
    metadata = {
        "format": FORMAT,
        "config": config_yaml(model.config),
        "labels": model.labels.to_json(),
    }
    content = save(tensors, metadata)
    if max_bytes is not None and len(content) > max_bytes:
        raise InputError(
            f"{path}: would have {len(content) / 1e6:.2f} MB, more than {max_bytes / 1e6:g} MB; "
            "nothing was written; "
            + (
                "train a smaller network"
                if half
                else "store it in fp16, or train a smaller network"
            )
        )
    with written(path) as temporary:
        temporary.write_bytes(content)
    return len(content)


def _halved(tensor: Tensor) -> Tensor:
    """Round weights to fp16, but for those that it cannot hold.

    Of vectors each number has to keep its three digits: running statistics and what multiplies
    them may be of any size, and below 6e-5 fp16 has fewer.
    """
    if not tensor.is_floating_point():
        return tensor
    half = tensor.half()
    is_vector = sum(side > 1 for side in tensor.shape) < 2
    is_kept = (
        torch.allclose(half.to(tensor.dtype), tensor, rtol=2**-10, atol=0)
        if is_vector
        else half.isfinite().all()
    )
    return half if is_kept else tensor


def read_weights(path: Path) -> StoredModel:
    """Read a network from a weights file; what is stored in fp16 or bf16 is widened to fp32.

    Raises:
        InputError: If the file is broken, or sceneparse did not write it in this format.
    """
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: _widened(file.get_tensor(name)) for name in file.keys()}  # noqa: SIM118
    except FileNotFoundError:
        raise InputError(f"{path}: no such weights file, nor a run folder") from None
    except (SafetensorError, OSError) as error:
        raise InputError(f"{path}: not a safetensors file, or a broken one ({error})") from None
    if "config" not in metadata or "labels" not in metadata:
        raise InputError(
            f"{path}: holds no sceneparse config and labels; only weights that sceneparse wrote "
            "can be used alone"
        )
    if metadata.get("format") != FORMAT:
        raise InputError(
            f"{path}: weights of format `{metadata.get('format')}`, expected `{FORMAT}`; use the "
            "version of sceneparse that wrote them"
        )
    return StoredModel(
        tensors=tensors,
        config=parse_config(metadata["config"], f"{path} (config)"),
        labels=labels_from_text(metadata["labels"], f"{path} (labels)"),
    )


def _widened(tensor: Tensor) -> Tensor:
    return tensor.float() if tensor.dtype in (torch.float16, torch.bfloat16) else tensor
