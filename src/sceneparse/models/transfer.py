"""Starting a network from the weights of another one."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from sceneparse.models.segmenter import Network, Segmenter

HEAD = "network.head."
# Places that a message names one by one.
_NAMED = 12


class Transfer(NamedTuple):
    """What a network took of another one's weights.

    Attributes:
        taken: Names of the tensors that it took; the head's are not among them.
        new: Names of those that it keeps as they were.
        unused: Names of the other network's that have no place in it, or another shape there.
        kept: Names of the classes whose rows of the head it took.
        untaught: Names of the classes whose rows are new.
        convolutions: How many of the tensors taken are weights of convolutions or linear layers.
    """

    taken: tuple[str, ...]
    new: tuple[str, ...]
    unused: tuple[str, ...]
    kept: tuple[str, ...]
    untaught: tuple[str, ...]
    convolutions: int

    @property
    def fits(self) -> bool:
        """Whether any convolution was taken: vectors of one length are found in any network."""
        return self.convolutions > 0

    def __str__(self) -> str:
        """Say what was taken, and name all that was not."""
        parts = [
            f"{len(self.taken)} of {len(self.taken) + len(self.new)} tensors taken",
            f"head rows of {len(self.kept)} of {len(self.kept) + len(self.untaught)} classes kept",
        ]
        if self.untaught:
            parts.append(f"new classes: {_listed(self.untaught)}")
        if self.new:
            parts.append(f"start anew: {_places(self.new)}")
        if self.unused:
            parts.append(f"left behind: {_places(self.unused)}")
        return "; ".join(parts)


@torch.no_grad()
def transfer(
    segmenter: Segmenter,
    tensors: Mapping[str, Tensor],
    class_names: Sequence[str],
    given_names: Sequence[str],
) -> Transfer:
    """Put the weights of another network into one, wherever name and shape are the same.

    Rows of the head go by the names of their classes, whatever their order. Where the network goes
    one level further than the other and its head sees both, the finer level counts nothing in
    these rows at first, and logits are those of the other network.

    Args:
        segmenter: Is changed.
        tensors: The other network's parameters and buffers.
        class_names: The classes of the segmenter.
        given_names: The classes of the other network.
    """
    own = segmenter.state_dict()
    tensors = _with_finer_level(segmenter.network, tensors)
    fitting = _fitting(own, tensors)
    for name in fitting:
        own[name].copy_(tensors[name])
    pairs = _shared(class_names, given_names)
    mine, theirs = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    head = _fitting_head(own, tensors)
    for name in head:
        own[name][mine] = tensors[name][theirs].to(own[name])
    kept = set(mine) if head else set[int]()
    there = {*fitting, *head}
    return Transfer(
        taken=tuple(fitting),
        new=tuple(name for name in own if name not in there),
        unused=tuple(name for name in tensors if name not in there),
        kept=tuple(name for index, name in enumerate(class_names) if index in kept),
        untaught=tuple(name for index, name in enumerate(class_names) if index not in kept),
        convolutions=sum(own[name].ndim > 1 and bool(_layer(name)) for name in fitting),
    )


def _fitting(own: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> list[str]:
    same = [
        name
        for name, tensor in own.items()
        if not name.startswith(HEAD) and name in given and given[name].shape == tensor.shape
    ]
    # The counter of a batch norm fits any other: it goes with what else is in its layer.
    layers = {_layer(name) for name in same if own[name].ndim > 0}
    return [name for name in same if _layer(name) in layers]


def _fitting_head(own: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> list[str]:
    """List the tensors of the head, if that of the other network sees as many channels."""
    names = [name for name in own if name.startswith(HEAD)]
    fits = all(name in given and given[name].shape[1:] == own[name].shape[1:] for name in names)
    return names if fits else []


def _with_finer_level(network: Network, given: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    """Widen the head by a level that the other network does not have."""
    finest, *coarser = network.head_channels
    name = f"{HEAD}weight"
    beyond = f"network.decoder.{len(network.decoder) - 1}."
    goes_as_far = any(one.startswith(beyond) for one in given)
    if goes_as_far or name not in given or given[name].shape[1] != sum(coarser):
        return given
    return {**given, name: F.pad(given[name], (0, 0, 0, 0, finest, 0))}


def _shared(own: Sequence[str], given: Sequence[str]) -> list[tuple[int, int]]:
    """Pair the places of equal names; of a name that occurs twice, the first with the first."""
    places: dict[str, list[int]] = defaultdict(list)
    for place, name in enumerate(given):
        places[name].append(place)
    return [(place, places[name].pop(0)) for place, name in enumerate(own) if places[name]]


def _layer(name: str) -> str:
    return name.rpartition(".")[0]


def _places(names: Iterable[str]) -> str:
    """Name the blocks where tensors are, with the number of tensors in each."""
    blocks = Counter(
        ".".join(_layer(name).removeprefix("network.").split(".")[:3]) for name in names
    )
    return _listed([f"{block} ({count})" for block, count in blocks.items()])


def _listed(words: Sequence[str]) -> str:
    more = len(words) - _NAMED
    return ", ".join(words[:_NAMED]) + (f" and {more} more" if more > 0 else "")
