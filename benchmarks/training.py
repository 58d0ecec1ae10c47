"""Training steps: those of `sceneparse train` for a config, and those of peers."""

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
from sceneparse.inference.evaluation import Evaluation
from sceneparse.inference.predictor import Predictor
from sceneparse.system.device import native_precision
from sceneparse.system.ranks import find_rank_info
from sceneparse.training.auto import RuntimeSettings
from sceneparse.training.distributed import process_group
from sceneparse.training.loop import train_step
from sceneparse.training.setup import TrainSetup, set_up_training
from sceneparse.training.state import TrainState

# Mean and standard deviation with which segmenters normalise images in 0..255.
MEAN = 255 * torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)
STD = 255 * torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)


@dataclass(frozen=True)
class Trainer:
    """The state of a training run."""

    state: TrainState
    setup: TrainSetup

    def step(self, batch: Batch) -> Tensor:
        """Train one step, and return its mean loss."""
        loss = train_step(self.state, self.setup, batch)
        self.state.step += 1
        return loss


# The decoder that the config had when `docs/performance.md` was measured.
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
    """Set up the training of a config, in the native precision of its device.

    Args:
        config_name: File name in `configs/ade20k`, without its extension.
        overrides: Overrides as for `sceneparse train`.
        classes: Number of classes.
        processes: Number of processes that share a step.
        seed: Seed of the weights.
        device: The device; none for the CPU.
        changes: Runtime settings that differ from the defaults.
    """
    where = torch.device(device or "cpu")
    config = read_config(ROOT / "configs" / "ade20k" / f"{config_name}.yaml", overrides)
    torch.manual_seed(seed)
    segmenter = config.model.build(classes)
    dataset = material.NoSamples(material.labels(classes))
    settings = RuntimeSettings(
        device=where,
        precision=native_precision(where),
        memory_format="channels_last",
        compiled=False,
        # With one image a process, the setup runs a trial pass, and steps would reuse its memory.
        batch_size=2 * processes,
        threads=1,
        processes=processes,
        times={},
    )
    settings = replace(settings, **changes)
    rank_info = find_rank_info()
    group = process_group(rank_info)
    group.__enter__()
    # Without leaving the group, a process sometimes aborts at its end.
    atexit.register(group.__exit__, None, None, None)
    return Trainer(
        *set_up_training(config, settings, segmenter, dataset, _no_validation, rank_info)
    )


def _no_validation(_: Predictor) -> Evaluation:
    raise NotImplementedError


def peer_step(network: nn.Module, device: str | None) -> Callable[[Tensor, Tensor], float]:
    """Prepare a step of a peer's network with Adam and cross-entropy at the size of the mask.

    Args:
        network: The network, which returns logits `(B, C, H, W)`.
        device: The device, with channels last and autocast in bf16; none for PyTorch's defaults
            on the CPU.
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
    """Move a peer's batch to a device, channels last; none does nothing."""
    if device is None:
        return pair
    return pair[0].to(device, memory_format=torch.channels_last), pair[1].to(device)


def normalise_batch(batch: Batch) -> tuple[Tensor, Tensor]:
    """Convert a batch for peers: images `(B, 3, H, W)` fp32, masks `(B, H, W)` int64."""
    image = (torch.from_numpy(batch.image).permute(0, 3, 1, 2) - MEAN) / STD
    return image.contiguous(), torch.from_numpy(batch.mask).long()
