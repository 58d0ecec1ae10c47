"""Measure which precision and memory layout trains a network fastest, by a few steps of each."""

import copy
import time
from collections.abc import Sequence
from typing import Literal, NamedTuple

import torch
from torch import nn

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
_ENOUGH_S = 0.5
# Another way must take at most this share of the usual one's time: measurements of two runs differ
# a little, and both should decide alike.
_CLEARLY = 0.9
# A way that takes this multiple of the best time is not measured further.
_HOPELESS = 1.5


class Way(NamedTuple):
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


def possible_ways(
    precision: factory.Precision | Literal["auto"],
    memory_format: MemoryFormat | Literal["auto"],
    device: torch.device,
) -> list[Way]:
    """Return the ways that a config allows, the usual one first."""
    native = native_precision(device)
    precisions: list[factory.Precision] = [precision] if precision != "auto" else [native]
    if precision == "auto" and native != "fp32":
        precisions.append("fp32")
    layouts: list[MemoryFormat] = ["channels_last", "contiguous"]
    if memory_format != "auto":
        layouts = [memory_format]
    return [Way(precision, layout) for precision in precisions for layout in layouts]


def measured(
    ways: Sequence[Way],
    segmenter: Segmenter,
    loss: nn.Module,
    sides: tuple[int, int],
    device: torch.device,
) -> dict[Way, float]:
    """Measure the seconds per image of a training step in each way.

    The network and the random state stay unchanged.

    Args:
        ways: Ways to measure.
        segmenter: The network.
        loss: The training loss.
        sides: Sides of the training images and of their masks, in pixels.
        device: Device to train on.

    Returns:
        Seconds per image by way.
    """
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        times = _seconds(ways, segmenter, loss, sides, device)
    # The next decisions depend on the free memory.
    release_memory(device)
    return times


def fastest(times: dict[Way, float]) -> Way:
    """Return the first way, unless another one is clearly faster."""
    usual = next(iter(times))
    best = min(times, key=times.__getitem__)
    return best if times[best] < _CLEARLY * times[usual] else usual


def _seconds(
    ways: Sequence[Way],
    segmenter: Segmenter,
    loss: nn.Module,
    sides: tuple[int, int],
    device: torch.device,
) -> dict[Way, float]:
    """Measure the seconds per image of each way, in turns, and keep the shortest."""
    size, mask_size = sides
    images = max(_MIN_IMAGES, min(_MAX_IMAGES, _PIXELS // size**2))
    shape = images, segmenter.channels, size, size
    image = torch.randint(0, 256, shape, dtype=torch.uint8, device=device)
    mask = torch.zeros(images, mask_size, mask_size, dtype=torch.uint8, device=device)
    networks: dict[MemoryFormat, Segmenter] = {}
    for way in ways:
        if way.memory_format not in networks:
            copied = copy.deepcopy(segmenter)
            networks[way.memory_format] = factory.on_device(copied, device, way.memory_format)

    def step(way: Way) -> float:
        network = networks[way.memory_format]
        start = time.perf_counter()
        with factory.autocast(way.precision, device):
            total = network(image, mask, loss).total
        total.backward()
        network.zero_grad()
        synchronize(device)
        return (time.perf_counter() - start) / images

    # The first steps include one-time costs.
    for way in ways:
        step(way)
    times = {way: step(way) for way in ways}
    promising = [way for way in ways if times[way] <= _HOPELESS * min(times.values())]
    # In turns, because other programs may take a part of the machine for a moment.
    spent = images * sum(times.values())
    for _ in range(1, _STEPS):
        if spent > _ENOUGH_S * len(ways):
            break
        for way in promising:
            seconds = step(way)
            spent += images * seconds
            times[way] = min(times[way], seconds)
    return times
