"""Facts of data and machines that a plan might be asked for."""

from pathlib import Path
from typing import Any

from sceneparse.data.datasets.folder import FolderData
from sceneparse.models.settings import EncoderUNetModel
from sceneparse.planning.facts import Costs, DataFacts, MachineFacts, Measured, Speed, Start
from sceneparse.planning.length import Parts

COSTS = Costs(begin_s=10.0, epoch_s=0.5, drawing_s=2.0, frame_s=0.1, end_s=4.0)
PARTS = Parts(step_s=1.0, steps_per_epoch=50, validation_s=8.0, costs=COSTS)
START = Start(EncoderUNetModel(decoder_channels=(64, 32)), "installed")


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


def machine(**changes: Any) -> MachineFacts:
    facts: dict[str, Any] = {
        "device": "cpu",
        "precision": "bf16",
        "memory_format": "channels_last",
        "threads": 2,
        "memory_bytes": 8e9,
    }
    return MachineFacts(**facts | changes)


def speed(factor: float = 1.0) -> Speed:
    """A line over the pixels: 0.005 s and 1.5e-6 s a pixel, and a third of it to validate."""

    def measured(size: int) -> Measured:
        image_s = factor * (0.005 + 1.5e-6 * size**2)
        return Measured(image_s, image_s / 3, 1000.0 * size**2)

    return Speed(96, measured(96), 224, measured(224))
