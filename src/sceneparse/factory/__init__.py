"""The composition root: build objects from a config. Only this package connects the rooms."""

from sceneparse.factory.class_weights import with_class_weights
from sceneparse.factory.data import cached, dataset
from sceneparse.factory.inference import (
    Precision,
    autocast,
    image_reading,
    predictor,
    predictor_around,
    refinement,
    resize,
)
from sceneparse.factory.networks import on_device, optimizer
from sceneparse.factory.training_input import (
    class_statistics,
    mixing,
    needs_class_statistics,
    sampling,
    transform,
)

__all__ = [
    "Precision",
    "autocast",
    "cached",
    "class_statistics",
    "dataset",
    "image_reading",
    "mixing",
    "needs_class_statistics",
    "on_device",
    "optimizer",
    "predictor",
    "predictor_around",
    "refinement",
    "resize",
    "sampling",
    "transform",
    "with_class_weights",
]
