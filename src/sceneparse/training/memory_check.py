"""Refuse a run on a CPU whose memory by estimate does not suffice, before it starts."""

import torch

from sceneparse.config import RunConfig
from sceneparse.errors import InputError
from sceneparse.models.segmenter import Segmenter
from sceneparse.system.device import memory_bytes
from sceneparse.system.ranks import RankInfo
from sceneparse.training.memory import min_part


def require_cpu_memory(
    config: RunConfig,
    segmenter: Segmenter,
    image_bytes: float,
    batch_size: int,
    rank_info: RankInfo,
) -> None:
    """Estimate the memory of a run on the CPU, and refuse it if there is less.

    A system whose memory is full slows down to a standstill or ends a process without a word; a GPU
    tells, so that a run can go on.

    Args:
        config: The config of the run.
        segmenter: The network, on the CPU.
        image_bytes: Memory that an image takes in a training step, from `step_bytes`.
        batch_size: Images per step over all processes.
        rank_info: The rank of this process.

    Raises:
        InputError: If the estimate is more than what is free.
    """
    share = batch_size // rank_info.world_size
    parts = config.training.accumulation
    images = min(share, min_part(rank_info.world_size)) if parts == "auto" else -(-share // parts)
    available = memory_bytes(torch.device("cpu")) / rank_info.local_world_size
    problem = memory_problem(
        image_bytes=image_bytes,
        images=images,
        weight_bytes=sum(weight.nbytes for weight in segmenter.parameters()),
        has_ema=config.training.ema is not None,
        available_bytes=available,
    )
    if problem:
        raise InputError(problem)


def memory_problem(
    *, image_bytes: float, images: int, weight_bytes: float, has_ema: bool, available_bytes: float
) -> str:
    """Say why a run does not fit into memory; empty if it does.

    Args:
        image_bytes: Memory that an image takes in a training step.
        images: Images that are computed at once.
        weight_bytes: Memory of the weights, which are there already.
        has_ema: Whether a moving average takes as much once more.
        available_bytes: Memory that is free.
    """
    # Gradients and the two moments of Adam.
    further = (4 if has_ema else 3) * weight_bytes
    needed = images * image_bytes + further
    if needed <= available_bytes:
        return ""
    return (
        f"training.check_memory: by estimate the run needs {needed / 1e9:,.1f} GB of memory "
        f"({images} images at once of {image_bytes / 1e9:,.2f} GB each, and {further / 1e9:,.2f} "
        f"GB for gradients and optimizer), and {available_bytes / 1e9:,.1f} GB are free; use a "
        "smaller transform.size, model or training.batch_size, or training.accumulation=auto; "
        "training.check_memory=false starts it all the same"
    )
