"""Shared parts of the GPU checks: their context and result, and small networks."""

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


class CheckContext(NamedTuple):
    """The context of a check.

    Attributes:
        device: The device to check.
        quick: Use tiny sizes.
        folder: Folder for files.
    """

    device: torch.device
    quick: bool
    folder: Path


class CheckResult(NamedTuple):
    """The result of a check, which passes if the figure is at most the limit.

    Attributes:
        figure: The measured value.
        limit: Largest value that passes.
        reason: The argument for the limit.
        note: A remark for the reader.
    """

    figure: float
    limit: float
    reason: str
    note: str = ""


class CheckSkipped(Exception):  # noqa: N818 - no error
    """This machine cannot run the check."""


def unet(device: torch.device, *, classes: int = 150, **settings: Any) -> Trainer:
    """Set up the training of a small classic U-Net, in fp32 unless `settings` change that."""
    settings = {"precision": "fp32", **settings}
    return trainer("unet", ["model.width=8"], classes=classes, device=device.type, **settings)


def encoder_unet(
    device: torch.device, extra: Sequence[str], **settings: Any
) -> tuple[Trainer, Batch]:
    """Set up the training of a small U-Net over EfficientNet-Lite0, and draw a batch."""
    small = ["model.weights=none", "model.decoder_channels=[32,16]", "model.output_stride=4"]
    settings = {"precision": "fp32", **settings}
    ready = trainer("lite0", [*small, *extra], device=device.type, **settings)
    return ready, material.batch(2, 64, 64, 150)


def first_loss(device: torch.device, extra: Sequence[str], **settings: Any) -> float:
    """Return the loss of the first step of `encoder_unet`, in fp32."""
    ready, batch = encoder_unet(device, extra, **settings)
    with in_fp32(device):
        return float(ready.step(batch))


@contextmanager
def in_fp32(device: torch.device) -> Generator[None]:
    """Compute matrix products and convolutions inside the `with` without TF32."""
    flags = torch.backends.cudnn.flags(
        enabled=True, benchmark=False, deterministic=True, allow_tf32=False
    )
    with exact_products(device), flags:
        yield
