"""Semantic segmentation with U-Nets, for ADE20K and your own images.

The public names are imported when they are first used, so that `import sceneparse` costs nothing
and works where torch is not installed.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sceneparse.config import RunConfig
    from sceneparse.errors import InputError
    from sceneparse.factory.loading import load
    from sceneparse.inference.prediction import Prediction
    from sceneparse.inference.predictor import Predictor
    from sceneparse.labels import Labels
    from sceneparse.metrics.comparison import Comparison, compare
    from sceneparse.models.unet import UNet
    from sceneparse.serving.server_settings import ServerSettings
    from sceneparse.tasks.check import CheckReport, check
    from sceneparse.tasks.convert import Converted, convert
    from sceneparse.tasks.download import Downloaded, download
    from sceneparse.tasks.evaluate import evaluate
    from sceneparse.tasks.export import Exported, export
    from sceneparse.tasks.plan import Planned, plan
    from sceneparse.tasks.predict import predict
    from sceneparse.tasks.push import Pushed, push
    from sceneparse.tasks.replay import Replay, replay
    from sceneparse.tasks.run import Run
    from sceneparse.tasks.score import ScoreReport, score
    from sceneparse.tasks.serve import serve
    from sceneparse.tasks.train import train
    from sceneparse.tasks.tta import TtaReport, tta
    from sceneparse.tasks.video import SegmentedVideo, segment_video

__version__ = "0.1.0"
__all__ = [
    "CheckReport",
    "Comparison",
    "Converted",
    "Downloaded",
    "Exported",
    "InputError",
    "Labels",
    "Planned",
    "Prediction",
    "Predictor",
    "Pushed",
    "Replay",
    "Run",
    "RunConfig",
    "ScoreReport",
    "SegmentedVideo",
    "ServerSettings",
    "TtaReport",
    "UNet",
    "check",
    "compare",
    "convert",
    "download",
    "evaluate",
    "export",
    "load",
    "plan",
    "predict",
    "push",
    "replay",
    "score",
    "segment_video",
    "serve",
    "train",
    "tta",
]

_HOMES = {
    "CheckReport": "tasks.check",
    "Comparison": "metrics.comparison",
    "Converted": "tasks.convert",
    "Downloaded": "tasks.download",
    "Exported": "tasks.export",
    "InputError": "errors",
    "Labels": "labels",
    "Planned": "tasks.plan",
    "Prediction": "inference.prediction",
    "Predictor": "inference.predictor",
    "Pushed": "tasks.push",
    "Replay": "tasks.replay",
    "Run": "tasks.run",
    "RunConfig": "config",
    "ScoreReport": "tasks.score",
    "SegmentedVideo": "tasks.video",
    "ServerSettings": "serving.server_settings",
    "TtaReport": "tasks.tta",
    "UNet": "models.unet",
    "check": "tasks.check",
    "compare": "metrics.comparison",
    "convert": "tasks.convert",
    "download": "tasks.download",
    "evaluate": "tasks.evaluate",
    "export": "tasks.export",
    "load": "factory.loading",
    "plan": "tasks.plan",
    "predict": "tasks.predict",
    "push": "tasks.push",
    "replay": "tasks.replay",
    "score": "tasks.score",
    "segment_video": "tasks.video",
    "serve": "tasks.serve",
    "train": "tasks.train",
    "tta": "tasks.tta",
}


def __getattr__(name: str) -> Any:
    """Import a public name from where it lives."""
    if name not in _HOMES:
        raise AttributeError(f"module 'sceneparse' has no attribute {name!r}")
    try:
        return getattr(import_module(f"sceneparse.{_HOMES[name]}"), name)
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"sceneparse.{name} needs {error.name}, which is not installed: "
            'pip install "sceneparse[train]"',
            name=error.name,
        ) from error


def __dir__() -> list[str]:
    """List the public names, so that they can be completed before they are imported."""
    return [*__all__, "__version__"]
