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
    # torch.compile reads this setting, and fails once the newer `fp32_precision` was set.
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)
