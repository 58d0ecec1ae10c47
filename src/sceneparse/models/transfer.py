"""Transfer of weights from one network to another."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from sceneparse.models.input_channels import weights_for_channels
from sceneparse.models.segmenter import AnyUNet, Segmenter

HEAD = "network.head."
# The message lists at most this many names.
_MAX_LISTED = 12


class WeightTransfer(NamedTuple):
    """The result of a transfer of weights.

    Attributes:
        loaded: Names of the tensors that were loaded, except those of the head.
        not_loaded: Names of the network's tensors for which there were no weights.
        unused: Names of the given tensors that have no counterpart of the same shape.
        known_classes: Names of the classes whose rows of the head were loaded.
        new_classes: Names of the classes whose rows of the head were not loaded.
        num_weights: Number of loaded tensors that are weights of convolutions or linear layers.
        adapted_channels: Number of channels of the images of the other network and of this one, if
            the first convolution was adapted from one to the other.
    """

    loaded: tuple[str, ...]
    not_loaded: tuple[str, ...]
    unused: tuple[str, ...]
    known_classes: tuple[str, ...]
    new_classes: tuple[str, ...]
    num_weights: int
    adapted_channels: tuple[int, int] | None = None

    @property
    def succeeded(self) -> bool:
        """Whether any convolution was loaded; biases and norms fit unrelated networks too."""
        return self.num_weights > 0

    def __str__(self) -> str:
        """Describe what was loaded, and name all that was not."""
        num_tensors = len(self.loaded) + len(self.not_loaded)
        num_classes = len(self.known_classes) + len(self.new_classes)
        parts = [
            f"{len(self.loaded)} of {num_tensors} tensors loaded",
            f"head rows of {len(self.known_classes)} of {num_classes} classes loaded",
        ]
        if self.adapted_channels:
            given, own = self.adapted_channels
            parts.append(f"first convolution adapted from {given} to {own} channels")
        if self.new_classes:
            parts.append(f"new classes: {_listed(self.new_classes)}")
        if self.not_loaded:
            parts.append(f"not loaded: {_blocks(self.not_loaded)}")
        if self.unused:
            parts.append(f"unused: {_blocks(self.unused)}")
        return "; ".join(parts)


@torch.no_grad()
def transfer_weights(
    segmenter: Segmenter,
    tensors: Mapping[str, Tensor],
    class_names: Sequence[str],
    given_names: Sequence[str],
) -> WeightTransfer:
    """Load the weights of another network wherever name and shape are the same.

    Rows of the head are matched by the names of their classes. If the network has one decoder level
    more than the other and its head takes both levels, the head's weights for the finer level start
    at zero in these rows, so the logits equal those of the other network.

    If the images have other channels than those of the other network, the first convolution is
    adapted as timm does.

    Args:
        segmenter: The network, changed in place.
        tensors: Parameters and buffers of the other network.
        class_names: Classes of the network.
        given_names: Classes of the other network.
    """
    state = segmenter.state_dict()
    tensors = _with_finer_level(segmenter.network, tensors)
    given_channels = tensors["mean"].numel() if "mean" in tensors else segmenter.channels
    is_adapted = given_channels != segmenter.channels
    if is_adapted:
        tensors = _with_channels(segmenter, tensors, given_channels)
    body = _matching_body(state, tensors)
    for name in body:
        state[name].copy_(tensors[name])
    pairs = _shared_classes(class_names, given_names)
    rows, given_rows = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    head = _matching_head(state, tensors)
    for name in head:
        state[name][rows] = tensors[name][given_rows].to(state[name])
    known = set(rows) if head else set[int]()
    matching = {*body, *head}
    return WeightTransfer(
        loaded=tuple(body),
        not_loaded=tuple(name for name in state if name not in matching),
        unused=tuple(name for name in tensors if name not in matching),
        known_classes=tuple(name for index, name in enumerate(class_names) if index in known),
        new_classes=tuple(name for index, name in enumerate(class_names) if index not in known),
        num_weights=sum(state[name].ndim > 1 and bool(_layer(name)) for name in body),
        adapted_channels=(given_channels, segmenter.channels) if is_adapted else None,
    )


def _matching_body(state: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> list[str]:
    """List the tensors outside the head that have the same name and shape in both networks."""
    matching = [
        name
        for name, tensor in state.items()
        if not name.startswith(HEAD) and name in given and given[name].shape == tensor.shape
    ]
    # The counter of a batch norm is a scalar and matches any other; it goes with its layer.
    layers = {_layer(name) for name in matching if state[name].ndim > 0}
    return [name for name in matching if _layer(name) in layers]


def _matching_head(state: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> list[str]:
    """List the tensors of the head, if both heads have the same input channels."""
    names = [name for name in state if name.startswith(HEAD)]
    matches = all(
        name in given and given[name].shape[1:] == state[name].shape[1:] for name in names
    )
    return names if matches else []


def _with_finer_level(network: AnyUNet, given: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    """Add zeros to the given head for a decoder level that the other network does not have."""
    finest, *coarser = network.head_channels
    weight = f"{HEAD}weight"
    finest_level = f"network.decoder.{len(network.decoder) - 1}."
    has_level = any(name.startswith(finest_level) for name in given)
    if has_level or weight not in given or given[weight].shape[1] != sum(coarser):
        return given
    return {**given, weight: F.pad(given[weight], (0, 0, 0, 0, finest, 0))}


def _with_channels(
    segmenter: Segmenter, given: Mapping[str, Tensor], channels: int
) -> Mapping[str, Tensor]:
    """Adapt the first convolution of another network to the channels of the images."""
    state = segmenter.state_dict()
    adapted = weights_for_channels(given, state, channels, segmenter.channels)
    # The normalisation that the network has is right for its channels.
    return {**adapted, "mean": state["mean"], "std": state["std"]}


def _shared_classes(names: Sequence[str], given_names: Sequence[str]) -> list[tuple[int, int]]:
    """Pair the indices of equal names; a name that occurs twice is paired in order."""
    given_indices: dict[str, list[int]] = defaultdict(list)
    for index, name in enumerate(given_names):
        given_indices[name].append(index)
    return [
        (index, given_indices[name].pop(0))
        for index, name in enumerate(names)
        if given_indices[name]
    ]


def _layer(name: str) -> str:
    return name.rpartition(".")[0]


def _blocks(names: Iterable[str]) -> str:
    """List the blocks that hold tensors, with the number of tensors in each."""
    blocks = Counter(
        ".".join(_layer(name).removeprefix("network.").split(".")[:3]) for name in names
    )
    return _listed([f"{block} ({count})" for block, count in blocks.items()])


def _listed(words: Sequence[str]) -> str:
    num_more = len(words) - _MAX_LISTED
    return ", ".join(words[:_MAX_LISTED]) + (f" and {num_more} more" if num_more > 0 else "")
