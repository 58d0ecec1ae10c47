"""Why a planned config is as it is: what the facts have to do with each field."""

from dataclasses import fields

from sceneparse.augmentation.settings import TransformSettings
from sceneparse.config import RunConfig
from sceneparse.losses.settings import CrossEntropyLoss
from sceneparse.planning.facts import DataFacts, MachineFacts, Start
from sceneparse.planning.sizes import Sizes
from sceneparse.training.auto import REFERENCE_BATCH

# Of a decoder that weights of an encoder alone do not have; measured in docs/results.md.
_OF_NEW_DECODER = {
    "decoder_channels": "wide up to the head, which gains more than other decoders do",
    "output_stride": "a quarter of the sides: things in images may be fine",
    "head_levels": "the widest level beside the finest",
}


def reasons(
    config: RunConfig, data: DataFacts, machine: MachineFacts, start: Start, sizes: Sizes
) -> dict[str, str]:
    """Say why each field is as it is, by dotted path; what has no reason is as it is by default."""
    passes = f"{sizes.wanted} passes over {data.training} images"
    size = f"the largest that leaves time for about {passes}; "
    if sizes.epochs < sizes.wanted:
        size = f"there is no time for {passes}, so smaller images; "
        if start.learned_size and config.transform.size == sizes.least:
            size = f"there is no time for {passes}; none smaller than what the start has learned; "
    if config.transform.size >= min(data.short_side, 512):
        size = "nothing larger is worth trying; "
    size += f"the images have {data.width}×{data.height}"
    return {
        "data.kind": "told by what is in the folder",
        "data.root": f"{data.training} images to train on, {data.validation} to validate on, "
        f"{len(data.class_names)} classes",
        **_of_model(start, data),
        "transform.size": size,
        **_of_transform(config.transform, data),
        **_of_learning(config, data, start),
        **_of_machine(config, machine),
    }


def _of_model(start: Start, data: DataFacts) -> dict[str, str]:
    # What is as it is by default needs no reason.
    usual = {field.name: field.default for field in fields(start.model)}
    changed = {name for name in usual if getattr(start.model, name) != usual[name]} - {"weights"}
    # The weights of an encoder belong to it, also where it is the usual one.
    changed |= {"encoder"} & usual.keys()
    why = "what these weights belong to" if start.is_trained else "small enough for this device"
    reasons = dict.fromkeys((f"model.{field}" for field in changed), why)
    if start.learned_size is None:
        new = _OF_NEW_DECODER.items()
        reasons |= {f"model.{field}": told for field, told in new if field in changed}
    reasons |= {"model.kind": "a U-Net", "model.weights": start.reason}
    if getattr(start.model, "freeze_norm", False):
        reasons["model.freeze_norm"] = "the statistics of so many more images are better"
    if start.is_finer:
        finer = "a level more than these weights have, for finer things"
        reasons |= dict.fromkeys(("model.output_stride", "model.decoder_channels"), finer)
        reasons["model.head_levels"] = "and the head still sees what it knows classes by"
    if start.is_fixed:
        reasons["model.freeze_stages"] = (
            f"all: learned from {data.training} images an encoder scores worse on others, and "
            "steps are slower"
        )
    return reasons


def _of_transform(config: TransformSettings, data: DataFacts) -> dict[str, str]:
    cut = "cuts of the image: things in other sizes and places"
    reasons = {
        "transform.progressive_resizing": "the first half of the epochs costs less",
        "transform.flip": "mirrored images look as real"
        if config.flip
        else "off: classes of yours tell left from right",
    }
    if config.scale is None:
        reasons |= {"transform.crop": cut, "transform.aspect": "and of other proportions"}
    else:
        reasons |= {
            "transform.scale": cut,
            "transform.short_side": "long images keep their ratio",
        }
    colors = ("brightness", "contrast", "saturation")
    reasons |= dict.fromkeys((f"transform.{name}" for name in colors), "photos vary in light")
    if config.rotation:
        often = f"{data.training} images are seen very often: they are changed more"
        names = ("rotation", "hue", "blur", "noise")
        reasons |= dict.fromkeys((f"transform.{name}" for name in names), often)
    return reasons


def _of_learning(config: RunConfig, data: DataFacts, start: Start) -> dict[str, str]:
    training = config.training
    weighted = isinstance(config.loss, CrossEntropyLoss) and config.loss.class_weights is not None
    spread = f"classes differ by {data.imbalance:.0f} in how often they occur"
    batch = "the batch of the usual recipes"
    if training.batch_size != REFERENCE_BATCH:
        batch = "smaller than the usual 16, for more steps"
    reasons = {
        "loss.kind": f"weighted: {spread}" if weighted else "the usual one",
        "optimizer.kind": "forgives a learning rate that is not tuned",
        "optimizer.lr": f"for batches of {training.batch_size}, by the square root of it"
        + ("; low, since all of it can segment already" if start.is_further else "")
        + ("; high, since the encoder stays as it is" if start.is_fixed else ""),
        "schedule.kind": "ends at a low rate in whatever time there is",
        "training.batch_size": batch,
    }
    if weighted:
        reasons["loss.class_weights"] = f"{spread}; a power below 1 makes up for a part of it"
    if start.is_trained and not start.is_fixed:
        reasons["optimizer.encoder_lr_mult"] = "the encoder knows most of what it needs"
    return reasons


def _of_machine(config: RunConfig, machine: MachineFacts) -> dict[str, str]:
    parts = config.training.accumulation
    limit = "the memory given" if machine.asked_bytes else "the free memory"
    whole = "the whole batch fits" if parts == 1 else f"in {parts} parts the batch fits"
    sizing = "stretched as the training images are"
    if config.inference.resize != "stretch":
        sizing = "long images would be bent too much in a square"
    reasons = {
        "training.accumulation": f"{whole} into {limit}",
        "training.precision": machine.measured or "what this device computes",
        "training.memory_format": "measured at the same time",
        "training.compile": "takes minutes, and was not measured",
        "training.device": "what was measured on",
        "training.threads": "what was measured with",
        "training.processes": "what was measured with; more share the same steps",
        "inference.resize": sizing,
        "inference.size": "things look as large as in the cuts of training, on average",
    }
    if machine.asked_bytes:
        reasons["inference.memory_budget_mb"] = "at most an eighth of the memory given"
    return reasons
