"""Measure which precision and memory layout trains a network fastest, by a few steps of each."""

import copy
import time
from collections.abc import Iterable
from typing import Literal, NamedTuple

import torch
from torch import nn

from sceneparse import factory
from sceneparse.models.segmenter import Segmenter
from sceneparse.system.device import native_precision, release_memory, synchronize

MemoryFormat = Literal["channels_last", "contiguous"]

_IMAGES = 2
# Short steps are repeated; long ones are measured once.
_STEPS = 5
_ENOUGH_S = 0.5
# Another way must take at most this share of the usual one's time: measurements of two runs differ
# a little, and both should decide alike.
_CLEARLY = 0.9
# A way whose first step takes this multiple of the best time is not measured further.
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
    ways: Iterable[Way],
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
    times: dict[Way, float] = {}
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices):
        for way in ways:
            best = min(times.values(), default=float("inf"))
            times[way] = _seconds(way, segmenter, loss, sides, device, _HOPELESS * best)
    # The next decisions depend on the free memory.
    release_memory(device)
    return times


def fastest(times: dict[Way, float]) -> Way:
    """Return the first way, unless another one is clearly faster."""
    usual = next(iter(times))
    best = min(times, key=times.__getitem__)
    return best if times[best] < _CLEARLY * times[usual] else usual


def _seconds(
    way: Way,
    segmenter: Segmenter,
    loss: nn.Module,
    sides: tuple[int, int],
    device: torch.device,
    hopeless: float,
) -> float:
    """Measure the seconds per image of one way; of its first step only, if that is hopeless."""
    trial = factory.on_device(copy.deepcopy(segmenter), device, way.memory_format)
    size, mask_size = sides
    image = torch.randint(0, 256, (_IMAGES, 3, size, size), dtype=torch.uint8, device=device)
    mask = torch.zeros(_IMAGES, mask_size, mask_size, dtype=torch.uint8, device=device)

    def step() -> float:
        start = time.perf_counter()
        with factory.autocast(way.precision, device):
            total = trial(image, mask, loss).total
        total.backward()
        trial.zero_grad()
        synchronize(device)
        return (time.perf_counter() - start) / _IMAGES

    # The first step includes one-time costs, so it may be twice as slow.
    first = step() / 2
    if first > hopeless:
        return first
    times = [step()]
    while len(times) < _STEPS and sum(times) * _IMAGES < _ENOUGH_S:
        times.append(step())
    return min(times)
