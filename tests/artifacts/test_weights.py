"""Weights files in fp16 are small and keep tensors that fp16 cannot represent."""

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from sceneparse.artifacts.weights import StoredModel, read_weights, write_weights
from sceneparse.config import RunConfig
from sceneparse.errors import InputError
from sceneparse.labels import ade20k_labels


def weights_of(tensors: dict[str, torch.Tensor]) -> StoredModel:
    return StoredModel(tensors, RunConfig(seed=7), ade20k_labels())


def stored_types(path: Path) -> dict[str, torch.dtype]:
    with safe_open(path, framework="pt") as file:
        return {name: file.get_tensor(name).dtype for name in file.keys()}  # noqa: SIM118


def test_half_rounds_weights_and_keeps_other_tensors(tmp_path: Path) -> None:
    torch.manual_seed(0)
    tensors = {
        "conv.weight": torch.randn(8, 4, 3, 3),
        "deep.weight": torch.randn(8, 1, 3, 3),
        "huge.weight": torch.tensor([[1.0, 65504.0], [65520.0, 0.0]]),
        "norm.weight": torch.randn(8),
        "norm.running_mean": 1e5 * torch.randn(8),
        "norm.running_var": torch.tensor([1e-9, 65505.0, 1e12]),
        "norm.num_batches_tracked": torch.tensor(10**12),
        "table": torch.arange(6).reshape(2, 3),
        "mean": torch.full((1, 3, 1, 1), 123.675),
        # fp16 has fewer than three digits for such small numbers.
        "norm.bias": torch.tensor([1.0, 1.001e-6]),
    }
    path = tmp_path / "half.safetensors"
    size = write_weights(path, weights_of(tensors), half=True)
    assert size == path.stat().st_size
    types = stored_types(path)
    rounded = {name for name, dtype in types.items() if dtype == torch.float16}
    assert rounded == {"conv.weight", "deep.weight", "norm.weight", "mean"}
    read = read_weights(path)
    assert read.config == RunConfig(seed=7)
    assert read.labels == ade20k_labels()
    for name, tensor in tensors.items():
        assert read.tensors[name].dtype == tensor.dtype
        if name in rounded:
            expected = tensor.numpy().astype(np.float16).astype(np.float32)
            np.testing.assert_array_equal(read.tensors[name].numpy(), expected)
        else:
            assert torch.equal(read.tensors[name], tensor), name


def test_weights_are_stored_unchanged_by_default(tmp_path: Path) -> None:
    tensors = {"conv.weight": torch.randn(8, 4, 3, 3)}
    write_weights(tmp_path / "w.safetensors", weights_of(tensors))
    stored = read_weights(tmp_path / "w.safetensors").tensors
    assert torch.equal(stored["conv.weight"], tensors["conv.weight"])


def test_bf16_is_read_as_fp32(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    write_weights(path, weights_of({}))
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata()
    save_file({"weight": torch.ones(2, 2, dtype=torch.bfloat16)}, path, metadata)
    assert read_weights(path).tensors["weight"].dtype == torch.float32


def test_a_file_that_would_be_too_large_is_not_written(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    weights = weights_of({"conv.weight": torch.zeros(1000, 1000)})
    with pytest.raises(InputError, match=r"4\.0. MB, more than 3 MB; nothing was written.*fp16"):
        write_weights(path, weights, max_bytes=3_000_000)
    assert not list(tmp_path.iterdir())
    assert write_weights(path, weights, half=True, max_bytes=3_000_000) < 2_100_000
    with pytest.raises(InputError, match=r"more than 1 MB.*train a smaller network"):
        write_weights(path, weights, half=True, max_bytes=1_000_000)
    assert path.stat().st_size > 2_000_000
