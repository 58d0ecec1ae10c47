"""Load a model from disk as a predictor, or as a network to fine-tune."""

import hashlib
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Any

import torch

from sceneparse import factory
from sceneparse.artifacts.run_folder import WEIGHTS_FILE
from sceneparse.artifacts.weights import StoredModel, read_weights
from sceneparse.config.reading import config_document, config_of
from sceneparse.errors import InputError
from sceneparse.inference.predictor import Predictor
from sceneparse.labels import Labels
from sceneparse.models.segmenter import Segmenter
from sceneparse.models.settings import ModelSettings
from sceneparse.models.transfer import WeightTransfer, transfer_weights
from sceneparse.system.device import native_precision, select_device
from sceneparse.system.paths import expand_user

# The bundled model; its model card is in the same folder.
BUNDLED = resources.files("sceneparse") / "assets" / WEIGHTS_FILE


def load(
    model: str | Path = "bundled",
    device: str = "auto",
    overrides: Sequence[str] = (),
    **inference: Any,
) -> Predictor:
    """Load a trained model as a predictor.

    Args:
        model: A run folder, a weights file, or `bundled` for the bundled model.
        device: `auto`, or a torch device such as `cpu` or `cuda:1`.
        overrides: Changed settings of inference, as `inference.field=value`.
        **inference: Changed settings of inference by name, such as `flip=True` or `size=512`.

    Raises:
        InputError: If the model does not exist or cannot be read, or a setting is wrong.

    Example:
        >>> model = sceneparse.load()
        >>> model("image.jpg")
        Prediction(320×240, ... classes: ...)
        >>> print(sceneparse.load(flip=False))
        stretched to 416×416
    """
    stored = with_overrides(find_weights(model), overrides)
    if inference:
        document = config_document(stored.config)
        document["inference"] |= inference
        stored = stored._replace(config=config_of(document, "load"))
    return predictor_of(stored, select_device(device))


def with_overrides(weights: StoredModel, overrides: Sequence[str]) -> StoredModel:
    """Return a model with changed settings of inference.

    Raises:
        InputError: If an override is wrong, or changes another section of the config.
    """
    wrong = [override for override in overrides if not override.startswith("inference.")]
    if wrong:
        raise InputError(
            f"{wrong[0]}: a trained model only takes overrides of `inference`, such as "
            "inference.resize=window"
        )
    config = config_of(config_document(weights.config), "the model's config", overrides)
    return weights._replace(config=config)


def find_weights(model: str | Path) -> StoredModel:
    """Read the weights of a run folder, of a weights file or of the model `bundled`.

    Raises:
        InputError: If there are no weights, or they cannot be read.
    """
    with _weights_file(model) as path:
        return read_weights(path)


def weights_digest(model: str | Path) -> str:
    """Return a digest of a weights file: 16 hexadecimal digits of SHA-256.

    Raises:
        InputError: If there are no weights.
    """
    with _weights_file(model) as path, path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]


@contextmanager
def _weights_file(model: str | Path) -> Generator[Path]:
    """Give the weights file of a run folder, a file itself, or that of the bundled model."""
    if model == "bundled":
        if not BUNDLED.is_file():
            raise InputError(
                "this installation has no bundled model; give a run folder or a weights file"
            )
        with resources.as_file(BUNDLED) as bundled:
            yield bundled
        return
    path = expand_user(model)
    if path.is_dir():
        path = path / WEIGHTS_FILE
        if not path.is_file():
            raise InputError(
                f"{path}: no such file; a run writes it after its first validation: choose another "
                "folder, or train further"
            )
    yield path


def segmenter_to_train(
    config: ModelSettings, labels: Labels, channels: int = 3
) -> tuple[Segmenter, WeightTransfer | None]:
    """Build a network with its initial weights for training.

    Args:
        config: Settings of the network and its initial weights.
        labels: The classes to learn.
        channels: Number of channels of the images.

    Returns:
        The network, and which weights were loaded if it starts from another model.

    Raises:
        InputError: If the weights do not exist, or none of them fit.
    """
    if config.weights in ("imagenet", "none"):
        return config.build(labels.num_classes, channels), None
    given = find_weights(config.weights)
    segmenter = config.untrained.build(labels.num_classes, channels)
    transferred = transfer_weights(
        segmenter, given.tensors, labels.class_names, given.labels.class_names
    )
    if not transferred.succeeded:
        raise InputError(
            f"model.weights: no weights in {config.weights} fit; found {given.config.model}, "
            f"expected {config}; train the same kind of network, or set model.weights=none"
        )
    return segmenter, transferred


def deployed(weights: StoredModel) -> StoredModel:
    """Remove the settings that only training needs; predictions do not change."""
    model = weights.config.model.deployed
    return weights._replace(config=replace(weights.config, model=model))


def predictor_of(weights: StoredModel, device: torch.device) -> Predictor:
    """Build the predictor of a stored model.

    Raises:
        InputError: If the weights do not fit the network that their config describes.
    """
    weights = deployed(weights)
    config = weights.config
    segmenter = config.model.build(weights.labels.num_classes, config.channels)
    try:
        segmenter.load_state_dict(weights.tensors)
    except RuntimeError as error:
        raise InputError(
            f"the weights do not fit the network of their config: {error}; use another weights file"
        ) from None
    # In another memory format, the scores would differ in their last digits.
    stored = config.training.memory_format
    segmenter = factory.on_device(
        segmenter, device, "channels_last" if stored == "auto" else stored
    ).eval()
    # This machine may lack the precision of training; a model trained in fp32 stays in fp32.
    precision = native_precision(device)
    if config.training.precision == "fp32":
        precision = "fp32"
    reading = factory.image_reading(config)
    return factory.predictor(
        segmenter, weights.labels, config.inference, precision, device, reading
    )
