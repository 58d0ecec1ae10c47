"""Runs with a step that is not finite: what they leave, and what `replay` finds in it."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.cli.command import run_command
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_hook

import sceneparse
from sceneparse.artifacts.checkpoint import Checkpoints, read_checkpoint
from sceneparse.artifacts.kept_step import keep_step, read_step
from sceneparse.config.reading import read_config
from sceneparse.errors import InputError
from sceneparse.losses.loss import LossOutput
from sceneparse.models.segmenter import Segmenter
from sceneparse.tasks.replay import replay
from sceneparse.tasks.train import train

# Otherwise a pass before the first step measures the memory.
UNMEASURED = ("training.accumulation=1", "training.check_memory=false")
WILD = ("optimizer={kind: sgd, lr: 1e30}", "training.epochs=2")


@contextmanager
def forward_passes(on_pass: Callable[[int, Tensor], Tensor]) -> Generator[None]:
    """Change the loss of each forward pass in training; it is called with the number from 1."""
    passes = 0

    def hook(module: nn.Module, _inputs: Any, output: Any) -> Any:
        nonlocal passes
        if not isinstance(module, Segmenter) or not isinstance(output, LossOutput):
            return None
        passes += 1
        return output._replace(total=on_pass(passes, output.total))

    handle = register_module_forward_hook(hook)
    try:
        yield
    finally:
        handle.remove()


def nan_in(*bad: int) -> Callable[[int, Tensor], Tensor]:
    return lambda number, loss: loss * torch.nan if number in bad else loss


@pytest.fixture(scope="module")
def stopped(rectangles_config: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that has stopped, and `message` beside it."""
    folder = tmp_path_factory.mktemp("stopped") / "run"
    with pytest.raises(InputError) as caught:
        train(read_config(rectangles_config, WILD), out=folder)
    (folder.parent / "message").write_text(str(caught.value))
    return folder


def test_a_stopped_run_names_the_step_its_images_and_the_command(stopped: Path) -> None:
    file = stopped / "nonfinite" / "step_2.json"
    text = (stopped.parent / "message").read_text()
    assert text.startswith("step 2 (epoch 1): the training loss is nan")
    assert f"sceneparse replay {file}" in text
    kept = json.loads(file.read_text())
    assert ", ".join(kept["names"]) in text
    assert (kept["step"], kept["seed"], kept["loss"]) == (1, 0, "nan")


def test_replay_finds_the_module_and_the_learning_rate(stopped: Path, tmp_path: Path) -> None:
    found = sceneparse.replay(stopped / "nonfinite" / "step_2.json")
    first = found.fp32.first
    assert first is not None
    assert first.phase == "forward"
    assert first.module.startswith("network.")
    assert first.inputs.not_finite == 0
    assert "lower optimizer.lr" in found.advice
    done = run_command(["replay", str(stopped / "nonfinite" / "step_2.json")], tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{found}\n"
    assert f"{first.module} ({first.kind})" in done.stdout


def test_the_last_checkpoint_of_a_stopped_run_is_that_before_the_step(
    stopped: Path, rectangles_config: Path, tmp_path: Path
) -> None:
    state = read_checkpoint(Checkpoints(stopped / "checkpoints").newest(print))
    assert all(tensor.isfinite().all() for tensor in state["segmenter"].values())
    # The rate of the checkpoint is lowered until it is given up.
    folder = tmp_path / "run"
    shutil.copytree(stopped, folder)
    lower = read_config(rectangles_config, [*WILD, "training.on_nonfinite=rollback"])
    events: list[Any] = []
    with pytest.raises(InputError, match="5 rollbacks, each to half the learning rate"):
        train(lower, out=folder, resume=True, callback=events.append)
    assert "goes on from step 0 with 0.03125 times the learning rate" in "\n".join(map(str, events))


@pytest.mark.slow
def test_a_run_rolls_back_and_goes_on_with_half_the_learning_rate(
    rectangles_config: Path, tmp_path: Path
) -> None:
    config = read_config(rectangles_config, ["training.on_nonfinite=rollback", *UNMEASURED])
    with forward_passes(nan_in(9)):
        whole = train(config, out=tmp_path / "whole")
    rows = whole.files.read_metrics()
    assert [row["learning_rate"] for row in rows] == [0.01, 0.005, 0.005, 0.005]
    assert [row["step"] for row in rows] == [6, 12, 18, 24]

    def end(number: int, loss: Tensor) -> Tensor:
        if number == 11:
            raise RuntimeError("the machine stops")
        return nan_in(9)(number, loss)

    with forward_passes(end), pytest.raises(RuntimeError, match="the machine stops"):
        train(config, out=tmp_path / "part")
    resumed = train(config, out=tmp_path / "part", resume=True)
    assert resumed.weights.read_bytes() == whole.weights.read_bytes()
    assert resumed.files.metrics.read_bytes() == whole.files.metrics.read_bytes()


def test_a_skipped_step_is_reported_once_and_counted(
    rectangles_config: Path, tmp_path: Path
) -> None:
    changes = ["training.on_nonfinite=skip", "training.precision=bf16", *UNMEASURED]
    config = read_config(rectangles_config, changes)
    events: list[Any] = []
    with forward_passes(nan_in(2, 3, 9, 14, 20)):
        run = train(config, out=tmp_path / "run", callback=events.append)
    assert run.is_finished
    said = [str(event) for event in events if "skipped" in str(event)]
    assert len(said) == 2
    assert said[0].startswith("step 2: the training loss is nan; the step is skipped")
    assert said[1] == "steps skipped because they were not finite: 5"
    files = sorted(path.name for path in (run.folder / "nonfinite").glob("*.json"))
    assert files == ["step_2.json", "step_3.json", "step_9.json"]
    # The loss was finite but for the hook.
    found = replay(run.folder / "nonfinite" / "step_9.json")
    assert found.fp32.first is None
    assert found.as_trained is not None
    assert "finite now" in found.advice


def test_replay_tells_a_range_that_is_too_small_from_a_fault(
    rectangles_config: Path, tmp_path: Path
) -> None:
    config = read_config(
        rectangles_config, ["training.epochs=1", "training.precision=fp16", *UNMEASURED]
    )
    with forward_passes(nan_in(3)), pytest.raises(InputError, match="step 3"):
        train(config, out=tmp_path / "run")
    file = tmp_path / "run" / "nonfinite" / "step_3.json"
    step, weights = read_step(file)
    # Images and weights whose products are beyond fp16, but not beyond fp32.
    first = next(name for name, tensor in weights.items() if tensor.ndim == 4 and "stem" in name)
    weights[first] *= 1e6
    keep_step(file.parent, step, weights)
    found = replay(file)
    assert found.fp32.first is None
    assert found.as_trained is not None
    assert found.as_trained.first is not None
    assert first.startswith(found.as_trained.first.module)
    assert "training.precision=fp32" in found.advice


def test_replay_finds_weights_and_gradients_that_are_not_finite(
    rectangles_config: Path, tmp_path: Path
) -> None:
    config = read_config(rectangles_config, ["training.epochs=1", *UNMEASURED])
    with forward_passes(nan_in(3)), pytest.raises(InputError, match="step 3"):
        train(config, out=tmp_path / "run")
    file = tmp_path / "run" / "nonfinite" / "step_3.json"
    step, weights = read_step(file)
    name = "network.head.weight"
    # The loss of enormous logits is large, and the features' gradient overflows.
    keep_step(file.parent, step, {**weights, name: weights[name] * 1e37})
    found = replay(file).fp32.first
    assert found is not None
    assert found.phase in ("loss", "backward", "gradient")
    weights[name][0, 0] = torch.nan
    keep_step(file.parent, step, weights)
    found = replay(file).fp32.first
    assert found is not None
    assert (found.phase, found.module) == ("weights", "network.head")


def test_replay_refuses_other_files_and_other_data(
    stopped: Path, rectangles_root: Path, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        replay(stopped / "nonfinite" / "step_1.json")
    (tmp_path / "step_1.json").write_text("[]")
    with pytest.raises(InputError, match=r"holds no step .* nonfinite/step_N\.json"):
        replay(tmp_path / "step_1.json")
    root = tmp_path / "data"
    shutil.copytree(rectangles_root, root)
    for kind in ("images", "masks"):
        (root / kind / "training" / "000.png").unlink()
    with pytest.raises(InputError, match=r"its 4 images are not the 4 of .* data\.root"):
        replay(stopped / "nonfinite" / "step_2.json", overrides=[f"data.root={root}"])
    with pytest.raises(InputError, match=r"its 8 images are not the 4 of the run"):
        replay(stopped / "nonfinite" / "step_2.json", overrides=["training.batch_size=8"])


@pytest.mark.slow
def test_two_processes_stop_alike_and_report_once(rectangles_config: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-P", "-m", "sceneparse", "train", str(rectangles_config), *WILD]
    command += ["training.processes=2", f"--out={tmp_path / 'run'}"]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=240)
    assert done.returncode == 2, done.stderr
    assert done.stderr.count("error: step 2 (epoch 1): the training loss is nan") == 1
    file = tmp_path / "run" / "nonfinite" / "step_2.json"
    kept = json.loads(file.read_text())
    assert kept["world_size"] == 2
    assert len(kept["names"]) == 4
    found = replay(file).fp32.first
    assert found is not None
    assert found.phase == "forward"
