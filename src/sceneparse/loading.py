"""From a model on disk to a predictor."""

from pathlib import Path

import torch

from sceneparse import build
from sceneparse.checkpoint import WEIGHTS_FILE, Weights, read_weights
from sceneparse.device import best_device, native_precision
from sceneparse.errors import InputError
from sceneparse.inference.predictor import Predictor


def load(model: str | Path, device: str = "auto") -> Predictor:
    """Load a trained model.

    Args:
        model: A run folder or a weights file.
        device: `auto`, or a torch device such as `cpu` or `cuda:1`.

    Raises:
        InputError: If there is no such model or it cannot be read.
    """
    return predictor_of(find_weights(model), best_device(device))


def find_weights(model: str | Path) -> Weights:
    """Read the weights that a run folder or a weights file holds.

    Raises:
        InputError: If there are none.
    """
    path = Path(model)
    if path.is_dir():
        path = path / WEIGHTS_FILE
        if not path.is_file():
            raise InputError(f"{path}: no such file; a run writes it after its first validation")
    return read_weights(path)


def predictor_of(weights: Weights, device: torch.device) -> Predictor:
    """Build the network of stored weights and the way from pixels to mask around it.

    Raises:
        InputError: If the weights do not fit the network that their config describes.
    """
    config = weights.config
    segmenter = build.segmenter(build.untrained(config.model), weights.labels.num_classes)
    try:
        segmenter.load_state_dict(weights.tensors)
    except RuntimeError as error:
        raise InputError(f"weights do not fit their config: {error}") from None
    # In another layout the last digits of the scores would differ.
    stored = config.training.memory_format
    segmenter = build.on_device(
        segmenter, device, "channels_last" if stored == "auto" else stored
    ).eval()
    # What the training machine computed natively this one may not; fp32 serves everywhere.
    precision = native_precision(device)
    if config.training.precision == "fp32":
        precision = "fp32"
    return build.predictor(segmenter, weights.labels, config.inference, precision, device)
