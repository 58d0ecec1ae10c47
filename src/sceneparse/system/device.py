"""Which device there is and what it computes well."""

import ctypes
from pathlib import Path
from typing import Literal

import psutil
import torch

from sceneparse.errors import InputError
from sceneparse.system.processor import processor


def best_device(wanted: str = "auto") -> torch.device:
    """Return the device asked for, or the fastest that is there.

    Raises:
        InputError: If it is not there.
    """
    there = {"cuda": torch.cuda.is_available, "mps": torch.backends.mps.is_available}
    if wanted == "auto":
        wanted = next((kind for kind, is_there in there.items() if is_there()), "cpu")
    kind, colon, index = wanted.partition(":")
    if kind != "cpu" and kind not in there:
        raise InputError(f"device {wanted}: unknown; use auto, cpu, cuda, cuda:1 or mps")
    counted = torch.cuda.device_count() if kind == "cuda" else 1
    if colon and not (index.isdecimal() and int(index) < counted):
        raise InputError(f"device {wanted}: there are {counted} of {kind} here, counted from 0")
    if kind in there and not there[kind]():
        raise InputError(f"device {wanted}: not there on this machine; use cpu or auto")
    return torch.device(wanted)


def native_precision(device: torch.device) -> Literal["bf16", "fp16", "fp32"]:
    """Return bf16 where the hardware computes it natively, else fp16 on CUDA, else fp32."""
    if device.type == "cuda":
        # Ampere is the first with bf16 units; older ones only emulate it.
        native = torch.cuda.get_device_capability(device)[0] >= 8
        return "bf16" if native else "fp16"
    if device.type == "cpu" and cpu_has_bf16():
        return "bf16"
    return "fp32"


def cpu_has_bf16() -> bool:
    """Tell whether the processor multiplies bf16 natively."""
    return processor().has_bf16


def memory_bytes(device: torch.device) -> int:
    """Return the memory of a device that is free now, in bytes; of the CPU, the RAM."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    available = psutil.virtual_memory().available
    # A container may be allowed less than the machine has.
    limit = Path("/sys/fs/cgroup/memory.max")
    allowed = limit.read_text().strip() if limit.is_file() else "max"
    return min(available, int(allowed)) if allowed.isdecimal() else available


def wait_for(device: torch.device) -> None:
    """Return when all that a device was told to do is done; a CPU does it at once."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


def release_memory(device: torch.device) -> None:
    """Give memory back that a device's allocator keeps for what comes next."""
    if device.type == "cuda":
        torch.cuda.empty_cache()


def keep_freed_memory() -> None:
    """Let the allocator of Linux keep what this process frees, instead of giving it back.

    A step of training on a CPU frees and takes gigabytes, and each page that comes back from the
    system costs a fault. Elsewhere, and with another allocator, this does nothing.
    """
    try:
        set_option = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):
        return
    set_option(_M_MMAP_MAX, 0)
    set_option(_M_TRIM_THRESHOLD, -1)


# Of <malloc.h>.
_M_TRIM_THRESHOLD = -1
_M_MMAP_MAX = -4


def allow_tf32() -> None:
    """Let GPUs of Ampere and later compute fp32 products in TF32, as convolutions are anyway.

    Where exactness counts, as in the loss, `exact_products` takes it back.
    """
    torch.set_float32_matmul_precision("high")
