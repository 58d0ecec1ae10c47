"""U-Net-first semantic segmentation for ADE20K and for your own images.

The public names are imported when they are first used, so that `import sceneparse` costs nothing
and works where torch is not installed.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sceneparse.factory.loading import load
    from sceneparse.inference.prediction import Prediction
    from sceneparse.inference.predictor import Predictor
    from sceneparse.labels import Labels
    from sceneparse.models.unet import UNet

__version__ = "0.1.0"
__all__ = ["Labels", "Prediction", "Predictor", "UNet", "load"]

_HOMES = {
    "Labels": "sceneparse.labels",
    "Prediction": "sceneparse.inference.prediction",
    "Predictor": "sceneparse.inference.predictor",
    "UNet": "sceneparse.models.unet",
    "load": "sceneparse.factory.loading",
}


def __getattr__(name: str) -> Any:
    """Import a public name from where it lives."""
    if name not in _HOMES:
        raise AttributeError(f"module 'sceneparse' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
