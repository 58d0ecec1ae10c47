"""The models that a server offers: their ids, names and classes."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePath
from typing import Any, NamedTuple

from sceneparse.errors import InputError
from sceneparse.inference.predictor import Predictor
from sceneparse.system.paths import is_override


class ModelChoice(NamedTuple):
    """A model to serve, and its changed settings.

    Attributes:
        model: A run folder, a weights file, an ONNX file, `bundled`, or `hf://owner/name`.
        overrides: Changed settings of inference, as `inference.field=value`.
    """

    model: str
    overrides: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The name for people: that of the file or folder, without those above, and overrides."""
        path = PurePath(self.model)
        name = path.stem if path.suffix in (".onnx", ".safetensors") else path.name
        changes = [override.removeprefix("inference.") for override in self.overrides]
        return ", ".join([name or "model", *changes])


@dataclass(frozen=True)
class ServedModel:
    """A model that a server offers.

    Attributes:
        id: What requests call it; safe in a URL.
        name: Its name for people.
        predictor: Segments images.
    """

    id: str
    name: str
    predictor: Predictor

    @property
    def description(self) -> str:
        """How pixels become a mask."""
        return str(self.predictor)

    @cached_property
    def classes(self) -> list[dict[str, Any]]:
        """The classes by train id: the id in masks, name and colour."""
        labels = self.predictor.labels
        rows = zip(labels.raw_ids, labels.class_names, labels.colors, strict=True)
        return [{"id": raw, "name": name, "color": list(color)} for raw, name, color in rows]

    def document(self) -> dict[str, Any]:
        """Return id, name, description, id of void and classes as plain data."""
        return {
            "id": self.id,
            "name": self.name,
            "description": self.description,
            "void_id": self.predictor.labels.void_id,
            "classes": self.classes,
        }


def model_choices(arguments: Sequence[str]) -> list[ModelChoice]:
    """Divide arguments into models, each with the overrides that follow it.

    Raises:
        InputError: If overrides stand before the first of several models.
    """
    choices: list[ModelChoice] = []
    for argument in arguments:
        if not is_override(argument):
            choices.append(ModelChoice(argument))
        elif choices:
            last = choices.pop()
            choices.append(last._replace(overrides=(*last.overrides, argument)))
        elif not all(map(is_override, arguments)):
            raise InputError(
                f"{argument}: stands before the first model; overrides belong after their model"
            )
        else:
            choices.append(ModelChoice("bundled", (argument,)))
    return choices or [ModelChoice("bundled")]


def model_ids(choices: Sequence[ModelChoice]) -> list[str]:
    """Return an id for each model that is safe in a URL: its name, and a number if it repeats."""
    ids: list[str] = []
    for choice in choices:
        name = choice._replace(overrides=()).name
        plain = re.sub(r"[^A-Za-z0-9_.-]+", "-", name).strip("-.") or "model"
        number, unique = 1, plain
        while unique in ids:
            number += 1
            unique = f"{plain}-{number}"
        ids.append(unique)
    return ids
