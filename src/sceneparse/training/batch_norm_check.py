"""Find batch norms that would see a single value per channel, before training fails on them."""

import copy
from functools import partial

from torch import Tensor, nn

from sceneparse.config import RunConfig
from sceneparse.errors import InputError
from sceneparse.models.segmenter import FeatureLoss, Segmenter
from sceneparse.models.settings import ModelSettings
from sceneparse.training.auto import RuntimeSettings
from sceneparse.training.parts import trial_loss


def check_batch_norm(
    config: RunConfig, settings: RuntimeSettings, segmenter: Segmenter, loss: FeatureLoss
) -> None:
    """Check that every batch norm sees more than one value per channel.

    Args:
        config: The config of the run.
        settings: Its resolved settings.
        segmenter: The network, on the CPU; it stays unchanged.
        loss: The training loss.

    Raises:
        InputError: If a batch norm would see a single value, which has no variance.
    """
    is_synchronised = settings.processes > 1 and config.training.sync_batch_norm
    # Images in the smallest part of a batch that is normalised by itself.
    min_images = settings.batch_size // settings.processes // settings.accumulation
    if min_images > 1 or is_synchronised:
        return
    transform = config.transform
    field, side = "transform.size", transform.start_size
    if transform.progressive_resizing:
        field = "transform.progressive_resizing.start_size"
    names = single_value_norms(segmenter, loss, side)
    if not names:
        return
    fixes = [f"training.batch_size={2 * settings.accumulation * settings.processes}"]
    if settings.accumulation > 1:
        fixes.append("a smaller training.accumulation")
    if settings.processes > 1:
        fixes.append("training.sync_batch_norm=true")
    if not single_value_norms(segmenter, loss, 2 * side):
        fixes.append(f"a larger {field}")
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    raise InputError(
        f"training.batch_size: with one image at a time, {field} {side}, the batch norm {names[0]}"
        f"{more} would have a single value per channel, which has no variance; use "
        f"{' or '.join([*fixes, *_other_normalization(config.model, names)])}"
    )


def single_value_norms(segmenter: Segmenter, loss: FeatureLoss, side: int) -> list[str]:
    """Return the names of the batch norms that see one value per channel of a single image.

    A small forward pass of a copy on the CPU finds them. The network and the random state stay
    unchanged.

    Args:
        segmenter: The network, on the CPU.
        loss: The training loss.
        side: Side of the image in pixels.
    """
    trial = copy.deepcopy(segmenter).train()
    found: dict[str, None] = {}

    def note(name: str, layer: nn.Module, inputs: tuple[Tensor]) -> None:
        features = inputs[0]
        # Frozen layers normalise with their running statistics.
        if layer.training and features.numel() == features.shape[0] * features.shape[1]:
            found[name] = None

    for name, layer in trial.named_modules():
        if isinstance(layer, (nn.BatchNorm1d, nn.BatchNorm2d)):
            layer.register_forward_pre_hook(partial(note, name))
    trial_loss(trial, loss, side)
    return list(found)


def _other_normalization(config: ModelSettings, names: list[str]) -> list[str]:
    """Return the setting that replaces all batch norms of these names, if there is one."""
    in_encoder = [name.startswith("network.encoder.") for name in names]
    if not any(in_encoder):
        return ["model.normalization=group"]
    # An encoder without pretrained weights has no running statistics to freeze.
    return ["model.freeze_norm=true"] if all(in_encoder) and config.weights != "none" else []
