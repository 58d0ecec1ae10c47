"""What is kept of a run: one JSON file with what it was, its scores, and counts of each image.

`sceneparse compare` reads two of them. No path of the machine is in it.
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
    """One run.

    Attributes:
        benchmark: Which benchmark it belongs to.
        name: What was run.
        seed: Its seed.
        asked: All that its numbers depend on, but for code and machine.
        command: How to do the same.
    """

    benchmark: str
    name: str
    seed: int
    asked: Mapping[str, Any]
    command: str

    def path(self, results: Path) -> Path:
        """Return where it is kept."""
        return results / f"{self.name}-{self.seed}.json"

    def is_kept(self, results: Path) -> bool:
        """Tell whether the same was run before, with success."""
        path = self.path(results)
        if not path.is_file():
            return False
        run = json.loads(path.read_text(encoding="utf-8"))["run"]
        return "failure" not in run and _filled(run["asked"]) == self.asked

    def keep(self, results: Path, scores: Path, figures: Mapping[str, Any]) -> Mapping[str, Any]:
        """Write the scores of a run, and return them.

        Args:
            results: The folder.
            scores: What `sceneparse evaluate --json` wrote.
            figures: What else was measured.
        """
        found = json.loads(scores.read_text(encoding="utf-8"))
        content = {
            "run": {**self._facts(), **figures},
            **{name: found[name] for name in _SCORES},
            "resize": found["resize"],
            "per_class": [{key: row[key] for key in ("id", "name")} for row in found["per_class"]],
        }
        _write(self.path(results), content, found["per_image"])
        return content

    def keep_failure(self, results: Path, failure: str) -> None:
        """Write that a run failed; the next time it is tried again."""
        _write(self.path(results), {"run": {**self._facts(), "failure": failure}})

    def _facts(self) -> dict[str, Any]:
        own = {
            "benchmark": self.benchmark,
            "name": self.name,
            "seed": self.seed,
            "command": self.command,
            "asked": self.asked,
        }
        return {**own, "commit": commit(), "machine": machine()}


def known(config: RunConfig) -> dict[str, Any]:
    """Return a config as plain data, without where its images lie."""
    document = config_document(config)
    document["data"] = {
        key: value for key, value in document["data"].items() if key not in ("root", "cache")
    }
    return document


def _filled(asked: dict[str, Any]) -> dict[str, Any]:
    """Put in what was added to configs since: its default is what was done before."""
    if "data" not in asked:
        return asked
    fields = {name: asked[name] for name in fields_of(RunConfig) if name in asked}
    fields["data"] = {"root": ".", **asked["data"]}
    try:
        return {**asked, **known(config_of(fields, "record"))}
    except InputError:
        return asked


def _write(path: Path, content: Mapping[str, Any], images: list[Any] | None = None) -> None:
    """Write a key a line, and an image a line."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [f"{json.dumps(key)}: {_compact(value)}" for key, value in content.items()]
    if images is not None:
        inner = ",\n".join(_compact(image) for image in images)
        lines.append(f'"per_image": [\n{inner}\n]')
    write_text(path, "{\n" + ",\n".join(lines) + "\n}\n")


def _compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
