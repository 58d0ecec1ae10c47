"""The composition root: from a config to finished objects. The only place where parts meet."""

from sceneparse.build.class_weights import balanced
from sceneparse.build.data import cached, dataset
from sceneparse.build.inference import (
    Precision,
    autocast,
    predictor,
    predictor_around,
    refinement,
    resize,
)
from sceneparse.build.losses import loss
from sceneparse.build.networks import deployed, on_device, segmenter, untrained
from sceneparse.build.optimization import optimizer, schedule
from sceneparse.build.training_input import (
    census,
    growth,
    mixing,
    needs_census,
    sampling,
    transform,
)

__all__ = [
    "Precision",
    "autocast",
    "balanced",
    "cached",
    "census",
    "dataset",
    "deployed",
    "growth",
    "loss",
    "mixing",
    "needs_census",
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
