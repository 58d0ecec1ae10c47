"""The composition root: from a config to finished objects. The only place where parts meet."""

from sceneparse.factory.class_weights import balanced
from sceneparse.factory.data import cached, dataset
from sceneparse.factory.inference import (
    Precision,
    autocast,
    predictor,
    predictor_around,
    refinement,
    resize,
)
from sceneparse.factory.losses import loss
from sceneparse.factory.networks import deployed, on_device, segmenter, untrained
from sceneparse.factory.optimization import optimizer, schedule
from sceneparse.factory.training_input import (
    class_statistics,
    growth,
    mixing,
    needs_class_statistics,
    sampling,
    transform,
)

__all__ = [
    "Precision",
    "autocast",
    "balanced",
    "cached",
    "class_statistics",
    "dataset",
    "deployed",
    "growth",
    "loss",
    "mixing",
    "needs_class_statistics",
    "on_device",
    "optimizer",
    "predictor",
    "predictor_around",
    "refinement",
    "resize",
    "sampling",
    "schedule",
    "segmenter",
    "transform",
    "untrained",
]
