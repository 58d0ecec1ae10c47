"""A run uses the precision and the memory format that are measured to be fastest."""

import math
from pathlib import Path
from typing import Any

import pytest
import torch

from sceneparse import factory
from sceneparse.config.reading import parse_config
from sceneparse.labels import ade20k_labels
from sceneparse.losses.loss import LossOutput
from sceneparse.ops.precision import exact_products
from sceneparse.system.device import allow_tf32, native_precision
from sceneparse.training.auto import resolve
from sceneparse.training.trials import Candidate, candidates_for, fastest, measure_step_times

CPU = torch.device("cpu")


def test_explicit_settings_are_the_only_candidates() -> None:
    assert candidates_for("fp32", "contiguous", CPU) == [Candidate("fp32", "contiguous")]
    assert candidates_for("fp16", "auto", CPU) == [
        Candidate("fp16", "channels_last"),
        Candidate("fp16", "contiguous"),
    ]
    tried = candidates_for("auto", "auto", CPU)
    assert tried[0] == Candidate(native_precision(CPU), "channels_last")
    assert Candidate("fp32", "contiguous") in tried


def test_another_setting_must_be_clearly_faster_than_the_default() -> None:
    usual, other = Candidate("bf16", "channels_last"), Candidate("fp32", "contiguous")
    assert fastest({usual: 1.0, other: 0.95}) == usual
    assert fastest({usual: 1.0, other: 0.8}) == other
    assert fastest({usual: 1.0}) == usual


def test_measuring_changes_neither_the_network_nor_the_random_state() -> None:
    labels = ade20k_labels()
    config = parse_config("model: {width: 4}", "test")
    torch.manual_seed(0)
    segmenter = config.model.build(150).train()
    before = {name: value.clone() for name, value in segmenter.state_dict().items()}
    random = torch.get_rng_state()
    ways = candidates_for("auto", "auto", CPU)
    times = measure_step_times(ways, segmenter, config.loss.build(labels), (32, 32), CPU)
    assert list(times) == ways
    assert all(time > 0 for time in times.values())
    torch.testing.assert_close(torch.get_rng_state(), random)
    for name, value in segmenter.state_dict().items():
        torch.testing.assert_close(value, before[name])
    assert all(parameter.grad is None for parameter in segmenter.parameters())


class _TooLargeInFp32(torch.nn.Module):
    """A loss whose memory suffices for bf16 alone."""

    def __init__(self, loss: torch.nn.Module) -> None:
        super().__init__()
        self.ignore_index = loss.ignore_index
        self.loss = loss

    def forward(self, *arguments: Any) -> LossOutput:
        if not torch.is_autocast_enabled("cpu"):
            raise torch.OutOfMemoryError("tried to allocate too much")
        return self.loss(*arguments)


def test_a_setting_for_which_memory_does_not_suffice_is_not_chosen() -> None:
    config = parse_config("model: {width: 4}", "test")
    segmenter = config.model.build(150).train()
    loss = _TooLargeInFp32(config.loss.build(ade20k_labels()))
    fp32, bf16 = Candidate("fp32", "contiguous"), Candidate("bf16", "channels_last")
    times = measure_step_times([fp32, bf16], segmenter, loss, (32, 32), CPU)
    assert math.isinf(times[fp32])
    assert fastest(times) == bf16
    times = measure_step_times([fp32], segmenter, loss, (32, 32), CPU)
    assert fastest(times) == fp32


def test_resolved_settings_are_stored_and_not_measured_again(rectangles_root: Path) -> None:
    text = f"""
data: {{kind: folder, root: {rectangles_root}}}
model: {{width: 4}}
transform: {{size: 32}}
"""
    config = parse_config(text, "test")
    dataset = factory.dataset(config.data, "training")
    segmenter = config.model.build(dataset.labels.num_classes)
    settings = resolve(config, segmenter, dataset)
    assert "ms per image" in settings.reasons()
    stored = settings.stored_in(config)
    assert stored.training.memory_format == settings.memory_format
    assert stored.training.precision == settings.precision
    assert stored.training.compile == "off"
    again = resolve(stored, segmenter, dataset)
    assert again.times == {}
    assert again.reasons() == ""
    assert again.stored_in(stored) == stored


@pytest.mark.parametrize("memory_format", ["channels_last", "contiguous"])
def test_the_memory_format_changes_no_result(memory_format: str) -> None:
    image = torch.randint(0, 256, (2, 3, 40, 56), dtype=torch.uint8)
    results: list[torch.Tensor] = []
    for layout in ("channels_last", memory_format):
        config = parse_config("model: {width: 4}", "test")
        torch.manual_seed(0)
        segmenter = config.model.build(5).eval()
        to_memory_format = factory.on_device(
            segmenter, CPU, "contiguous" if layout == "contiguous" else "channels_last"
        )
        results.append(to_memory_format(image))
    torch.testing.assert_close(results[1], results[0], rtol=1e-4, atol=1e-5)


def test_the_loss_avoids_tf32_and_restores_the_setting() -> None:
    def is_tf32() -> bool:
        return torch.get_float32_matmul_precision() == "high"

    before = torch.get_float32_matmul_precision()
    try:
        assert not is_tf32()
        allow_tf32()
        assert is_tf32()
        with exact_products(torch.device("cuda")):
            assert not is_tf32()
        assert is_tf32()
    finally:
        torch.set_float32_matmul_precision(before)
