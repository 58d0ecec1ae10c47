"""An exponential moving average (EMA) of a network's weights."""

import copy
from itertools import chain
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor, nn

from sceneparse.ops.tensor_lists import move_towards_

AveragedNetwork = TypeVar("AveragedNetwork", bound=nn.Module)


class WeightEMA(Generic[AveragedNetwork]):
    """The exponential moving average of a network over its steps (Polyak & Juditsky, 1992).

    The decay of step s, counted from 0, is `min(decay, (1 + s) / (10 + s))`, which gives the first
    steps less weight, as in TensorFlow's `ExponentialMovingAverage`.

    Running statistics of batch norms are averaged too: to first order, the statistics of the
    averaged network are the averages of the statistics. Integers are copied.

    Attributes:
        network: The averaged network, in evaluation mode.
        decay: Share of the average that a step keeps, in 0..1.
    """

    def __init__(self, network: AveragedNetwork, decay: float) -> None:
        """Start with a copy of a network, on its device and in its memory format."""
        self.network = copy.deepcopy(network).eval().requires_grad_(False)
        self.decay = decay

    @torch.no_grad()
    def update(self, network: nn.Module, step: int, taken: Tensor | None = None) -> None:
        """Update the average with the weights of a network after a step, counted from 0.

        Args:
            network: The network.
            step: The step.
            taken: 0 on the device if the average shall stay as it is, else 1.
        """
        decay = min(self.decay, (1 + step) / (10 + step))
        averaged, current = _tensors(self.network), _tensors(network)
        pairs = [
            pair for pair in zip(averaged, current, strict=True) if pair[0].is_floating_point()
        ]
        averages = [average for average, _ in pairs]
        share = 1 - decay if taken is None else (1 - decay) * taken
        move_towards_(averages, [tensor for _, tensor in pairs], share)
        for average, tensor in zip(averaged, current, strict=True):
            if not average.is_floating_point():
                average.copy_(tensor)

    def state_dict(self) -> dict[str, Any]:
        """Return the averaged weights and statistics by name."""
        return self.network.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Load what `state_dict` returned."""
        self.network.load_state_dict(state)


def _tensors(network: nn.Module) -> list[Tensor]:
    return list(chain(network.parameters(), network.buffers()))
