"""The reason of each choice of a plan."""

from dataclasses import fields

from sceneparse.augmentation.settings import TransformSettings
from sceneparse.config import RunConfig
from sceneparse.losses.settings import CrossEntropyLoss
from sceneparse.planning.estimate import Length, Machine
from sceneparse.planning.facts import DataFacts
from sceneparse.planning.length import MAX_SIZE, wanted_epochs
from sceneparse.planning.starting_point import StartingPoint
from sceneparse.training.auto import REFERENCE_BATCH

# For a new decoder over an encoder with weights; measured in docs/results.md.
_NEW_DECODER = {
    "decoder_channels": "wide up to the head: better than the other decoders that were tried",
    "output_stride": "a quarter of the image's sides, for fine structures",
    "head_levels": "the widest decoder level beside the finest",
}


def reasons_for(
    config: RunConfig,
    data: DataFacts,
    machine: Machine,
    start: StartingPoint,
    length: Length,
    total_steps: int,
) -> dict[str, str]:
    """Return the reason of each field by dotted path; a field without one has its default.

    Args:
        config: The planned run.
        data: Facts about the data.
        machine: The machine.
        start: The network and its weights.
        length: The length of the run.
        total_steps: Its training steps.
    """
    return {
        "data.kind": "recognised by the files in the folder",
        **_bands_reason(config),
        "data.root": f"{data.training} images to train on, {data.validation} to validate on, "
        f"{len(data.class_names)} classes",
        **_model_reasons(start, data),
        "transform.size": _size_reason(config, data, start, length),
        **_transform_reasons(config.transform, data),
        **_learning_reasons(config, data, start),
        **_length_reasons(length, total_steps),
        **_machine_reasons(config, machine),
    }


def _bands_reason(config: RunConfig) -> dict[str, str]:
    return {} if config.bands is None else {"data.bands": "as you asked; the network takes them"}


def _size_reason(config: RunConfig, data: DataFacts, start: StartingPoint, length: Length) -> str:
    wanted = wanted_epochs(data.training)
    epochs = f"{wanted} epochs of {data.training} images"
    reason = f"the largest size that leaves time for {epochs}"
    if config.transform.size >= min(data.short_side, MAX_SIZE):
        reason = "larger images gain little"
    elif length.epochs < wanted and config.transform.size == start.trained_size:
        reason = f"too little time for {epochs}; the smallest size that the weights were trained at"
    elif length.epochs < wanted:
        reason = f"too little time for {epochs}, so smaller images"
    return f"{reason}; the images have {data.width}×{data.height}"


def _model_reasons(start: StartingPoint, data: DataFacts) -> dict[str, str]:
    # A field with its default needs no reason.
    usual = {field.name: field.default for field in fields(start.model)}
    changed = {name for name in usual if getattr(start.model, name) != usual[name]} - {"weights"}
    # The weights belong to an encoder, even if it is the default one.
    changed |= {"encoder"} & usual.keys()
    why = "as these weights require" if start.has_weights else "small enough for this device"
    reasons = dict.fromkeys((f"model.{field}" for field in changed), why)
    if start.trained_size is None:
        reasons |= {
            f"model.{field}": reason for field, reason in _NEW_DECODER.items() if field in changed
        }
    reasons |= {"model.kind": "a U-Net", "model.weights": start.reason}
    if getattr(start.model, "freeze_norm", False):
        reasons["model.freeze_norm"] = "statistics of many more images than yours"
    if start.is_finer:
        finer = "one decoder level more than these weights have, for finer edges"
        reasons |= dict.fromkeys(("model.output_stride", "model.decoder_channels"), finer)
        reasons["model.head_levels"] = "the head keeps the level that it knows classes by"
    if start.is_encoder_frozen:
        reasons["model.freeze_stages"] = (
            f"all stages: a trained encoder would fit the {data.training} images closely, score "
            "worse on others, and train more slowly"
        )
    return reasons


def _transform_reasons(config: TransformSettings, data: DataFacts) -> dict[str, str]:
    crops = "random crops: objects at other sizes and positions"
    resizing = "the first half of the epochs costs less"
    if config.progressive_resizing is None:
        resizing = "too few epochs, or images too small, for it to pay"
    reasons = {
        "transform.progressive_resizing": resizing,
        "transform.flip": "flipped images look as real"
        if config.flip
        else "off: some of your classes tell left from right",
    }
    if config.scale is None:
        reasons |= {"transform.crop": crops, "transform.aspect": "and at other proportions"}
    else:
        reasons |= {
            "transform.scale": crops,
            "transform.short_side": "long images keep their aspect ratio",
        }
    colors = ("saturation", "hue") if data.has_colors else ()
    light = (*("brightness", "contrast"), *colors[:1])
    reasons |= dict.fromkeys((f"transform.{name}" for name in light), "light varies")
    if config.rotation:
        often = f"{data.training} images come very often, so they are augmented more"
        names = ("rotation", *colors[1:], "blur", "noise")
        reasons |= dict.fromkeys((f"transform.{name}" for name in names), often)
    return reasons


def _learning_reasons(config: RunConfig, data: DataFacts, start: StartingPoint) -> dict[str, str]:
    training = config.training
    weighted = isinstance(config.loss, CrossEntropyLoss) and config.loss.class_weights is not None
    imbalance = f"class frequencies differ by a factor of {data.imbalance:.0f}"
    batch = "the batch size of the usual recipes"
    if training.batch_size != REFERENCE_BATCH:
        batch = f"smaller than the usual {REFERENCE_BATCH}, for more steps"
    rate = f"for batches of {REFERENCE_BATCH}"
    if training.batch_size != REFERENCE_BATCH:
        rate = f"{rate}, times the square root of {training.batch_size}/{REFERENCE_BATCH}"
    if start.is_fine_tuned:
        rate += "; low, since the whole network already segments"
    if start.is_encoder_frozen:
        rate += "; high, since the encoder is frozen"
    reasons = {
        "loss.kind": f"weighted: {imbalance}" if weighted else "the usual loss",
        "optimizer.kind": "tolerates a learning rate that is not tuned",
        "optimizer.lr": rate,
        "schedule.kind": "ends at a low learning rate, whatever the length",
        "training.batch_size": batch,
    }
    if weighted:
        reasons["loss.class_weights"] = f"{imbalance}; a power below 1 compensates a part of it"
    if start.has_weights and not start.is_encoder_frozen:
        reasons["optimizer.encoder_lr_mult"] = "the encoder has weights already"
    return reasons


def _length_reasons(length: Length, total_steps: int) -> dict[str, str]:
    drawn = "only the first and the last drawing"
    if length.drawings:
        drawn = f"{length.drawings} drawings: about a twentieth of the time at most"
    return {
        "training.epochs": f"{total_steps} steps: what fits into the time at the measured speed",
        "training.validate_every": f"{length.validations} validations: about a tenth of the time "
        "at most",
        "training.ema": "averaged weights score better than the last ones",
        "report.every": drawn,
    }


def _machine_reasons(config: RunConfig, machine: Machine) -> dict[str, str]:
    parts = config.training.accumulation
    limit = "the memory given" if machine.asked_bytes else "the free memory"
    whole = "the whole batch fits" if parts == 1 else f"in {parts} parts the batch fits"
    sizing = "stretched like the training images"
    if config.inference.resize != "stretch":
        sizing = "a square would distort long images"
    reasons = {
        "training.accumulation": f"{whole} into {limit}",
        "training.precision": machine.reason or "the only one of this device",
        "training.memory_format": "measured at the same time",
        "training.compile": "takes minutes, and was not measured",
        "training.device": "the first of CUDA, MPS and CPU that this machine has; the speed is "
        "that of this device",
        "training.threads": "the speed was measured with so many",
        "training.processes": "the speed was measured with one process; several would share each "
        "step",
        "inference.resize": sizing,
        "inference.size": "objects are as large as in the training crops, on average",
    }
    if machine.asked_bytes:
        reasons["inference.memory_budget_mb"] = "at most an eighth of the memory given"
    return reasons
