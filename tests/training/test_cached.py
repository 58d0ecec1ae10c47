"""Runs that read from a cache give identical results and report missing images."""

import os
import shutil
from pathlib import Path

import pytest
import torch
from tests.conftest import write_rectangles

from sceneparse.artifacts.weights import read_weights
from sceneparse.config.reading import read_config
from sceneparse.data.cache.format import default_cache_folder
from sceneparse.errors import InputError
from sceneparse.recording.events import Event, Message
from sceneparse.tasks.cache import cache_data
from sceneparse.tasks.evaluate import evaluate
from sceneparse.tasks.run import Run
from sceneparse.tasks.train import train

SHORT = ("training.epochs=1", "report.every=9", "report.images=1")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Eight training images and two validation images."""
    write_rectangles(tmp_path / "data", {"training": 8, "validation": 2})
    return tmp_path / "data"


def run(config: Path, out: Path, *overrides: str, resume: bool = False) -> tuple[Run, str]:
    events: list[Event] = []
    settings = read_config(config, [*SHORT, *overrides])
    trained = train(settings, out=out, resume=resume, callback=events.append)
    return trained, "\n".join(event.text for event in events if isinstance(event, Message))


def test_training_from_the_cache_equals_training_from_files(
    rectangles_config: Path, root: Path, tmp_path: Path
) -> None:
    at = f"data.root={root}"
    files, _ = run(rectangles_config, tmp_path / "files", at)
    cache_data(root)
    for path in root.rglob("*.png"):  # the run opens none of these files
        before = path.stat()
        path.write_bytes(bytes(before.st_size))
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    cached, output = run(rectangles_config, tmp_path / "cached", at)
    assert "the others from their files" not in output
    assert files.files.metrics.read_bytes() == cached.files.metrics.read_bytes()
    one, other = (read_weights(trained.weights).tensors for trained in (files, cached))
    assert all(torch.equal(one[name], other[name]) for name in one | other)
    assert evaluate(tmp_path / "cached", device="cpu").scores.miou == files.best_miou


def test_changed_images_are_reported_in_one_line_and_read_from_files(
    rectangles_config: Path, root: Path, tmp_path: Path
) -> None:
    cache_data(root, to=tmp_path / "fast")
    for path in (root / "images" / "training").glob("00[35].png"):
        shutil.copy(path.with_stem("000"), path)
    at = f"data.root={root}"
    fast = f"data.cache={tmp_path / 'fast'}"
    cached, output = run(rectangles_config, tmp_path / "cached", at, fast)
    assert output.splitlines()[0] == (
        f"{tmp_path / 'fast'}: holds 6 of 8 training images in their current state; runs read the "
        f"others from their files; to renew it: sceneparse data cache {root} "
        f"--to {tmp_path / 'fast'}"
    )
    # Evaluating the model does not need the cache.
    shutil.rmtree(tmp_path / "fast")
    assert evaluate(tmp_path / "cached", device="cpu").scores.miou == cached.best_miou


@pytest.mark.slow
def test_a_run_resumes_with_a_cache_but_not_with_other_pixels(
    rectangles_config: Path, root: Path, tmp_path: Path
) -> None:
    at = f"data.root={root}"
    run(rectangles_config, tmp_path / "run", at, "data.cache=off")
    cache_data(root)
    resumed, _ = run(rectangles_config, tmp_path / "run", at, resume=True)
    assert resumed.is_finished
    cache_data(root, short_side=32)
    reduced = f"data.cache={default_cache_folder(root, 32)}"
    with pytest.raises(InputError, match="not those that the run was started with"):
        run(rectangles_config, tmp_path / "run", at, reduced, resume=True)
