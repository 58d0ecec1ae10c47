"""Networks for images of other channels than RGB, and weights of one number for another."""

from collections.abc import Mapping, Sequence

from torch import Tensor

RGB_CHANNELS = 3


def statistics_of_channels(values: Sequence[float], channels: int) -> tuple[float, ...]:
    """Return the mean or deviation of each channel, given those of red, green and blue.

    Other channels than three all have the average: it fits bands of any kind and order, and
    weights that are repeated over them.
    """
    if channels == len(values):
        return tuple(values)
    return (sum(values) / len(values),) * channels


def weight_for_channels(weight: Tensor, channels: int) -> Tensor:
    """Adapt the weight of the first convolution to images of other channels, as timm does.

    For one channel, it is summed over the channels that it was trained with. For others, their
    weights are repeated in turn, and scaled so that equal channels give the same output.

    Args:
        weight: `(D, C, h, w)`.
        channels: Number of channels to adapt it to.

    Returns:
        `(D, channels, h, w)`.
    """
    given = weight.shape[1]
    if channels == given:
        return weight
    if channels == 1:
        return weight.sum(dim=1, keepdim=True)
    repeated = weight.repeat(1, -(-channels // given), 1, 1)[:, :channels]
    return repeated * (given / channels)


def weights_for_channels(
    tensors: Mapping[str, Tensor], state: Mapping[str, Tensor], given: int, channels: int
) -> dict[str, Tensor]:
    """Adapt the convolutions of images in the tensors of another network.

    Args:
        tensors: Tensors of a network for images of `given` channels.
        state: Tensors of the same network for images of `channels` channels.
        given: Number of channels that the tensors were trained with.
        channels: Number of channels to adapt them to.
    """
    adapted = dict(tensors)
    for name, tensor in tensors.items():
        own = state.get(name)
        if own is None or own.ndim != 4 or tensor.ndim != 4 or own.shape == tensor.shape:
            continue
        if tensor.shape[1] == given and own.shape[1] == channels:
            adapted[name] = weight_for_channels(tensor, channels)
    return adapted
