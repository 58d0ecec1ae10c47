"""Refuse a run on a CPU whose memory by estimate does not suffice, before it starts."""

import torch

from sceneparse.config import RunConfig
from sceneparse.errors import InputError
from sceneparse.models.segmenter import Segmenter
from sceneparse.system.device import memory_bytes
from sceneparse.system.ranks import RankInfo
from sceneparse.training.memory import min_part, state_bytes, weight_bytes


def require_cpu_memory(
    config: RunConfig,
    segmenter: Segmenter,
    image_bytes: float,
    batch_size: int,
    rank_info: RankInfo,
) -> None:
    """Estimate the memory of a run on the CPU, and refuse it if there is less.

    A system whose memory is full slows down to a standstill, or kills a process without an error
    message. CUDA raises an error, after which a run of one process computes the step again in
    smaller parts.

    Args:
        config: The config of the run.
        segmenter: The network, on the CPU.
        image_bytes: Memory that an image takes in a training step, from
            `activation_bytes_per_image`.
        batch_size: Images per step over all processes.
        rank_info: The rank of this process.

    Raises:
        InputError: If the estimate is more than what is free.
    """
    share = batch_size // rank_info.world_size
    parts = config.training.accumulation
    images = min(share, min_part(rank_info.world_size)) if parts == "auto" else -(-share // parts)
    available = memory_bytes(torch.device("cpu")) / rank_info.local_world_size
    held = state_bytes(segmenter, config.optimizer, has_ema=config.training.ema is not None)
    problem = memory_problem(
        image_bytes=image_bytes,
        images=images,
        # The weights are in memory already.
        further_bytes=held - weight_bytes(segmenter),
        available_bytes=available,
    )
    if problem:
        raise InputError(problem)


def memory_problem(
    *, image_bytes: float, images: int, further_bytes: float, available_bytes: float
) -> str:
    """Say why a run does not fit into memory; empty if it does.

    Args:
        image_bytes: Memory that an image takes in a training step.
        images: Images that are computed at once.
        further_bytes: Memory that the run takes besides, whatever the batch size.
        available_bytes: Memory that is free.
    """
    needed = images * image_bytes + further_bytes
    if needed <= available_bytes:
        return ""
    return (
        f"training.check_memory: by estimate the run needs {needed / 1e9:,.1f} GB of memory "
        f"({images} images at once of {image_bytes / 1e9:,.2f} GB each, and "
        f"{further_bytes / 1e9:,.2f} GB for gradients and optimizer), and "
        f"{available_bytes / 1e9:,.1f} GB are free; use a smaller transform.size, model or "
        "training.batch_size, or training.accumulation=auto; training.check_memory=false starts it "
        "all the same"
    )
