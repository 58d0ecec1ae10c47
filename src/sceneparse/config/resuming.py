"""What a resumed run may change in its config."""

from dataclasses import fields, replace

from sceneparse.config.reading import config_document
from sceneparse.config.run_config import RunConfig, TrainingSettings
from sceneparse.config.schema import flat

# Where the data lie, what the run computes on and what it draws: the numbers stay the same.
_MAY_DIFFER = (
    "data.root",
    "data.cache",
    "data.labels",
    "training.device",
    "training.threads",
    "training.processes",
    "training.checkpoint",
    "report.",
)


def config_differences(asked: RunConfig, stored: RunConfig) -> list[str]:
    """List where a config asks for something else than a stored, resolved one.

    What is `auto` in the one that is asked for fits whatever it was resolved to.
    """
    wanted, held = flat(config_document(asked)), flat(config_document(stored))
    return [
        f"{path}: {wanted.get(path)} instead of {held.get(path)}"
        for path in dict.fromkeys([*wanted, *held])
        if wanted.get(path) not in ("auto", held.get(path)) and not path.startswith(_MAY_DIFFER)
    ]


def resumed_config(asked: RunConfig, stored: RunConfig) -> RunConfig:
    """Return the stored config with what may differ taken from the one that is asked for."""
    names = [field.name for field in fields(TrainingSettings)]
    free = [name for name in names if f"training.{name}".startswith(_MAY_DIFFER)]
    training = replace(stored.training, **{name: getattr(asked.training, name) for name in free})
    paths = ("root", "cache", "labels")
    moved = {name: getattr(asked.data, name) for name in paths if hasattr(asked.data, name)}
    data = replace(stored.data, **moved)
    return replace(stored, training=training, data=data, report=asked.report)
