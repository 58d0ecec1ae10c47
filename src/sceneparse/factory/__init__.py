"""The composition root: build objects from a config. Only this package connects the rooms.

Its functions are imported when they are first used, because some of them need torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sceneparse.factory.data import dataset
    from sceneparse.factory.inference import (
        Precision,
        image_reading,
        predictor_around,
        resize,
    )
    from sceneparse.factory.networks import autocast, on_device, optimizer, predictor
    from sceneparse.factory.training_input import (
        class_statistics,
        mixing,
        needs_class_statistics,
        sampling,
        transform,
        with_class_weights,
    )

__all__ = [
    "Precision",
    "autocast",
    "class_statistics",
    "dataset",
    "image_reading",
    "mixing",
    "needs_class_statistics",
    "on_device",
    "optimizer",
    "predictor",
    "predictor_around",
    "resize",
    "sampling",
    "transform",
    "with_class_weights",
]

_HOMES = {
    "data": ("dataset",),
    "inference": ("Precision", "image_reading", "predictor_around", "resize"),
    "networks": ("autocast", "on_device", "optimizer", "predictor"),
    "training_input": (
        "class_statistics",
        "mixing",
        "needs_class_statistics",
        "sampling",
        "transform",
        "with_class_weights",
    ),
}


def __getattr__(name: str) -> Any:
    """Import a function from where it lives."""
    for home, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"sceneparse.factory.{home}"), name)
    raise AttributeError(f"module 'sceneparse.factory' has no attribute {name!r}")
