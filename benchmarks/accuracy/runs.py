"""Trained and scored by the real command line, in processes that may be interrupted."""

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
    """A run ended with an error; the message holds its last words."""


@dataclass(frozen=True)
class Bench:
    """Where runs are made.

    Attributes:
        config: What all of them start from.
        data: Folder of the images, in the layout of ADE20K.
        work: Folder of run folders and logs.
        always: Overrides of every run, laid over its own.
    """

    config: Path
    data: Path
    work: Path
    always: tuple[str, ...] = ()

    @property
    def config_name(self) -> str:
        """The config as a reader finds it."""
        inside = self.config.is_relative_to(ROOT)
        return (self.config.relative_to(ROOT) if inside else Path(self.config.name)).as_posix()

    def folder(self, name: str, seed: int) -> RunFolder:
        """Return where a run is."""
        return RunFolder(self.work / f"{name}-{seed}")

    def overrides(self, own: Sequence[str], seed: int) -> list[str]:
        """List all that is laid over the config, but for where the images lie."""
        return [*own, *self.always, f"seed={seed}"]

    def asked(self, own: Sequence[str], seed: int) -> RunConfig:
        """Return the config of a run.

        Raises:
            InputError: If an override is wrong.
        """
        return read_config(self.config, [*self.overrides(own, seed), self._root()])

    def _root(self) -> str:
        # A JSON string is one of YAML, whatever the path holds.
        return f"data.root={json.dumps(str(self.data))}"

    def train(self, name: str, own: Sequence[str], seed: int, *, anew: bool = False) -> None:
        """Train a network, or go on where it was interrupted; nothing if it is there already.

        Args:
            name: Of the run.
            own: Its overrides.
            seed: Its seed.
            anew: Start from the beginning, whatever is there.

        Raises:
            RunFailedError: If the command fails.
        """
        folder, asked = self.folder(name, seed), self.asked(own, seed)
        resume = not anew and folder.checkpoint.is_file() and _is_of(folder, asked)
        if resume and _is_finished(folder, asked):
            return
        if not resume:
            shutil.rmtree(folder.path, ignore_errors=True)
        command = ["train", str(self.config), *self.overrides(own, seed), self._root()]
        command += ["--out", str(folder.path), *(["--resume"] if resume else [])]
        self.run(name, seed, ["-m", "sceneparse", *command])

    def evaluate(self, trained: str, seed: int, name: str, own: Sequence[str]) -> Path:
        """Score a trained network on the validation split.

        Args:
            trained: Name of the run that trained it.
            seed: Its seed.
            name: Under which the scores are written.
            own: Overrides of its inference.

        Returns:
            The score file.

        Raises:
            RunFailedError: If the command fails.
        """
        target = self.work / f"{name}-{seed}.scores.json"
        command = ["evaluate", str(self.folder(trained, seed).path), *own]
        command += ["--data", str(self.data), "--json", str(target)]
        self.run(name, seed, ["-m", "sceneparse", *command])
        return target

    def run(self, name: str, seed: int, arguments: Sequence[str]) -> None:
        """Run Python with arguments to the end; what it prints goes to a log beside the run.

        It does not hear a Ctrl-C of the terminal: it is told once to stop, waited for, and so saves
        its state.

        Raises:
            RunFailedError: If it fails.
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
            raise RunFailedError(f"exit status {status}: {self._last_words(log)}")

    def _last_words(self, log: Path) -> str:
        lines = log.read_text(encoding="utf-8", errors="replace").split("\n")
        last = next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing")
        # What is kept names no folder of this machine.
        for path, name in ((self.work, "WORK"), (self.data, "DATA"), (ROOT, ".")):
            last = last.replace(str(path), name)
        return last


def training_seconds(folder: RunFolder) -> float:
    """Return the seconds that the steps of a run took, however often it was interrupted.

    Of an epoch that was gone on with, only the rest was timed; its pace is that of the whole.
    """
    with folder.timing.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    paces = [float(row["images_per_s"]) for row in rows]
    images = max(float(row["train_s"]) * pace for row, pace in zip(rows, paces, strict=True))
    return sum(images / pace for pace in paces)


class Stopwatch:
    """Seconds since it was made."""

    def __init__(self) -> None:
        self._start = time.monotonic()

    def seconds(self) -> float:
        """Return them."""
        return round(time.monotonic() - self._start, 1)


def _is_of(folder: RunFolder, asked: RunConfig) -> bool:
    try:
        return not config_differences(asked, folder.read_config())
    except InputError:
        return False


def _is_finished(folder: RunFolder, asked: RunConfig) -> bool:
    if not (folder.weights.is_file() and folder.metrics.is_file()):
        return False
    with folder.metrics.open(encoding="utf-8") as file:
        epochs = [int(row["epoch"]) for row in csv.DictReader(file)]
    return bool(epochs) and epochs[-1] == asked.training.epochs
