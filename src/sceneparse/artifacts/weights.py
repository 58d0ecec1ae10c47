"""Weights files: the weights of a network with its config and labels, in one file."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from sceneparse.artifacts.writing import write_bytes
from sceneparse.config import RunConfig
from sceneparse.config.reading import config_yaml, parse_config
from sceneparse.errors import InputError
from sceneparse.labels import Labels
from sceneparse.labels.label_files import labels_from_text

# Change this text when the contents change so that an older version could misread them.
FORMAT = "sceneparse 1"


class StoredModel(NamedTuple):
    """The contents of a weights file.

    Attributes:
        tensors: Parameters and buffers by name.
        config: Config of the run that trained the network.
        labels: The classes that the network predicts.
    """

    tensors: dict[str, Tensor]
    config: RunConfig
    labels: Labels


def write_weights(
    path: Path, model: StoredModel, *, half: bool = False, max_bytes: int | None = None
) -> int:
    """Write a network with its config and labels to one file.

    Config and labels go into the header; no code is stored.

    Args:
        path: The file.
        model: The network.
        half: Store weights in fp16, which rounds them to three digits.
        max_bytes: Maximum size of the file; none for no limit.

    Returns:
        The size of the file in bytes.

    Raises:
        InputError: If the file would be too large, or cannot be written.
    """
    content = encoded_weights(model, half=half)
    if max_bytes is not None and len(content) > max_bytes:
        raise InputError(
            f"{path}: the file would have {len(content) / 1e6:.2f} MB, more than "
            f"{max_bytes / 1e6:g} MB; "
            "nothing was written; "
            + (
                "train a smaller network"
                if half
                else "store it in fp16, or train a smaller network"
            )
        )
    write_bytes(path, content)
    return len(content)


def encoded_weights(model: StoredModel, *, half: bool = False) -> bytes:
    """Return the content of a weights file; see `write_weights`."""
    metadata = {
        "format": FORMAT,
        "config": config_yaml(model.config),
        "labels": model.labels.to_json(),
    }
    return _with_sorted_metadata(save(stored_tensors(model.tensors, half=half), metadata))


def _with_sorted_metadata(content: bytes) -> bytes:
    """Sort the metadata of a safetensors file, so that equal models make equal files.

    The library writes them in the random order of a hash map.
    """
    start = 8 + int.from_bytes(content[:8], "little")
    header: dict[str, Any] = json.loads(content[8:start])
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # Tensors begin at a multiple of eight bytes.
    return len(text).to_bytes(8, "little") + text + content[start:]


def stored_tensors(tensors: Mapping[str, Tensor], *, half: bool) -> dict[str, Tensor]:
    """Return tensors as a file stores them, on the CPU.

    Args:
        tensors: Parameters and buffers by name.
        half: Round to fp16 what fp16 can represent.
    """
    stored = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    return {name: _to_float16(tensor) for name, tensor in stored.items()} if half else stored


def _to_float16(tensor: Tensor) -> Tensor:
    """Round a tensor to fp16, unless fp16 cannot represent it.

    A vector is rounded only if each of its numbers keeps three digits: running statistics and their
    factors may have any magnitude, and fp16 has fewer digits below 6e-5.
    """
    if not tensor.is_floating_point():
        return tensor
    half = tensor.half()
    is_vector = sum(side > 1 for side in tensor.shape) < 2
    is_representable = (
        torch.allclose(half.to(tensor.dtype), tensor, rtol=2**-10, atol=0)
        if is_vector
        else half.isfinite().all()
    )
    return half if is_representable else tensor


def read_weights(path: Path) -> StoredModel:
    """Read a network from a weights file; weights in fp16 or bf16 become fp32.

    Raises:
        InputError: If the file does not exist, is broken, or has another format.
    """
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: _to_float32(file.get_tensor(name)) for name in file.keys()}  # noqa: SIM118
    except FileNotFoundError:
        raise InputError(
            f"{path}: no such weights file or run folder; give an existing one"
        ) from None
    except (SafetensorError, OSError) as error:
        raise InputError(
            f"{path}: not a safetensors file, or broken ({error}); give a weights file that "
            "sceneparse wrote"
        ) from None
    if "config" not in metadata or "labels" not in metadata:
        raise InputError(
            f"{path}: found no config and labels in the file; give a weights file that sceneparse "
            "wrote"
        )
    if metadata.get("format") != FORMAT:
        raise InputError(
            f"{path}: found weights of format `{metadata.get('format')}`, expected `{FORMAT}`; use "
            "the version of sceneparse that wrote them"
        )
    return StoredModel(
        tensors=tensors,
        config=parse_config(metadata["config"], f"{path} (config)"),
        labels=labels_from_text(metadata["labels"], f"{path} (labels)"),
    )


def _to_float32(tensor: Tensor) -> Tensor:
    return tensor.float() if tensor.dtype in (torch.float16, torch.bfloat16) else tensor
