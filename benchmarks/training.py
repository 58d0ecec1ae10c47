"""A training step as `sceneparse train` does it, from a config of the repository."""

import atexit
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import material
from machine import ROOT
from sceneparse.config.reading import read_config
from sceneparse.data.loader import Batch
from sceneparse.inference.evaluate import Evaluation
from sceneparse.inference.predictor import Predictor
from sceneparse.system.device import native_precision
from sceneparse.system.ranks import find_rank_info
from sceneparse.training.auto import RuntimeSettings
from sceneparse.training.distributed import process_group
from sceneparse.training.loop import train_step
from sceneparse.training.setup import TrainSetup, set_up_training
from sceneparse.training.state import TrainState

# What the segmenters take off an image in 0..255, and divide it by.
MEAN = 255 * torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)
STD = 255 * torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)


@dataclass(frozen=True)
class Trainer:
    """A run between two steps."""

    state: TrainState
    setup: TrainSetup

    def step(self, batch: Batch) -> Tensor:
        """Do one step and return its mean loss."""
        loss = train_step(self.state, self.setup, batch)
        self.state.step += 1
        return loss


# The narrower decoder to stride 4 that the config had when `docs/performance.md` was measured.
STRIDE_4 = ("model.decoder_channels=[128,64,48]", "model.output_stride=4")


def trainer(
    config_name: str,
    overrides: Sequence[str] = (),
    *,
    classes: int = 150,
    processes: int = 1,
    seed: int = 0,
    device: str | None = None,
    **changes: Any,
) -> Trainer:
    """Make everything that a run of a config steps with, in the native precision of its device.

    Args:
        config_name: File of `configs/ade20k` without its ending.
        overrides: As on the command line of `sceneparse train`.
        classes: Number of classes.
        processes: How many share each step.
        seed: Of the weights.
        device: Where it computes; none for the CPU.
        changes: Runtime settings that are others.
    """
    where = torch.device(device or "cpu")
    config = read_config(ROOT / "configs" / "ade20k" / f"{config_name}.yaml", overrides)
    torch.manual_seed(seed)
    segmenter = config.model.build(classes)
    nothing = material.Nothing(material.labels(classes))
    settings = RuntimeSettings(
        device=where,
        precision=native_precision(where),
        memory_format="channels_last",
        compiled=False,
        batch_size=processes,
        threads=1,
        processes=processes,
        times={},
    )
    settings = replace(settings, **changes)
    rank_info = find_rank_info()
    joining = process_group(rank_info)
    joining.__enter__()
    # A group that is not left aborts now and then when the process ends.
    atexit.register(joining.__exit__, None, None, None)
    return Trainer(*set_up_training(config, settings, segmenter, nothing, _never, rank_info))


def _never(_: Predictor) -> Evaluation:
    raise NotImplementedError


def peer_step(network: nn.Module, device: str | None) -> Callable[[Tensor, Tensor], float]:
    """Prepare a step of a peer's network with Adam and cross-entropy at the size of the mask.

    Args:
        network: Returns logits `(B, C, H, W)`.
        device: Where to compute as its users do: channels last, under autocast in bf16; none for
            PyTorch's defaults on the CPU.
    """
    if device is not None:
        network.to(device, memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)

    def step(image: Tensor, target: Tensor) -> float:
        optimizer.zero_grad()
        with torch.autocast(device or "cpu", torch.bfloat16, enabled=device is not None):
            loss = F.cross_entropy(network(image), target, ignore_index=255)
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def on_device(pair: tuple[Tensor, Tensor], device: str | None) -> tuple[Tensor, Tensor]:
    """Bring a peer's batch to its device, channels last; none leaves it as it is."""
    if device is None:
        return pair
    return pair[0].to(device, memory_format=torch.channels_last), pair[1].to(device)


def normalised(batch: Batch) -> tuple[Tensor, Tensor]:
    """Return a batch as peers take it: images `(B, 3, H, W)` fp32, masks `(B, H, W)` int64."""
    image = (torch.from_numpy(batch.image).permute(0, 3, 1, 2) - MEAN) / STD
    return image.contiguous(), torch.from_numpy(batch.mask).long()
