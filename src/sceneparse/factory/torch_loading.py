"""Build the networks of weights files with PyTorch, to predict with or to fine-tune."""

from dataclasses import replace
from pathlib import Path
from typing import Literal

import torch

from sceneparse import factory
from sceneparse.artifacts.weights import StoredModel, read_weights
from sceneparse.errors import InputError
from sceneparse.factory.model_files import weights_file
from sceneparse.inference.predictor import Predictor
from sceneparse.labels import Labels
from sceneparse.models.segmenter import Segmenter
from sceneparse.models.settings import ModelSettings
from sceneparse.models.transfer import WeightTransfer, transfer_weights
from sceneparse.system.device import native_precision


def find_weights(model: str | Path) -> StoredModel:
    """Read the weights of a run folder, of a weights file or of the model `bundled`.

    Raises:
        InputError: If there are no weights, or they cannot be read.
    """
    with weights_file(model) as path:
        return read_weights(path)


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


def segmenter_of(weights: StoredModel) -> Segmenter:
    """Build the network of a stored model, on the CPU and without what only training needs.

    Raises:
        InputError: If the weights do not fit the network that their config describes.
    """
    config = deployed(weights).config
    # A small file of a stranger may describe a network of any size, so it takes no memory at first.
    with torch.device("meta"):
        segmenter = config.model.build(weights.labels.num_classes, config.channels)
    _check_fit(weights, segmenter)
    segmenter.load_state_dict(weights.tensors, assign=True)
    if any(tensor.is_meta for tensor in (*segmenter.parameters(), *segmenter.buffers())):
        # Some networks compute tensors that files do not store.
        segmenter = config.model.build(weights.labels.num_classes, config.channels)
        segmenter.load_state_dict(weights.tensors)
    return segmenter.eval()


def _check_fit(weights: StoredModel, segmenter: Segmenter) -> None:
    """Check that weights fit a network.

    Raises:
        InputError: If they do not.
    """
    expected = segmenter.state_dict()
    found = weights.tensors
    wrong = [name for name in expected if name not in found] or [
        name for name in found if name not in expected or found[name].shape != expected[name].shape
    ]
    if wrong:
        name = wrong[0]
        raise InputError(
            f"the weights do not fit the network of their config, in {len(wrong)} tensors: "
            f"{name:.100} has shape {_shape(found.get(name))}, expected "
            f"{_shape(expected.get(name))}; use another weights file"
        )


def _shape(tensor: torch.Tensor | None) -> str:
    return "none" if tensor is None else str(tuple(tensor.shape))


def predictor_of(
    weights: StoredModel,
    device: torch.device,
    precision: factory.Precision | Literal["auto"] = "auto",
) -> Predictor:
    """Build the predictor of a stored model.

    Args:
        weights: The model.
        device: The device that computes it.
        precision: Precision of the network; `auto`: the device's, but fp32 for a model that was
            trained in fp32.

    Raises:
        InputError: If the weights do not fit the network that their config describes.
    """
    config = weights.config
    # In another memory format, the scores would differ in their last digits.
    stored = config.training.memory_format
    segmenter = factory.on_device(
        segmenter_of(weights), device, "channels_last" if stored == "auto" else stored
    )
    # This machine may lack the precision of training; a model trained in fp32 stays in fp32.
    if precision == "auto":
        is_fp32 = config.training.precision == "fp32"
        precision = "fp32" if is_fp32 else native_precision(device)
    reading = factory.image_reading(config)
    return factory.predictor(
        segmenter, weights.labels, config.inference, precision, device, reading
    )
