"""Memory of a run: what weights and images need, and in how many parts a batch fits."""

import torch
from torch import nn

from sceneparse import factory
from sceneparse.config import RunConfig
from sceneparse.labels import Labels
from sceneparse.models.segmenter import Segmenter
from sceneparse.optimization.settings import OptimizerSettings

# Share of the free memory that a step may take; the system and temporary tensors need the rest.
MEMORY_SHARE = {"cpu": 0.4, "cuda": 0.7, "mps": 0.4}
# Images that a part of a batch holds at least: batch normalisation needs two.
MIN_PART = 2
# A multiple of the strides of all networks and masks.
_MEASURED_SIDE = 512


def weight_bytes(network: nn.Module) -> int:
    """Return the memory of the weights of a network in bytes."""
    return sum(parameter.nbytes for parameter in network.parameters())


def state_bytes(network: nn.Module, optimizer: OptimizerSettings, *, has_ema: bool) -> int:
    """Return the memory in bytes that a run takes whatever the batch size.

    It holds the weights, and for those that are trained also gradients and the moments of the
    optimizer.

    Args:
        network: The network.
        optimizer: The optimizer.
        has_ema: Whether a moving average takes as much as the weights once more.
    """
    trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
    copies = 2 if has_ema else 1
    trained_bytes = sum(parameter.nbytes for parameter in trained)
    return copies * weight_bytes(network) + (1 + optimizer.moments) * trained_bytes


def step_budget(device: str, available_bytes: float, held_bytes: float) -> float:
    """Return the memory in bytes that the images of a step may take.

    Args:
        device: Kind of device, such as `cuda`.
        available_bytes: Memory that the process may use.
        held_bytes: Memory that the run takes whatever the batch size, from `state_bytes`.
    """
    return MEMORY_SHARE[device] * available_bytes - held_bytes


def min_part(processes: int) -> int:
    """Return the fewest images that a process may compute at once, as a part of its batch."""
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


def activation_bytes_per_image(
    config: RunConfig, segmenter: Segmenter, labels: Labels, precision: factory.Precision
) -> int:
    """Measure the memory of the activations of one training image, in bytes.

    A forward pass on the CPU counts the tensors that autograd saves for the backward pass; they
    depend on the network and the loss, not on the device. Large images are measured at a smaller
    size, because they need memory in proportion to their pixels. Where autocast computes in bf16,
    its copies of the weights are counted too, so that small images seem to need more than they do.

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
    try:
        with (
            torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor),
            factory.autocast(precision if precision != "fp16" else "bf16", torch.device("cpu")),
        ):
            kept = segmenter(image, mask, loss)
    finally:
        # The forward pass has updated the running statistics of the normalisation layers.
        segmenter.load_state_dict(state)
    del kept
    return int(sum(seen.values()) / 2 * (config.transform.size / size) ** 2)
