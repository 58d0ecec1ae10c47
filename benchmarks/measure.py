"""Measures one side of a benchmark in a process of its own: time and peak memory of its steps.

`harness.py` calls it with a JSON object and reads the result from the last line of its output.

Memory is the largest resident size of the process during the steps, warm-up included, minus its
size just before the first step. It excludes the interpreter, the libraries, the weights and the
inputs. Linux records the largest size (`VmHWM`) since the start of the process, and resets it when
5 is written to `clear_refs` (proc(5)), so the memory of the preparation does not count. On other
systems, `getrusage` returns the peak since the start, which is an upper bound.

On a GPU, memory is the largest size that PyTorch's allocator gave out, minus the size before the
first step. The clock is read after the device finished its work.
"""

import gc
import importlib
import json
import os
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

STATUS = Path("/proc/self/status")
CLEAR_REFS = Path("/proc/self/clear_refs")


def main() -> None:
    """Measure the side that the JSON object on the command line describes."""
    request = json.loads(sys.argv[1])
    module = importlib.import_module(request["module"])
    step = getattr(module, request["function"])(**request["arguments"])
    result = measured(step, request["warmup"], request["timed"])
    if request["count_flops"]:
        result["flops"] = counted_flops(step)
    # Only rank zero prints a result.
    if int(os.environ.get("RANK", "0")) == 0:
        print(json.dumps(result), flush=True)


def measured(
    step: Callable[[], Any], warmup: int, timed: int, device: str = "cpu"
) -> dict[str, Any]:
    """Run steps; return their seconds, their peak memory, and the last return value."""
    gc.collect()
    on_cuda = device == "cuda"
    before, exact = start_of_cuda_peak() if on_cuda else start_of_peak()
    seconds: list[float] = []
    value: float | None = None
    for _ in range(warmup + timed):
        start = time.perf_counter()
        output = step()
        if on_cuda:
            wait_for_cuda()
        seconds.append(time.perf_counter() - start)
        value = float(output) if isinstance(output, int | float) else None
        # Free the output of a step before the next one.
        del output
    return {
        "seconds": seconds[warmup:],
        "peak_bytes": (cuda_peak_bytes() if on_cuda else peak_bytes(exact=exact)) - before,
        "peak_is_exact": exact,
        "value": value,
    }


def start_of_peak() -> tuple[int, bool]:
    """Reset the peak; return the current size, and whether the reset was possible."""
    try:
        CLEAR_REFS.write_text("5")
        return _status_bytes("VmRSS"), True
    except (OSError, KeyError):
        return psutil.Process().memory_info().rss, False


def peak_bytes(*, exact: bool) -> int:
    """Return the largest resident size since `start_of_peak` or the start of the process."""
    if exact:
        return _status_bytes("VmHWM")
    # macOS counts in bytes, Linux in KiB.
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


# torch is imported inside functions, so that it takes no memory in measurements without it.
def start_of_cuda_peak() -> tuple[int, bool]:
    """Reset the peak; return the current size, and that the reset is possible."""
    import torch

    torch.cuda.synchronize()
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    return torch.cuda.memory_allocated(), True


def cuda_peak_bytes() -> int:
    """Return the largest allocated size since `start_of_cuda_peak`."""
    import torch

    return torch.cuda.max_memory_allocated()


def wait_for_cuda() -> None:
    """Wait until the GPU finished its work."""
    import torch

    torch.cuda.synchronize()


def counted_flops(step: Callable[[], Any]) -> int:
    """Count the floating-point operations of convolutions and matrix products in a step."""
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter:
        step()
    return counter.get_total_flops()


def _status_bytes(key: str) -> int:
    lines = dict(line.split(":", 1) for line in STATUS.read_text().splitlines() if ":" in line)
    return int(lines[key].split()[0]) * 1024


if __name__ == "__main__":
    main()
