"""Stores a run as a JSON file: settings, scores, and the counts of each image.

`sceneparse compare` reads two of these files. They contain no paths of the machine.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from machine import commit, machine
from sceneparse.artifacts.writing import write_text
from sceneparse.config import RunConfig
from sceneparse.config.reading import config_document, config_of
from sceneparse.config.schema import fields_of
from sceneparse.errors import InputError

_SCORES = ("miou", "pixel_accuracy", "mean_accuracy", "fwiou", "classes_absent", "loss", "images")


@dataclass(frozen=True)
class Record:
    """A run of a benchmark.

    Attributes:
        benchmark: Name of the benchmark.
        name: Name of the run.
        seed: Seed of the run.
        settings: All that the scores depend on, except code and machine.
        command: The command that repeats the run.
    """

    benchmark: str
    name: str
    seed: int
    settings: Mapping[str, Any]
    command: str

    def path(self, results: Path) -> Path:
        """Return the path of its file."""
        return results / f"{self.name}-{self.seed}.json"

    def is_stored(self, results: Path) -> bool:
        """Return whether a run with these settings succeeded before."""
        path = self.path(results)
        if not path.is_file():
            return False
        run = json.loads(path.read_text(encoding="utf-8"))["run"]
        return "failure" not in run and _with_new_defaults(run["settings"]) == self.settings

    def store(self, results: Path, scores: Path, figures: Mapping[str, Any]) -> Mapping[str, Any]:
        """Store the scores of the run, and return the document without single images.

        Args:
            results: Folder of the results.
            scores: The file that `sceneparse evaluate --json` wrote.
            figures: Further measurements.
        """
        score_document = json.loads(scores.read_text(encoding="utf-8"))
        content = {
            "run": {**self._facts(), **figures},
            **{name: score_document[name] for name in _SCORES},
            "resize": score_document["resize"],
            "per_class": [
                {key: row[key] for key in ("id", "name")} for row in score_document["per_class"]
            ],
        }
        _write(self.path(results), content, score_document["per_image"])
        return content

    def store_failure(self, results: Path, failure: str) -> None:
        """Store a failure; the next call tries the run again."""
        _write(self.path(results), {"run": {**self._facts(), "failure": failure}})

    def _facts(self) -> dict[str, Any]:
        facts = {
            "benchmark": self.benchmark,
            "name": self.name,
            "seed": self.seed,
            "command": self.command,
            "settings": self.settings,
        }
        return {**facts, "commit": commit(), "machine": machine()}


def config_without_paths(config: RunConfig) -> dict[str, Any]:
    """Return a config as plain data, without the paths of its images."""
    document = config_document(config)
    document["data"] = {
        key: value for key, value in document["data"].items() if key not in ("root", "cache")
    }
    return document


def _with_new_defaults(settings: dict[str, Any]) -> dict[str, Any]:
    """Add fields that are newer than the stored settings, with their defaults."""
    if "data" not in settings:
        return settings
    fields = {name: settings[name] for name in fields_of(RunConfig) if name in settings}
    fields["data"] = {"root": ".", **settings["data"]}
    try:
        return {**settings, **config_without_paths(config_of(fields, "record"))}
    except InputError:
        return settings


def _write(path: Path, content: Mapping[str, Any], images: list[Any] | None = None) -> None:
    """Write one key per line, and one image per line."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [f"{json.dumps(key)}: {_compact(value)}" for key, value in content.items()]
    if images is not None:
        inner = ",\n".join(_compact(image) for image in images)
        lines.append(f'"per_image": [\n{inner}\n]')
    write_text(path, "{\n" + ",\n".join(lines) + "\n}\n")


def _compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
