"""Sums and products that are as exact as fp32, or more so."""

from collections.abc import Generator
from contextlib import contextmanager

import torch


def sum_dtype(device: torch.device) -> torch.dtype:
    """Return float64, or float32 on MPS, which has no float64."""
    return torch.float32 if device.type == "mps" else torch.float64


@contextmanager
def exact_products(device: torch.device) -> Generator[None]:
    """Compute fp32 matrix products inside the `with` in fp32, not in TF32, on any GPU."""
    if device.type != "cuda":
        yield
        return
    before = torch.backends.cuda.matmul.fp32_precision
    torch.backends.cuda.matmul.fp32_precision = "ieee"
    try:
        yield
    finally:
        torch.backends.cuda.matmul.fp32_precision = before
