"""Going on with smaller parts of a batch after the memory of a GPU ran out."""

from collections.abc import Callable
from typing import TypeVar

import torch
from torch import nn

from sceneparse.models.segmenter import Segmenter
from sceneparse.system.device import release_memory
from sceneparse.training.memory import min_part
from sceneparse.training.setup import TrainSetup
from sceneparse.training.state import TrainState

Result = TypeVar("Result")


def with_fitting_parts(
    state: TrainState, setup: TrainSetup, images: int, compute: Callable[[], Result]
) -> Result:
    """Compute the gradients of a step; in twice as many parts, again, if memory runs out.

    `state.parts` is doubled for the rest of the run. The gradients and the running statistics of
    the network are as if the first attempt had not been. Several processes could not agree in the
    middle of a step, so a run of several ends instead.

    Args:
        state: The training state.
        setup: The setup of the run.
        images: Images of the step; `state.guard` holds the running statistics before it.
        compute: Computes forward and backward pass in `state.parts` parts; it sets the random state
            itself, and changes nothing but gradients and buffers of the network.

    Raises:
        torch.OutOfMemoryError: If the parts cannot be smaller.
    """
    while True:
        try:
            return compute()
        except torch.OutOfMemoryError:
            can_be_smaller = images // (2 * state.parts) >= min_part(1)
            if setup.rank_info.world_size > 1 or not can_be_smaller:
                raise
        # Outside of the handler, where the error no longer holds the tensors of the attempt.
        state.parts *= 2
        state.optimizer.zero_grad()
        state.guard.restore_buffers(torch.zeros((), device=setup.device))
        release_memory(setup.device)


def meaning_of_parts(segmenter: Segmenter, parts: int, images: int) -> str:
    """Say what the number of parts means for a run whose memory ran out.

    Args:
        segmenter: The network.
        parts: Parts of a batch from now on.
        images: Images of a batch.
    """
    has_batch_norm = any(
        isinstance(layer, nn.modules.batchnorm._BatchNorm)  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]
        for layer in segmenter.modules()
    )
    size = max(1, images // parts)
    meaning = "the gradients are the same but for rounding"
    if has_batch_norm:
        meaning = (
            f"batch normalisation now takes its mean and deviation from {size} images at a time, "
            "which are noisier, so that the scores may differ a little from those of a run with "
            "more memory (model.normalization=group does not depend on it)"
        )
    return (
        f"the memory ran out; this step was computed again in {parts} parts, and so are all that "
        f"follow; the batch is still {images} images, and {meaning}"
    )
