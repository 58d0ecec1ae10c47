"""What a config leaves open is decided once, when a run starts, on the machine it starts on."""

import os
from dataclasses import dataclass, replace

import torch

from sceneparse import factory
from sceneparse.config import RunConfig
from sceneparse.data.dataset import Dataset
from sceneparse.errors import InputError
from sceneparse.labels import Labels
from sceneparse.models.segmenter import Segmenter
from sceneparse.system.device import memory_bytes, select_device
from sceneparse.system.ranks import RankInfo
from sceneparse.training.compilation import missing_to_compile
from sceneparse.training.trials import MemoryFormat, Way, fastest, measured, possible_ways

# The total batch of the usual ADE20K recipes; more would change what the learning rate means.
REFERENCE_BATCH = 16
# Compiling takes minutes, for each size of growing images, which only many steps win back.
_STEPS_WORTH_COMPILING = 2000
# Of the free memory, what a step may take: the rest is for the system and for temporary tensors.
MEMORY_SHARE = {"cpu": 0.4, "cuda": 0.7, "mps": 0.4}


@dataclass(frozen=True)
class Plan:
    """What a run does on its machine, nothing left open.

    Attributes:
        device: Where it computes.
        precision: In which precision.
        memory_format: In which memory layout.
        compiled: Whether the network is compiled.
        batch_size: Images per step, of all processes together; they share them evenly.
        threads: Threads of each process that read images ahead.
        processes: How many share each step.
        times: Seconds per image of each way to compute that was measured.
        accumulation: Parts in which a process computes its share of a step.
        uncompiled: Why the network is not compiled although it was to be; empty otherwise.
    """

    device: torch.device
    precision: factory.Precision
    memory_format: MemoryFormat
    compiled: bool
    batch_size: int
    threads: int
    processes: int
    times: dict[Way, float]
    accumulation: int = 1
    uncompiled: str = ""

    def stored_in(self, config: RunConfig) -> RunConfig:
        """Return the config with what was decided instead of every `auto`."""
        compile_ = config.training.compile
        if compile_ == "auto":
            compile_ = "on" if self.compiled else "off"
        decided = {
            "device": self.device.type,
            "precision": self.precision,
            "memory_format": self.memory_format,
            # What was asked for stays, where this machine cannot do it: another one may.
            "compile": compile_,
            "batch_size": self.batch_size,
            "accumulation": self.accumulation,
            "threads": self.threads,
            "processes": self.processes,
        }
        training = replace(config.training, **decided)
        return replace(config, training=training)

    def __str__(self) -> str:
        """Say on what a run computes, and how."""
        parts = [self.device.type, self.precision, self.memory_format]
        words = ", ".join([*parts, "compiled"] if self.compiled else parts)
        return words if self.processes == 1 else f"{words} · {self.processes} processes"

    def reasons(self) -> str:
        """Say what was measured; nothing if nothing was left open."""
        if not self.times:
            return ""
        times = ", ".join(f"{way} {1000 * time:.0f}" for way, time in self.times.items())
        return f"measured, in ms per image of a training step: {times}"


def resolve(
    config: RunConfig, segmenter: Segmenter, training: Dataset, place: RankInfo | None = None
) -> Plan:
    """Decide what a config leaves open; what it says is taken as it is.

    Args:
        config: The run.
        segmenter: Its network.
        training: Its images.
        place: Of this process among those that share each step; none for a run of one.

    Raises:
        InputError: If the device asked for is not there, or the processes cannot share the batch.
    """
    place = place or RankInfo()
    asked = config.training
    device = select_device(asked.device)
    ways = possible_ways(asked.precision, asked.memory_format, device)
    times: dict[Way, float] = {}
    if len(ways) > 1:
        loss = config.loss.build(training.labels)
        sides = config.transform.size, config.transform.mask_size
        times = measured(ways, segmenter, loss, sides, device)
    precision, memory_format = fastest(times) if times else ways[0]
    batch_size = asked.batch_size
    if batch_size == "auto":
        there = max(2, len(training)) // place.world_size
        batch_size = min(reference_share(place.world_size), max(1, there)) * place.world_size
    _check_shares(batch_size, place.world_size)
    accumulation = asked.accumulation
    if accumulation == "auto":
        weights = sum(4 * parameter.numel() for parameter in segmenter.parameters())
        # Weights, their gradients, two moments and an average take their part whatever the batch.
        kept = (5 if asked.ema else 4) * weights
        shared_by = place.local_world_size if device.type == "cpu" else 1
        budget = MEMORY_SHARE[device.type] * memory_bytes(device) / shared_by - kept
        per_image = step_bytes(config, segmenter, training.labels, precision)
        share = batch_size // place.world_size
        accumulation = fitting_parts(share, per_image, budget, place.world_size)
    threads = asked.threads
    if threads == "auto":
        cores = (os.cpu_count() or 1) // place.local_world_size
        threads = min(max(1, cores), 2 if device.type == "cpu" else 8)
    is_wanted = _is_compiling_wanted(config, device, len(training) // batch_size)
    missing = missing_to_compile(device) if is_wanted else ""
    return Plan(
        device=device,
        precision=precision,
        memory_format=memory_format,
        compiled=is_wanted and not missing,
        batch_size=batch_size,
        threads=threads,
        processes=place.world_size,
        times=times,
        accumulation=accumulation,
        uncompiled=missing,
    )


def _is_compiling_wanted(config: RunConfig, device: torch.device, steps_per_epoch: int) -> bool:
    """Tell whether to compile: as the config says, or for long runs on CUDA."""
    asked = config.training
    if asked.compile != "auto":
        return asked.compile == "on"
    growth = config.transform.size_schedule(asked.epochs)
    times_compiled = len(growth.sizes) if growth else 1
    steps = asked.epochs * max(1, steps_per_epoch)
    return device.type == "cuda" and steps >= times_compiled * _STEPS_WORTH_COMPILING


def reference_share(processes: int) -> int:
    """Return the images of each process in a step of the reference batch: a power of two."""
    return 1 << (max(1, REFERENCE_BATCH // processes).bit_length() - 1)


def fitting_parts(share: int, image_bytes: float, budget_bytes: float, processes: int = 1) -> int:
    """Return in how many parts a process's share of a batch fits into its budget.

    The batch stays what it is, and the recipe does not change with the machine. A part has at least
    two images of all processes together, over which they may normalise.
    """
    least = 2 if processes == 1 else 1
    parts = 1
    # The largest of the parts has -(-share // parts) images, the smallest share // parts.
    while share // (2 * parts) >= least and -(-share // parts) * image_bytes > budget_bytes:
        parts *= 2
    return parts


def _check_shares(batch_size: int, processes: int) -> None:
    """Refuse a batch that the processes cannot share evenly.

    Raises:
        InputError: If it is not a multiple of their number.
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
    """List numbers: `1, 2 or 4`."""
    *most, last = map(str, numbers)
    return f"{', '.join(most)} or {last}" if most else last


def step_bytes(
    config: RunConfig, segmenter: Segmenter, labels: Labels, precision: factory.Precision
) -> int:
    """Measure what one image of a training step keeps in memory, in bytes.

    Counts the tensors that the forward pass saves for the backward one. This is done on the CPU:
    the count is that of the network and the loss, not of the device.
    """
    seen: dict[int, int] = {}
    own = {parameter.untyped_storage().data_ptr() for parameter in segmenter.parameters()}

    def count(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            seen[storage.data_ptr()] = storage.nbytes()
        return tensor

    size = config.transform.size
    image = torch.zeros(2, 3, size, size, dtype=torch.uint8)
    mask = torch.zeros(2, *2 * [config.transform.mask_size], dtype=torch.uint8)
    loss = config.loss.build(labels)
    state = {name: value.clone() for name, value in segmenter.state_dict().items()}
    with (
        torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor),
        factory.autocast(precision if precision != "fp16" else "bf16", torch.device("cpu")),
    ):
        kept = segmenter(image, mask, loss)
    # The pass has moved the running statistics of the normalisation layers.
    segmenter.load_state_dict(state)
    del kept
    return sum(seen.values()) // 2
