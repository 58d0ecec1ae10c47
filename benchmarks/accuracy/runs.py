"""Trains and scores with the command line, in processes that can be interrupted."""

import csv
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from machine import ROOT
from sceneparse.artifacts.run_folder import RunFolder
from sceneparse.config import RunConfig
from sceneparse.config.reading import read_config
from sceneparse.config.resuming import config_differences
from sceneparse.errors import InputError


class RunFailedError(Exception):
    """A run failed; the message holds the last line of its output."""


@dataclass(frozen=True)
class Runner:
    """Runs training and evaluation commands.

    Attributes:
        config: The base config.
        data: Folder of the images, in the layout of ADE20K.
        work: Folder for run folders and logs.
        common_overrides: Overrides of every run, after its own.
    """

    config: Path
    data: Path
    work: Path
    common_overrides: tuple[str, ...] = ()

    @property
    def config_name(self) -> str:
        """The path of the config in the repository, or its file name."""
        inside = self.config.is_relative_to(ROOT)
        return (self.config.relative_to(ROOT) if inside else Path(self.config.name)).as_posix()

    def folder(self, name: str, seed: int) -> RunFolder:
        """Return the folder of a run."""
        return RunFolder(self.work / f"{name}-{seed}")

    def all_overrides(self, overrides: Sequence[str], seed: int) -> list[str]:
        """Return all overrides of a run, except the path of the images."""
        return [*overrides, *self.common_overrides, f"seed={seed}"]

    def config_of_run(self, overrides: Sequence[str], seed: int) -> RunConfig:
        """Return the config of a run.

        Raises:
            InputError: If an override is wrong.
        """
        return read_config(
            self.config, [*self.all_overrides(overrides, seed), self._data_override()]
        )

    def _data_override(self) -> str:
        # A JSON string is valid YAML, with any characters in the path.
        return f"data.root={json.dumps(str(self.data))}"

    def train(
        self, name: str, overrides: Sequence[str], seed: int, *, restart: bool = False
    ) -> None:
        """Train a network; resume an interrupted run, and skip a finished one.

        A run folder with another config, or without a checkpoint, is deleted and trained again.

        Args:
            name: Name of the run.
            overrides: Overrides of the run.
            seed: Seed of the run.
            restart: Start from the beginning in any case.

        Raises:
            RunFailedError: If the command fails.
        """
        folder, config = self.folder(name, seed), self.config_of_run(overrides, seed)
        resume = not restart and folder.has_checkpoint and _has_config(folder, config)
        if resume and _is_finished(folder, config):
            return
        if not resume:
            shutil.rmtree(folder.path, ignore_errors=True)
        command = [
            "train",
            str(self.config),
            *self.all_overrides(overrides, seed),
            self._data_override(),
        ]
        command += ["--out", str(folder.path), *(["--resume"] if resume else [])]
        self.run(name, seed, ["-m", "sceneparse", *command])

    def evaluate(self, trained: str, seed: int, name: str, overrides: Sequence[str]) -> Path:
        """Score a trained network on the validation split.

        Args:
            trained: Name of the run that trained it.
            seed: Seed of that run.
            name: Name of the score file.
            overrides: Overrides of inference.

        Returns:
            The score file.

        Raises:
            RunFailedError: If the command fails.
        """
        target = self.work / f"{name}-{seed}.scores.json"
        command = ["evaluate", str(self.folder(trained, seed).path), *overrides]
        command += ["--data", str(self.data), "--json", str(target)]
        self.run(name, seed, ["-m", "sceneparse", *command])
        return target

    def run(self, name: str, seed: int, arguments: Sequence[str]) -> None:
        """Run Python with arguments, and write its output to a log beside the run folder.

        The process does not receive Ctrl-C of the terminal. Instead this method sends SIGTERM once
        and waits, so that the process can save its state.

        Raises:
            RunFailedError: If the process fails.
        """
        log = self.work / f"{name}-{seed}.log"
        with log.open("ab") as file:
            process = subprocess.Popen(
                [sys.executable, *arguments],
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            try:
                status = process.wait()
            except BaseException:
                process.terminate()
                process.wait()
                raise
        if status:
            raise RunFailedError(f"exit status {status}: {self._last_line(log)}")

    def _last_line(self, log: Path) -> str:
        lines = log.read_text(encoding="utf-8", errors="replace").split("\n")
        last = next((line.strip() for line in reversed(lines) if line.strip()), "no output")
        # Stored results contain no paths of this machine.
        for path, name in ((self.work, "WORK"), (self.data, "DATA"), (ROOT, ".")):
            last = last.replace(str(path), name)
        return last


def training_seconds(folder: RunFolder) -> float:
    """Return the seconds that the steps of a run took, with any number of interruptions.

    Only the rest of a resumed epoch was timed; its speed is taken for the whole epoch.
    """
    with folder.timing.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    speeds = [float(row["images_per_s"]) for row in rows]
    # The largest count is that of an epoch that was timed as a whole.
    images = max(float(row["train_s"]) * speed for row, speed in zip(rows, speeds, strict=True))
    return sum(images / speed for speed in speeds)


class Stopwatch:
    """Measures the seconds since its creation."""

    def __init__(self) -> None:
        self._start = time.monotonic()

    def seconds(self) -> float:
        """Return the seconds, rounded to 0.1."""
        return round(time.monotonic() - self._start, 1)


def _has_config(folder: RunFolder, config: RunConfig) -> bool:
    try:
        return not config_differences(config, folder.read_config())
    except InputError:
        return False


def _is_finished(folder: RunFolder, config: RunConfig) -> bool:
    if not (folder.weights.is_file() and folder.metrics.is_file()):
        return False
    with folder.metrics.open(encoding="utf-8") as file:
        epochs = [int(row["epoch"]) for row in csv.DictReader(file)]
    return bool(epochs) and epochs[-1] == config.training.epochs
