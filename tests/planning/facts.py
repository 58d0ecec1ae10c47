"""Example facts about data and machines for the tests of planning."""

from pathlib import Path
from typing import Any

from sceneparse.data.datasets.folder import FolderData
from sceneparse.models.settings import EncoderUNetModel
from sceneparse.planning.estimate import ImageCost, ImageCosts, Machine, RunCosts
from sceneparse.planning.facts import DataFacts
from sceneparse.planning.starting_point import StartingPoint

COSTS = RunCosts(
    begin_s=10.0,
    step_s=1.0,
    steps_per_epoch=50,
    validation_s=8.0,
    epoch_s=0.5,
    drawing_s=2.0,
    frame_s=0.1,
    end_s=4.0,
)
START = StartingPoint(EncoderUNetModel(decoder_channels=(64, 32)), "installed")
BATCH = 16


def data(**changes: Any) -> DataFacts:
    facts: dict[str, Any] = {
        "config": FolderData(root=Path("pets")),
        "training": 800,
        "validation": 200,
        "height": 480,
        "width": 640,
        "class_names": ("background", "cat"),
        "imbalance": 3.0,
    }
    return DataFacts(**facts | changes)


def machine(**changes: Any) -> Machine:
    facts: dict[str, Any] = {
        "device": "cpu",
        "precision": "bf16",
        "memory_format": "channels_last",
        "threads": 2,
        "batch_size": BATCH,
        "memory_bytes": 8e9,
        "asked_bytes": None,
        "reason": "",
        "images": images(),
        "costs": COSTS,
        "first_steps_s": 0.0,
    }
    return Machine(**facts | changes)


def images(factor: float = 1.0) -> ImageCosts:
    """Costs of 0.005 s and 1.5e-6 s per pixel for training, and a third of it for validation."""

    def measured(size: int) -> ImageCost:
        train_s = factor * (0.005 + 1.5e-6 * size**2)
        return ImageCost(train_s, train_s / 3, 1000.0 * size**2)

    return ImageCosts(96, measured(96), 224, measured(224))
