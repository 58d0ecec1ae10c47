"""Selection of the device, its precision, and its memory."""

import ctypes
from typing import Literal

import psutil
import torch

from sceneparse.errors import InputError
from sceneparse.system.memory_limit import cgroup_free_bytes
from sceneparse.system.processor import processor


def select_device(requested: str = "auto") -> torch.device:
    """Return the requested device; for `auto`, CUDA, else MPS, else the CPU.

    Raises:
        InputError: If the device is unknown or not available.
    """
    available_by_kind = {"cuda": torch.cuda.is_available, "mps": torch.backends.mps.is_available}
    if requested == "auto":
        requested = next(
            (kind for kind, is_available in available_by_kind.items() if is_available()), "cpu"
        )
    kind, colon, index = requested.partition(":")
    if kind != "cpu" and kind not in available_by_kind:
        raise InputError(f"device {requested}: unknown; use auto, cpu, cuda, cuda:1 or mps")
    if kind in available_by_kind and not available_by_kind[kind]():
        raise InputError(f"device {requested}: not available on this machine; use cpu or auto")
    device_count = torch.cuda.device_count() if kind == "cuda" else 1
    if colon and not (index.isdecimal() and int(index) < device_count):
        raise InputError(
            f"device {requested}: this machine has {device_count} of {kind}; count from 0"
        )
    return torch.device(requested)


def native_precision(device: torch.device) -> Literal["bf16", "fp16", "fp32"]:
    """Return bf16 if the hardware supports it natively, else fp16 on CUDA and fp32 elsewhere."""
    if device.type == "cuda":
        # GPUs older than Ampere only emulate bf16.
        native = torch.cuda.get_device_capability(device)[0] >= 8
        return "bf16" if native else "fp16"
    if device.type == "cpu" and cpu_has_bf16():
        return "bf16"
    return "fp32"


def cpu_has_bf16() -> bool:
    """Return whether the processor has native bf16 multiplication."""
    return processor().has_bf16


def memory_bytes(device: torch.device) -> int:
    """Return the free memory of a device in bytes.

    For CUDA, what PyTorch's allocator holds unused does not count as free; `release_memory` gives
    it back. For the CPU, and for MPS, which shares it, this is the available RAM of the system.
    """
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    available = psutil.virtual_memory().available
    # The limit of a container may be below the memory of the machine.
    return int(min(available, cgroup_free_bytes()))


def synchronize(device: torch.device) -> None:
    """Wait until a device has finished its queued work; the CPU has no queue."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


def release_memory(device: torch.device) -> None:
    """Release the unused memory that the allocator of a device holds."""
    if device.type == "cuda":
        torch.cuda.empty_cache()
    elif device.type == "mps":
        torch.mps.empty_cache()


def keep_freed_memory() -> None:
    """Make the allocator of Linux keep freed memory instead of returning it to the system.

    A training step on a CPU frees and allocates gigabytes, and each page that the system hands out
    again costs a page fault. On other systems and with other allocators this has no effect.
    """
    try:
        set_option = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):
        return
    set_option(_M_MMAP_MAX, 0)
    set_option(_M_TRIM_THRESHOLD, -1)


# Constants of <malloc.h>.
_M_TRIM_THRESHOLD = -1
_M_MMAP_MAX = -4


def allow_tf32() -> None:
    """Allow TF32 in fp32 matrix products on GPUs from Ampere on; convolutions use it by default.

    `exact_products` disables it where precision matters, as in the loss.
    """
    torch.set_float32_matmul_precision("high")
