"""From a model on disk to a predictor."""

from collections.abc import Sequence
from pathlib import Path

import torch

from sceneparse import build
from sceneparse.checkpoint import WEIGHTS_FILE, Weights, read_weights
from sceneparse.config.reading import config_yaml, parse_config
from sceneparse.device import best_device, native_precision
from sceneparse.errors import InputError
from sceneparse.inference.predictor import Predictor


def load(model: str | Path, device: str = "auto", overrides: Sequence[str] = ()) -> Predictor:
    """Load a trained model.

    Args:
        model: A run folder or a weights file.
        device: `auto`, or a torch device such as `cpu` or `cuda:1`.
        overrides: `inference.field=value`: pixels become a mask in another way.

    Raises:
        InputError: If there is no such model, it cannot be read, or an override is wrong.
    """
    return predictor_of(overridden(find_weights(model), overrides), best_device(device))


def overridden(weights: Weights, overrides: Sequence[str]) -> Weights:
    """Change how the pixels of a picture become a mask.

    Raises:
        InputError: If an override is wrong or changes something else.
    """
    wrong = [override for override in overrides if not override.startswith("inference.")]
    if wrong:
        raise InputError(
            f"{wrong[0]}: a trained model takes overrides of `inference` alone, such as "
            "inference.resize=window"
        )
    config = parse_config(config_yaml(weights.config), "the model's config", overrides)
    return weights._replace(config=config)


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
