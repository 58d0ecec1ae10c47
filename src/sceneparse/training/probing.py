"""Find out on a GPU in how many parts a batch really fits, before a run starts."""

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from sceneparse.config import RunConfig
from sceneparse.data.dataset import Dataset
from sceneparse.data.loader import Batch
from sceneparse.system.device import release_memory, synchronize
from sceneparse.training.loop import train_step
from sceneparse.training.setup import TrainSetup
from sceneparse.training.state import EpochSums, TrainState

# Factors of brightness, contrast and saturation, and a shift of hue.
_NO_JITTER = np.array([1, 1, 1, 0], np.float32)


def probed_config(
    config: RunConfig, asked: RunConfig, state: TrainState, setup: TrainSetup, validation: Dataset
) -> RunConfig:
    """Probe the memory of a GPU if the config leaves the number of parts open.

    Several processes start from the estimate: they could not agree where one of them runs out.

    Args:
        config: The resolved config.
        asked: The config before `auto` was resolved.
        state: The training state before the first step.
        setup: The setup of the run.
        validation: The validation images.

    Returns:
        The config with the number of parts that fit.

    Raises:
        torch.OutOfMemoryError: If even the smallest parts do not fit.
    """
    is_open = asked.training.accumulation == "auto" and setup.rank_info.world_size == 1
    if setup.device.type != "cuda" or not is_open:
        return config
    probe_parts(state, setup, validation[0].image)
    return replace(config, training=replace(config.training, accumulation=state.parts))


def probe_parts(state: TrainState, setup: TrainSetup, validation_image: NDArray[np.uint8]) -> None:
    """Do two training steps and a prediction, and set `state.parts` to as many as fit.

    The estimate from which `state.parts` starts counts tensors; it cannot know what the kernels of
    a device need besides, and how its allocator divides its memory. A step runs forward and
    backward pass and the optimizer; in the second one its moments exist. A validation image
    follows. The state is afterwards as before, but for `state.parts`.

    Args:
        state: The training state before the first step.
        setup: The setup of a run of one process.
        validation_image: An image `(H, W, C)` as validation reads it.

    Raises:
        torch.OutOfMemoryError: If even the smallest parts do not fit.
    """
    before = _copied(state)
    try:
        for _ in range(2):
            train_step(state, setup, _black_batch(setup))
        setup.predictor.segment(validation_image)
        synchronize(setup.device)
    finally:
        _restore(state, before)
        release_memory(setup.device)


def _black_batch(setup: TrainSetup) -> Batch:
    """Return this process's share of a batch at the largest size, of black images."""
    transform = setup.config.transform
    count = setup.settings.batch_size // setup.rank_info.world_size
    channels = setup.config.channels
    labels = setup.loader.dataset.labels
    return Batch(
        image=np.zeros((count, transform.size, transform.size, channels), np.uint8),
        mask=np.zeros((count, transform.mask_size, transform.mask_size), labels.dtype),
        color_jitter=np.tile(_NO_JITTER, (count, 1)),
        names=("",) * count,
    )


def _copied(state: TrainState) -> dict[str, Any]:
    """Copy to the CPU what a step changes; the optimizer has no state yet."""
    return {
        "segmenter": {name: value.cpu().clone() for name, value in _tensors(state.segmenter)},
        "average": {name: value.cpu().clone() for name, value in _tensors(state.average)},
        "scaler": state.scaler.state_dict(),
    }


def _tensors(module: Any) -> list[tuple[str, torch.Tensor]]:
    if module is None:
        return []
    return [(k, v) for k, v in module.state_dict().items() if isinstance(v, torch.Tensor)]


def _restore(state: TrainState, before: dict[str, Any]) -> None:
    state.optimizer.zero_grad()
    state.optimizer.state.clear()
    state.segmenter.load_state_dict(before["segmenter"])
    if state.average:
        state.average.load_state_dict(before["average"])
    state.scaler.load_state_dict(before["scaler"])
    state.sums = EpochSums.zeros(state.sums.confusion.shape[0], state.sums.confusion.device)
