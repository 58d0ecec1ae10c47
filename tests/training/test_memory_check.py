"""A run that would not fit into the memory of a CPU says so before it starts."""

import re
from pathlib import Path

import pytest

from sceneparse.config.reading import parse_config
from sceneparse.errors import InputError
from sceneparse.labels import ade20k_labels
from sceneparse.tasks.train import train
from sceneparse.training.memory import step_bytes
from sceneparse.training.memory_check import memory_problem


@pytest.mark.parametrize(
    ("available", "has_ema", "fits"),
    [(1300, False, True), (1299, False, False), (1399, True, False)],
)
def test_what_does_not_fit_is_named_with_its_numbers(
    available: float, has_ema: bool, fits: bool
) -> None:
    problem = memory_problem(
        image_bytes=250e6,
        images=4,
        weight_bytes=100e6,
        has_ema=has_ema,
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
        found.append(step_bytes(config, config.model.build(150), labels, "fp32"))
    assert found[1] == 4 * found[0]
