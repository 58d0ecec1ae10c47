"""One side of a benchmark in a process of its own: prepare, warm up, time, read the peak memory.

Called by `harness.py` with a JSON object; the last line that it prints is the answer.

Memory is the largest resident size of the process while the steps run, the warm-up included, less
its size just before the first step: what the work takes, without the interpreter, the libraries,
the weights and the inputs. Linux keeps the largest size (`VmHWM`) since the start of the process,
and forgets it when 5 is written to `clear_refs` (proc(5)); so what was needed only to prepare does
not count. Where that is not to be had, `getrusage` gives the peak since the start, which can only
be too large, and larger for the side whose preparation is larger.

On a GPU it is what PyTorch's allocator has handed out at most, less what it had before the first
step, and the clock is read when the device has done all that it was told.
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
    """Measure what the JSON object on the command line asks for."""
    request = json.loads(sys.argv[1])
    module = importlib.import_module(request["module"])
    step = getattr(module, request["function"])(**request["arguments"])
    answer = measured(step, request["warmup"], request["timed"])
    if request["count_flops"]:
        answer["flops"] = counted_flops(step)
    # Of several processes that step together, one speaks.
    if int(os.environ.get("RANK", "0")) == 0:
        print(json.dumps(answer), flush=True)


def measured(
    step: Callable[[], Any], warmup: int, timed: int, device: str = "cpu"
) -> dict[str, Any]:
    """Do steps and return their seconds, the memory that they took, and what the last returned."""
    gc.collect()
    on_cuda = device == "cuda"
    before, exact = start_of_cuda_peak() if on_cuda else start_of_peak()
    seconds: list[float] = []
    value: float | None = None
    for _ in range(warmup + timed):
        start = time.perf_counter()
        result = step()
        if on_cuda:
            wait_for_cuda()
        seconds.append(time.perf_counter() - start)
        value = float(result) if isinstance(result, int | float) else None
        # What a step returns must not be in memory during the next.
        del result
    return {
        "seconds": seconds[warmup:],
        "peak_bytes": (cuda_peak_bytes() if on_cuda else peak_bytes(exact=exact)) - before,
        "peak_is_exact": exact,
        "value": value,
    }


def start_of_peak() -> tuple[int, bool]:
    """Forget the largest size so far; return the size now, and whether forgetting was possible."""
    try:
        CLEAR_REFS.write_text("5")
        return _status_bytes("VmRSS"), True
    except (OSError, KeyError):
        return psutil.Process().memory_info().rss, False


def peak_bytes(*, exact: bool) -> int:
    """Return the largest resident size since `start_of_peak`, or since the start of the process."""
    if exact:
        return _status_bytes("VmHWM")
    # macOS counts in bytes, Linux in KiB.
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


# torch is imported where it is needed: its size must not be in what is measured without it.
def start_of_cuda_peak() -> tuple[int, bool]:
    """Forget the largest amount so far; return the amount now, and that forgetting is possible."""
    import torch

    torch.cuda.synchronize()
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    return torch.cuda.memory_allocated(), True


def cuda_peak_bytes() -> int:
    """Return the largest amount since `start_of_cuda_peak`."""
    import torch

    return torch.cuda.max_memory_allocated()


def wait_for_cuda() -> None:
    """Return when the GPU has done all that it was told."""
    import torch

    torch.cuda.synchronize()


def counted_flops(step: Callable[[], Any]) -> int:
    """Count the floating-point operations of the convolutions and products of one step."""
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter:
        step()
    return counter.get_total_flops()


def _status_bytes(key: str) -> int:
    lines = dict(line.split(":", 1) for line in STATUS.read_text().splitlines() if ":" in line)
    return int(lines[key].split()[0]) * 1024


if __name__ == "__main__":
    main()
