"""A moving average of a network's weights, which scores better than the weights themselves."""

import copy
from itertools import chain
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

Network = TypeVar("Network", bound=nn.Module)


class WeightAverage(Generic[Network]):
    """The exponential moving average of a network over its steps (Polyak & Juditsky, 1992).

    The first steps are forgotten faster, as in TensorFlow's `ExponentialMovingAverage`: the decay
    of step s, counted from 0, is `min(decay, (1 + s) / (10 + s))`.

    Running statistics are averaged too. They belong to the activations of the network as it was;
    to first order, those of the averaged network have the average statistics. Copied, they would be
    those of weights that it has not reached yet. Whole numbers are copied.

    Attributes:
        network: The averaged network, ready to predict.
        decay: Share of the average that is kept in a step, in 0..1.
    """

    def __init__(self, network: Network, decay: float) -> None:
        """Begin with a network's weights as they are, on its device and in its layout."""
        self.network = copy.deepcopy(network).eval().requires_grad_(False)
        self.decay = decay

    @torch.no_grad()
    def follow(self, network: nn.Module, step: int) -> None:
        """Move towards the weights of a network after a step, counted from 0."""
        decay = min(self.decay, (1 + step) / (10 + step))
        mine, theirs = _tensors(self.network), _tensors(network)
        pairs = [pair for pair in zip(mine, theirs, strict=True) if pair[0].is_floating_point()]
        get_ema_multi_avg_fn(decay)([to for to, _ in pairs], [by for _, by in pairs], step)
        for to, by in zip(mine, theirs, strict=True):
            if not to.is_floating_point():
                to.copy_(by)

    def state_dict(self) -> dict[str, Any]:
        """Return the averaged weights and statistics by name."""
        return self.network.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore them."""
        self.network.load_state_dict(state)


def _tensors(network: nn.Module) -> list[Tensor]:
    return list(chain(network.parameters(), network.buffers()))
