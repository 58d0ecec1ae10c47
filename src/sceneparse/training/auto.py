"""Resolve the settings that a config leaves at `auto`, on the machine where the run starts."""

from dataclasses import dataclass, replace
from functools import cache, partial
from typing import Literal

import torch

from sceneparse import factory
from sceneparse.config import RunConfig
from sceneparse.data.dataset import Dataset
from sceneparse.errors import InputError
from sceneparse.models.segmenter import Segmenter
from sceneparse.system.device import memory_bytes, select_device
from sceneparse.system.processor import usable_cores
from sceneparse.system.ranks import RankInfo
from sceneparse.training.compilation import missing_to_compile
from sceneparse.training.memory import (
    activation_bytes_per_image,
    fitting_parts,
    state_bytes,
    step_budget,
)
from sceneparse.training.memory_check import require_cpu_memory
from sceneparse.training.trials import (
    Candidate,
    MemoryFormat,
    candidates_for,
    fastest,
    measure_step_times,
)

# The total batch size of the usual ADE20K recipes; a larger one would need another learning rate.
REFERENCE_BATCH = 16
# Compiling takes minutes for each image size; only a run of many steps wins them back.
_STEPS_WORTH_COMPILING = 2000


@dataclass(frozen=True)
class RuntimeSettings:
    """The resolved settings of a run: nothing is `auto`.

    Attributes:
        device: Kind of device, such as `cuda`; each process computes on one of them.
        precision: Precision of the forward pass.
        memory_format: Memory layout of weights and images.
        compiled: Whether `torch.compile` compiles the network.
        batch_size: Images per step over all processes, a multiple of `processes`.
        threads: Threads of each process that read images ahead.
        processes: Number of processes that share each step.
        times: Measured seconds per image of each precision and memory layout; empty if the config
            leaves no choice.
        accumulation: Number of parts in which a process computes its share of a batch.
        uncompiled: Reason why the network stays uncompiled against the config; else empty.
    """

    device: torch.device
    precision: factory.Precision
    memory_format: MemoryFormat
    compiled: bool
    batch_size: int
    threads: int
    processes: int
    times: dict[Candidate, float]
    accumulation: int = 1
    uncompiled: str = ""

    @property
    def dtype(self) -> torch.dtype:
        """Data type in which autocast computes."""
        return {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": torch.float32}[
            self.precision
        ]

    def stored_in(self, config: RunConfig) -> RunConfig:
        """Return the config with these settings in place of every `auto`."""
        compile_ = config.training.compile
        if compile_ == "auto":
            compile_ = "on" if self.compiled else "off"
        update = {
            "device": self.device.type,
            "precision": self.precision,
            "memory_format": self.memory_format,
            # Stays `on` where this machine cannot compile: the run may resume on one that can.
            "compile": compile_,
            "batch_size": self.batch_size,
            "accumulation": self.accumulation,
            "threads": self.threads,
            "processes": self.processes,
        }
        training = replace(config.training, **update)
        return replace(config, training=training)

    def __str__(self) -> str:
        """Name device, precision, memory layout, compilation and number of processes."""
        parts = [self.device.type, self.precision, self.memory_format]
        words = ", ".join([*parts, "compiled"] if self.compiled else parts)
        return words if self.processes == 1 else f"{words} · {self.processes} processes"

    def reasons(self) -> str:
        """Describe what was measured; empty if nothing was."""
        if not self.times:
            return ""
        times = ", ".join(f"{each} {1000 * time:.0f}" for each, time in self.times.items())
        return f"measured, in ms per image of a forward and backward pass: {times}"


def resolve(
    config: RunConfig, segmenter: Segmenter, training: Dataset, rank_info: RankInfo | None = None
) -> RuntimeSettings:
    """Resolve every `auto` of a config.

    Args:
        config: The config of the run.
        segmenter: The network, on the CPU.
        training: The training images.
        rank_info: The rank of this process; `None` for a run of one process.

    Raises:
        InputError: If the device does not exist, the processes cannot share the batch evenly, or
            the memory of a CPU by estimate does not suffice.
    """
    rank_info = rank_info or RankInfo()
    asked = config.training
    device = select_device(asked.device)
    candidates = candidates_for(asked.precision, asked.memory_format, device)
    batch_size = _batch_size(asked.batch_size, len(training), rank_info.world_size)
    # A measurement is a forward pass, and most runs need that of one precision.
    image_bytes = cache(partial(activation_bytes_per_image, config, segmenter, training.labels))
    if device.type == "cpu" and asked.check_memory:
        least = "fp32" if all(candidate.precision == "fp32" for candidate in candidates) else "bf16"
        require_cpu_memory(config, segmenter, image_bytes(least), batch_size, rank_info)
    times: dict[Candidate, float] = {}
    if len(candidates) > 1:
        loss = config.loss.build(training.labels)
        sides = config.transform.size, config.transform.mask_size
        times = measure_step_times(candidates, segmenter, loss, sides, device)
    precision, memory_format = fastest(times) if times else candidates[0]
    accumulation = asked.accumulation
    if accumulation == "auto":
        shared_by = rank_info.local_world_size if device.type == "cpu" else 1
        available = memory_bytes(device) / shared_by
        held = state_bytes(segmenter, config.optimizer, has_ema=asked.ema is not None)
        budget = step_budget(device.type, available, held)
        share = batch_size // rank_info.world_size
        accumulation = fitting_parts(share, image_bytes(precision), budget, rank_info.world_size)
    threads = asked.threads
    if threads == "auto":
        cores = usable_cores() // rank_info.local_world_size
        threads = min(max(1, cores), 2 if device.type == "cpu" else 8)
    is_wanted = _is_compiling_wanted(config, device, len(training) // batch_size)
    missing = missing_to_compile(device) if is_wanted else ""
    return RuntimeSettings(
        device=device,
        precision=precision,
        memory_format=memory_format,
        compiled=is_wanted and not missing,
        batch_size=batch_size,
        threads=threads,
        processes=rank_info.world_size,
        times=times,
        accumulation=accumulation,
        uncompiled=missing,
    )


def _batch_size(asked: int | Literal["auto"], images: int, processes: int) -> int:
    """Return the images of a step: as asked, or those of the usual recipes."""
    if asked == "auto":
        share = min(reference_share(processes), max(1, max(2, images) // processes))
        asked = share * processes
    _check_shares(asked, processes)
    return asked


def _is_compiling_wanted(config: RunConfig, device: torch.device, steps_per_epoch: int) -> bool:
    """Return whether to compile: as the config says, or for `auto` in long runs on CUDA."""
    asked = config.training
    if asked.compile != "auto":
        return asked.compile == "on"
    growth = config.transform.size_schedule(asked.epochs)
    times_compiled = len(growth.sizes) if growth else 1
    steps = asked.epochs * max(1, steps_per_epoch)
    return device.type == "cuda" and steps >= times_compiled * _STEPS_WORTH_COMPILING


def reference_share(processes: int) -> int:
    """Return each process's share of the reference batch, rounded down to a power of two."""
    return 1 << (max(1, REFERENCE_BATCH // processes).bit_length() - 1)


def _check_shares(batch_size: int, processes: int) -> None:
    """Check that the processes can share the batch evenly.

    Raises:
        InputError: If the batch size is not a multiple of the number of processes.
    """
    rest = batch_size % processes
    if rest:
        near = [size for size in (batch_size - rest, batch_size - rest + processes) if size]
        divisors = [count for count in range(1, batch_size + 1) if batch_size % count == 0]
        raise InputError(
            f"training.batch_size: the {batch_size} images of a step cannot be shared evenly by "
            f"{processes} processes; start {_either(divisors)} processes, or use a batch of "
            f"{_either(near)} in a new run"
        )


def _either(numbers: list[int]) -> str:
    """Join numbers to `1, 2 or 4`."""
    *others, last = map(str, numbers)
    return f"{', '.join(others)} or {last}" if others else last
