"""What the checks of a GPU have in common: where they compute, what they return, small runs."""

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import torch

import material
from sceneparse.data.loader import Batch
from sceneparse.ops.precision import exact_products
from training import Trainer, trainer

IGNORE = 255


class Here(NamedTuple):
    """Where checks compute.

    Attributes:
        device: The device that is checked.
        quick: Whether sizes are tiny.
        folder: For files.
    """

    device: torch.device
    quick: bool
    folder: Path


class Found(NamedTuple):
    """What a check came to; it passes where the figure is at most the limit.

    Attributes:
        figure: What was found.
        limit: What it may be.
        reason: Why it may be that.
        note: What else a reader should know.
    """

    figure: float
    limit: float
    reason: str
    note: str = ""


class Skipped(Exception):  # noqa: N818 - no error
    """A check that this machine cannot do."""


def unet(device: torch.device, *, classes: int = 150, **settings: Any) -> Trainer:
    """Make a small classic U-Net that is trained in fp32, or as settings of its plan say."""
    settings = {"precision": "fp32", **settings}
    return trainer("unet", ["model.width=8"], classes=classes, device=device.type, **settings)


def encoder_unet(
    device: torch.device, extra: Sequence[str], **settings: Any
) -> tuple[Trainer, Batch]:
    """Make a small network over EfficientNet-Lite0 without weights, and a batch for it."""
    small = ["model.weights=none", "model.decoder_channels=[32,16]", "model.output_stride=4"]
    settings = {"precision": "fp32", **settings}
    ready = trainer("lite0", [*small, *extra], device=device.type, **settings)
    return ready, material.batch(2, 64, 64, 150)


def first_loss(device: torch.device, extra: Sequence[str], **settings: Any) -> float:
    """Return the loss of such a network in its first step, in fp32."""
    ready, batch = encoder_unet(device, extra, **settings)
    with in_fp32(device):
        return float(ready.step(batch))


@contextmanager
def in_fp32(device: torch.device) -> Generator[None]:
    """Compute products and convolutions inside the `with` without TF32."""
    flags = torch.backends.cudnn.flags(
        enabled=True, benchmark=False, deterministic=True, allow_tf32=False
    )
    with exact_products(device), flags:
        yield
