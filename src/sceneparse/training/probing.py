"""Find out on a GPU in how many parts a batch really fits, before a run starts."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from sceneparse.config import RunConfig
from sceneparse.data.dataset import Dataset
from sceneparse.data.loader import Batch
from sceneparse.system.device import release_memory, synchronize
from sceneparse.system.memory_advice import PREDICTION, advice_on_memory
from sceneparse.training.loop import train_step
from sceneparse.training.setup import TrainSetup
from sceneparse.training.state import EpochSums, TrainState

# Factors of brightness, contrast and saturation, and a shift of hue.
_NO_JITTER = np.array([1, 1, 1, 0], np.float32)


def with_probed_accumulation(
    config: RunConfig,
    requested: RunConfig,
    state: TrainState,
    setup: TrainSetup,
    validation: Dataset,
) -> RunConfig:
    """Probe the memory of a GPU if the config leaves the number of parts open.

    Several processes start from the estimate: they could not agree where one of them runs out.

    Args:
        config: The resolved config.
        requested: The config before `auto` was resolved.
        state: The training state before the first step.
        setup: The setup of the run.
        validation: The validation images.

    Returns:
        The config with the number of parts that fit.

    Raises:
        torch.OutOfMemoryError: If even the smallest parts do not fit.
        InputError: If the validation image does not fit.
    """
    is_auto = requested.training.accumulation == "auto" and setup.rank_info.world_size == 1
    if setup.device.type != "cuda" or not is_auto:
        return config
    probe_parts(state, setup, validation[0].image)
    return replace(config, training=replace(config.training, accumulation=state.parts))


def probe_parts(state: TrainState, setup: TrainSetup, validation_image: NDArray[np.uint8]) -> None:
    """Do two training steps and a prediction; double `state.parts` until a step fits into memory.

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
        InputError: If the validation image does not fit.
    """
    before = _copied(state)
    try:
        for _ in range(2):
            train_step(state, setup, _black_batch(setup))
        with advice_on_memory(PREDICTION):
            setup.predictor.segment(validation_image)
        synchronize(setup.device)
    finally:
        _restore(state, before)
        release_memory(setup.device)


def _black_batch(setup: TrainSetup) -> Batch:
    """Return a batch at the largest size, of black images."""
    transform = setup.config.transform
    count = setup.settings.batch_size
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
        "segmenter": _on_cpu(state.segmenter.state_dict()),
        "average": _on_cpu(state.average.state_dict()) if state.average else {},
        "scaler": state.scaler.state_dict(),
        "guard": state.guard.state_dict(),
    }


def _on_cpu(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.cpu().clone() for name, tensor in tensors.items()}


def _restore(state: TrainState, before: dict[str, Any]) -> None:
    state.optimizer.zero_grad()
    state.optimizer.state.clear()
    state.segmenter.load_state_dict(before["segmenter"])
    if state.average:
        state.average.load_state_dict(before["average"])
    state.scaler.load_state_dict(before["scaler"])
    state.guard.load_state_dict(before["guard"])
    state.sums = EpochSums.zeros(state.sums.confusion.shape[0], state.sums.confusion.device)
