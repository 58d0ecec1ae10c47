"""What a resumed run may change in its config."""

from dataclasses import fields, replace

from sceneparse.config.reading import config_document
from sceneparse.config.run_config import RunConfig, TrainingSettings
from sceneparse.config.schema import flat

# Where the data lie, what the run computes on, what it draws and saves: the numbers stay the same.
_MAY_DIFFER = (
    "data.root",
    "data.cache",
    "data.labels",
    "training.device",
    "training.threads",
    "training.check_memory",
    "training.processes",
    "training.patience",
    "training.checkpoint",
    "training.on_nonfinite",
    "report.",
)


def config_differences(asked: RunConfig, stored: RunConfig) -> list[str]:
    """List the fields by which a config is that of another run than a stored, resolved one.

    What is `auto` in the one that is asked for fits whatever it was resolved to.
    """
    changed = _changed_fields(asked, stored)
    return [text for path, text in changed.items() if not _may_change(path, asked, stored)]


def allowed_changes(asked: RunConfig, stored: RunConfig) -> list[str]:
    """List the fields that differ from a stored config, and with which its run can go on."""
    changed = _changed_fields(asked, stored)
    return [text for path, text in changed.items() if _may_change(path, asked, stored)]


def resumed_config(asked: RunConfig, stored: RunConfig) -> RunConfig:
    """Return the stored config with what may differ taken from the one that is asked for."""
    names = [field.name for field in fields(TrainingSettings)]
    free = [name for name in names if _may_change(f"training.{name}", asked, stored)]
    training = replace(stored.training, **{name: getattr(asked.training, name) for name in free})
    paths = ("root", "cache", "labels")
    moved = {name: getattr(asked.data, name) for name in paths if hasattr(asked.data, name)}
    data = replace(stored.data, **moved)
    return replace(stored, training=training, data=data, report=asked.report)


def _changed_fields(asked: RunConfig, stored: RunConfig) -> dict[str, str]:
    """Describe each field that differs, by its path."""
    wanted, held = flat(config_document(asked)), flat(config_document(stored))
    return {
        path: f"{path}: {wanted.get(path)} instead of {held.get(path)}"
        for path in dict.fromkeys([*wanted, *held])
        if wanted.get(path) not in ("auto", held.get(path))
    }


def _may_change(path: str, asked: RunConfig, stored: RunConfig) -> bool:
    """Return whether a run can go on with another value of a field."""
    if path == "training.epochs":
        return asked.training.epochs >= stored.training.epochs
    return path.startswith(_MAY_DIFFER)
