"""Memory of a training step: what an image needs, and in how many parts a batch fits."""

import torch
from torch import nn

from sceneparse import factory
from sceneparse.config import RunConfig
from sceneparse.labels import Labels
from sceneparse.models.segmenter import Segmenter

# Share of the free memory that a step may take; the system and temporary tensors need the rest.
MEMORY_SHARE = {"cpu": 0.4, "cuda": 0.7, "mps": 0.4}
# Images that a part of a batch holds at least: batch normalisation needs two.
MIN_PART = 2
# A multiple of the strides of all networks and masks.
_MEASURED_SIDE = 512


def step_budget(device: str, available_bytes: float, network: nn.Module, *, has_ema: bool) -> float:
    """Return the memory in bytes that the images of a step may take.

    Args:
        device: Kind of device, such as `cuda`.
        available_bytes: Memory that the process may use.
        network: Its weights, gradients and the two moments of Adam take memory for any batch size.
        has_ema: Whether a moving average takes as much as the weights once more.
    """
    weight_bytes = sum(4 * parameter.numel() for parameter in network.parameters())
    return MEMORY_SHARE[device] * available_bytes - (5 if has_ema else 4) * weight_bytes


def min_part(processes: int) -> int:
    """Return how many images of a process a part has at least."""
    return MIN_PART if processes == 1 else 1


def fitting_parts(share: int, image_bytes: float, budget_bytes: float, processes: int = 1) -> int:
    """Return the smallest power of two of parts whose images fit, or the largest possible one.

    The batch size stays the same, so the recipe does not change with the machine. A part holds at
    least two images over all processes, which batch normalisation needs.

    Args:
        share: Images of this process per step.
        image_bytes: Memory that one image needs.
        budget_bytes: Memory that a part may take.
        processes: Number of processes that share each step.
    """
    min_images = min_part(processes)
    parts = 1
    # The largest part holds -(-share // parts) images, the smallest share // parts.
    while share // (2 * parts) >= min_images and -(-share // parts) * image_bytes > budget_bytes:
        parts *= 2
    return parts


def step_bytes(
    config: RunConfig, segmenter: Segmenter, labels: Labels, precision: factory.Precision
) -> int:
    """Measure the memory that one training image needs, in bytes.

    A forward pass on the CPU counts the tensors that autograd saves for the backward pass; they
    depend on the network and the loss, not on the device. Large images are measured at a smaller
    size, because they need memory in proportion to their pixels.

    Args:
        config: The config of the run.
        segmenter: The network, on the CPU; it stays unchanged.
        labels: The classes.
        precision: Precision of the forward pass; fp16 is measured as bf16, which has the same size.
    """
    seen: dict[int, int] = {}
    own = {parameter.untyped_storage().data_ptr() for parameter in segmenter.parameters()}

    def count(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            seen[storage.data_ptr()] = storage.nbytes()
        return tensor

    size = min(config.transform.size, _MEASURED_SIDE)
    mask_size = size // config.transform.mask_stride
    image = torch.zeros(2, segmenter.channels, size, size, dtype=torch.uint8)
    mask = torch.zeros(2, mask_size, mask_size, dtype=torch.uint8)
    loss = config.loss.build(labels)
    state = {name: value.clone() for name, value in segmenter.state_dict().items()}
    with (
        torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor),
        factory.autocast(precision if precision != "fp16" else "bf16", torch.device("cpu")),
    ):
        kept = segmenter(image, mask, loss)
    # The forward pass has updated the running statistics of the normalisation layers.
    segmenter.load_state_dict(state)
    del kept
    return int(sum(seen.values()) / 2 * (config.transform.size / size) ** 2)
