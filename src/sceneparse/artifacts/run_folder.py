"""The folder of a run."""

import csv
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from sceneparse.artifacts.writing import remove, write_text
from sceneparse.config import RunConfig
from sceneparse.config.reading import config_yaml, read_config
from sceneparse.errors import InputError
from sceneparse.labels import Labels
from sceneparse.system.files import (
    PARTIAL_FILES,
    create_folder,
    read_short_text,
    synchronise_folder,
)

WEIGHTS_FILE = "model.safetensors"
# Increase this number when the files change so that an older version could misread them.
FORMAT = 2


@dataclass(frozen=True)
class RunFolder:
    """Paths of the files of a run.

    Attributes:
        path: The run folder.
    """

    path: Path

    @property
    def config(self) -> Path:
        """The resolved config."""
        return self.path / "config.yaml"

    @property
    def environment(self) -> Path:
        """Versions, commit, hardware, seed."""
        return self.path / "environment.json"

    @property
    def metrics(self) -> Path:
        """Losses and scores, one row per epoch."""
        return self.path / "metrics.csv"

    @property
    def timing(self) -> Path:
        """Times and speed, one row per epoch."""
        return self.path / "timing.csv"

    @property
    def labels(self) -> Path:
        """The classes."""
        return self.path / "labels.json"

    @property
    def weights(self) -> Path:
        """The best weights by validation."""
        return self.path / WEIGHTS_FILE

    @property
    def checkpoints(self) -> Path:
        """The folder of the states that a resumed run needs."""
        return self.path / "checkpoints"

    @property
    def nonfinite(self) -> Path:
        """The folder of steps whose loss or gradient was not finite."""
        return self.path / "nonfinite"

    @property
    def tensorboard(self) -> Path:
        """TensorBoard logs."""
        return self.path / "tensorboard"

    @property
    def scores(self) -> Path:
        """Scores of the best weights, if someone has evaluated them into this file."""
        return self.path / "scores.json"

    @property
    def learning_curves(self) -> Path:
        """The learning curves."""
        return self.path / "training_history.png"

    @property
    def progress_animation(self) -> Path:
        """The predictions over the epochs, as an animation."""
        return self.path / "model_progress.gif"

    def predictions(self, when: str) -> Path:
        """Return the path of the predictions drawn at `initial`, `epoch_005` or `final`."""
        return self.path / f"predictions_{when}.png"

    @property
    def has_checkpoint(self) -> bool:
        """Whether there is a run to resume."""
        return any(self.checkpoints.glob("step_*.pt"))

    def create(self) -> None:
        """Create the folder.

        Raises:
            InputError: If the folder is not empty, or cannot be created.
        """
        self.check_free()
        create_folder(self.checkpoints, "out")
        for folder in (self.path, self.path.parent):
            synchronise_folder(folder)

    def remove_partial_files(self) -> None:
        """Remove files that a crash has interrupted; a temporary name shows that they are."""
        for folder in (self.path, self.checkpoints, self.nonfinite):
            for path in folder.glob(PARTIAL_FILES):
                remove(path)

    def check_free(self) -> None:
        """Refuse a folder in which a new run would overwrite something.

        Raises:
            InputError: If the folder is not empty.
        """
        if self.has_checkpoint:
            raise InputError(
                f"{self.path}: holds a run already; resume it, or choose another folder",
                "resume",
                "out",
            )
        if self.path.exists() and (not self.path.is_dir() or any(self.path.iterdir())):
            raise InputError(
                f"{self.path}: the folder is not empty, and holds no run to resume; remove it, or "
                "choose another folder",
                "out",
            )

    def read_config(self) -> RunConfig:
        """Read the config of an existing run.

        Raises:
            InputError: If there is no run, its config is damaged, or another version of
                sceneparse wrote it.
        """
        if not self.config.is_file():
            raise InputError(
                f"{self.path}: not the folder of a run, which has a config.yaml; give one, or "
                "start a new run"
            )
        self._check_format()
        return read_config(self.config)

    def write_start(
        self, config: RunConfig, labels: Labels, environment: Mapping[str, Any]
    ) -> None:
        """Write labels, environment and config when a run starts."""
        write_text(self.labels, labels.to_json())
        write_text(self.environment, json.dumps({"format": FORMAT, **environment}, indent=1))
        self.write_config(config)

    def write_config(self, config: RunConfig) -> None:
        """Write the config; `config/resuming.py` lists what a resumed run may change in it."""
        text = config_yaml(config)
        if not self.config.is_file() or self.config.read_text(encoding="utf-8") != text:
            write_text(self.config, text)

    def read_metrics(self) -> list[dict[str, float]]:
        """Read the row of each epoch in `metrics.csv`, without its empty fields.

        Raises:
            InputError: If it is not a table of numbers.
        """
        return _rows(self.metrics)

    def read_timing(self) -> list[dict[str, float]]:
        """Read the row of each epoch in `timing.csv`, in seconds, without its empty fields.

        Raises:
            InputError: If it is not a table of numbers.
        """
        return _rows(self.timing)

    def read_environment(self) -> dict[str, Any]:
        """Read what `environment.json` says of machine, software and format.

        Raises:
            InputError: If it is missing or damaged.
        """
        try:
            found = json.loads(read_short_text(self.environment))
        except (OSError, ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            raise InputError(
                f"{self.environment}: missing or damaged, so the run folder is incomplete; start a "
                "new run in another folder",
                "out",
            )
        return cast("dict[str, Any]", found)

    def _check_format(self) -> None:
        found = self.read_environment().get("format")
        if found != FORMAT:
            raise InputError(
                f"{self.environment}: found a run folder of format {found}, expected {FORMAT}; "
                "resume the run with the version of sceneparse that started it, or start a new run"
            )


def _rows(path: Path) -> list[dict[str, float]]:
    """Read a table of numbers without its empty fields; no rows if there is no file."""
    if not path.exists():
        return []
    try:
        lines = read_short_text(path).splitlines()
        return [
            {name: float(text) for name, text in row.items() if text}
            for row in csv.DictReader(lines)
        ]
    except (OSError, ValueError, TypeError, csv.Error) as error:
        raise InputError(
            f"{path}: not a table of numbers ({error}); resume the run, which writes it again"
        ) from None
