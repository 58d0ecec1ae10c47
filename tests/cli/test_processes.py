"""Two processes train one run, write one set of files and report once."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from sceneparse.artifacts.weights import read_weights
from sceneparse.config.reading import read_config
from sceneparse.tasks.train import train
from tests.cli.conftest import Cli
from tests.cli.test_train import assert_same
from tests.pair import LONGER, assert_close

TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
TWO = [*TORCHRUN, "-m", "sceneparse"]


def start(folder: Path, *command: str | Path) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [*map(str, command)],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


@pytest.mark.slow
def test_two_processes_stop_together_and_resume_on_two_or_on_one(
    pair: Path, cli: Cli, tmp_path: Path
) -> None:
    config = pair / "run.yaml"
    process = start(tmp_path, *TWO, "train", config, *LONGER, "--out", "parts")
    metrics = tmp_path / "parts" / "metrics.csv"
    deadline = time.monotonic() + 120
    while not (metrics.exists() and metrics.read_text().count("\n") >= 2):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=60)
    assert output.count("epoch 1/4") == output.count("--resume") == 1, errors
    alone = shutil.copytree(tmp_path / "parts", tmp_path / "alone")
    # Here sceneparse starts the processes, without torchrun.
    arguments = ("train", config, *LONGER, "training.processes=2", "--out", "parts", "--resume")
    done = cli(*arguments)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("kept the weights") == 1
    assert metrics.read_bytes() == (pair / "two" / "metrics.csv").read_bytes()
    weights = [read_weights(run / "model.safetensors") for run in (pair / "two", metrics.parent)]
    assert_same(weights[0].tensors, weights[1].tensors)
    assert train(read_config(config, LONGER), out=alone, resume=True).is_finished
    assert_close(alone, pair / "two")


@pytest.mark.slow
def test_a_mistake_found_by_all_processes_is_reported_once(
    rectangles_config: Path, fails: Callable[..., str]
) -> None:
    message = fails("train", rectangles_config, "training.processes=2", "training.batch_size=5")
    assert message.count("cannot be shared evenly") == message.count("error: ") == 1
