"""A run that would not fit into the memory of a CPU says so before it starts."""

import re
from pathlib import Path

import pytest
import torch

from sceneparse.config.reading import parse_config
from sceneparse.errors import InputError
from sceneparse.labels import ade20k_labels
from sceneparse.optimization.parameter_groups import parameter_groups
from sceneparse.optimization.settings import Adam, AdamW, OptimizerSettings, Sgd
from sceneparse.tasks.train import train
from sceneparse.training.memory import activation_bytes_per_image, state_bytes
from sceneparse.training.memory_check import memory_problem


@pytest.mark.parametrize(
    ("available", "further", "fits"), [(1300, 300, True), (1299, 300, False), (1399, 400, False)]
)
def test_what_does_not_fit_is_named_with_its_numbers(
    available: float, further: float, fits: bool
) -> None:
    problem = memory_problem(
        image_bytes=250e6,
        images=4,
        further_bytes=further * 1e6,
        available_bytes=available * 1e6,
    )
    assert (problem == "") == fits
    if problem:
        assert "4 images at once of 0.25 GB each" in problem
        assert "1.3 GB are free" in problem or "1.4 GB are free" in problem


def test_a_run_that_cannot_fit_does_not_start(rectangles_config: Path, tmp_path: Path) -> None:
    # 24 images of 17 million pixels each, at once.
    overrides = ["transform.size=4096", "training.batch_size=24", "training.accumulation=1"]
    with pytest.raises(InputError, match=r"training\.check_memory: .* GB are free") as raised:
        train(rectangles_config, out=tmp_path / "run", overrides=overrides)
    needed, free = re.findall(r"([\d,.]+) GB of memory .* and ([\d,.]+) GB", str(raised.value))[0]
    assert float(needed.replace(",", "")) > float(free.replace(",", ""))
    assert not (tmp_path / "run").exists()


def test_a_run_may_be_told_to_start_all_the_same(rectangles_config: Path, tmp_path: Path) -> None:
    overrides = ["training.check_memory=false", "training.epochs=1", "model.width=2"]
    assert train(rectangles_config, out=tmp_path, overrides=overrides).is_finished


def test_the_memory_of_large_images_is_in_proportion_to_their_pixels() -> None:
    labels = ade20k_labels()
    found: list[int] = []
    for size in (512, 1024):
        config = parse_config(f"model: {{width: 2}}\ntransform: {{size: {size}}}", "test")
        found.append(activation_bytes_per_image(config, config.model.build(150), labels, "fp32"))
    assert found[1] == 4 * found[0]


@pytest.mark.parametrize("settings", [Adam(), AdamW(), Sgd(), Sgd(momentum=0.0)], ids=str)
@pytest.mark.parametrize("has_ema", [False, True])
def test_a_run_holds_weights_and_what_belongs_to_the_trained_ones(
    settings: OptimizerSettings, has_ema: bool
) -> None:
    network = torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.Linear(16, 4))
    network[0].requires_grad_(False)
    optimizer = settings.build(parameter_groups(network, 0.1, 0.0, 1.0), fused=False)
    network(torch.ones(1, 8)).sum().backward()
    optimizer.step()
    moments = [
        value
        for state in optimizer.state.values()
        for value in state.values()
        if isinstance(value, torch.Tensor) and value.ndim
    ]
    weights = list(network.parameters())
    gradients = [weight.grad for weight in weights if weight.grad is not None]
    held = weights + gradients + moments + (weights if has_ema else [])
    assert state_bytes(network, settings, has_ema=has_ema) == sum(each.nbytes for each in held)
