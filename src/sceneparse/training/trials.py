"""Measure which precision and memory layout trains a network fastest, by a few steps of each."""

import copy
import math
import time
from collections.abc import Sequence
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from sceneparse import factory
from sceneparse.models.segmenter import Segmenter
from sceneparse.system.device import native_precision, release_memory, synchronize

MemoryFormat = Literal["channels_last", "contiguous"]

# Images of a step: two large ones, or more small ones, so that pixels outweigh costs that do not
# depend on their number.
_MIN_IMAGES, _MAX_IMAGES = 2, 8
_PIXELS = 2 * 224**2
# Short steps are repeated; long ones are measured once.
_STEPS = 5
_MIN_TIMED_S = 0.5
# Another candidate must take at most this share of the default's time: measurements of two runs
# differ a little, and both should decide alike.
_MAX_TIME_RATIO = 0.9
# A candidate that takes this multiple of the shortest time is not measured further.
_DROP_RATIO = 1.5


class Candidate(NamedTuple):
    """A precision and a memory layout to train in.

    Attributes:
        precision: Precision of the forward pass.
        memory_format: Memory layout of weights and images.
    """

    precision: factory.Precision
    memory_format: MemoryFormat

    def __str__(self) -> str:
        """Return both names."""
        return f"{self.precision} {self.memory_format}"


def candidates_for(
    precision: factory.Precision | Literal["auto"],
    memory_format: MemoryFormat | Literal["auto"],
    device: torch.device,
) -> list[Candidate]:
    """Return the candidates that a config allows, the default first."""
    native = native_precision(device)
    precisions: list[factory.Precision] = [precision] if precision != "auto" else [native]
    if precision == "auto" and native != "fp32":
        precisions.append("fp32")
    layouts: list[MemoryFormat] = ["channels_last", "contiguous"]
    if memory_format != "auto":
        layouts = [memory_format]
    return [Candidate(precision, layout) for precision in precisions for layout in layouts]


def measure_step_times(
    candidates: Sequence[Candidate],
    segmenter: Segmenter,
    loss: nn.Module,
    sides: tuple[int, int],
    device: torch.device,
) -> dict[Candidate, float]:
    """Measure the seconds per image of a forward and backward pass with each candidate.

    The network stays unchanged, and so does the random state of CPU and CUDA.

    Args:
        candidates: What to measure, the default first.
        segmenter: The network.
        loss: The training loss.
        sides: Sides of the training images and of their masks, in pixels.
        device: Device to train on.

    Returns:
        Seconds per image, in the order of the candidates; infinite if the memory ran out.
    """
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        times = _seconds(candidates, segmenter, loss, sides, device)
    # The next decisions depend on the free memory.
    release_memory(device)
    return times


def fastest(times: dict[Candidate, float]) -> Candidate:
    """Return the first candidate, which is the default, unless another one is clearly faster."""
    default = next(iter(times))
    best = min(times, key=times.__getitem__)
    return best if times[best] < _MAX_TIME_RATIO * times[default] else default


def _seconds(
    candidates: Sequence[Candidate],
    segmenter: Segmenter,
    loss: nn.Module,
    sides: tuple[int, int],
    device: torch.device,
) -> dict[Candidate, float]:
    """Measure the seconds per image of each candidate, in turns, and keep the shortest."""
    size, mask_size = sides
    images = max(_MIN_IMAGES, min(_MAX_IMAGES, _PIXELS // size**2))
    shape = images, segmenter.channels, size, size
    image = torch.randint(0, 256, shape, dtype=torch.uint8, device=device)
    mask = torch.zeros(images, mask_size, mask_size, dtype=torch.uint8, device=device)
    networks: dict[MemoryFormat, Segmenter] = {}
    for candidate in candidates:
        layout = candidate.memory_format
        if layout not in networks:
            networks[layout] = factory.on_device(copy.deepcopy(segmenter), device, layout)

    def step_s(candidate: Candidate) -> float:
        network = networks[candidate.memory_format]
        return _step_s(network, candidate.precision, image, mask, loss) / images

    # The first steps include one-time costs.
    for candidate in candidates:
        step_s(candidate)
    times = {candidate: step_s(candidate) for candidate in candidates}
    shortest = min(times.values())
    promising = [
        candidate for candidate in candidates if times[candidate] <= _DROP_RATIO * shortest
    ]
    # In turns, because other programs may take a part of the machine for a moment.
    spent = images * sum(filter(math.isfinite, times.values()))
    for _ in range(1, _STEPS):
        if spent > _MIN_TIMED_S * len(candidates) or math.isinf(shortest):
            break
        for candidate in promising:
            seconds = step_s(candidate)
            spent += images * seconds
            times[candidate] = min(times[candidate], seconds)
    return times


def _step_s(
    network: Segmenter, precision: factory.Precision, image: Tensor, mask: Tensor, loss: nn.Module
) -> float:
    """Measure the seconds of a forward and backward pass; infinite if the memory runs out."""
    start = time.perf_counter()
    try:
        with factory.autocast(precision, image.device):
            total = network(image, mask, loss).total
        total.backward()
        synchronize(image.device)
    except torch.OutOfMemoryError:
        return math.inf
    finally:
        network.zero_grad()
    return time.perf_counter() - start
