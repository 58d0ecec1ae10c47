"""Runs checks of a GPU, a line of JSON for each; `gpu.py` starts it.

A check returns a figure and the limit that it must not pass. References are definitions in float64
on the same device, or the same code on the CPU.
"""

import argparse
import json
import math
import os
import tempfile
import time
import traceback
from pathlib import Path
from typing import Any

import torch

import gpu
import gpu_maths
import gpu_networks
import gpu_runs
from gpu_common import Here, Skipped
from machine import ROOT

CHECKS = {**vars(gpu_maths), **vars(gpu_networks), **vars(gpu_runs)}


def main() -> None:
    """Run the checks that are named, and add a line to the file after each."""
    options = argparse.ArgumentParser()
    options.add_argument("--device", default="cpu")
    options.add_argument("--quick", action="store_true")
    options.add_argument("--to", type=Path, required=True)
    options.add_argument("names", nargs="*")
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for name in chosen.names:
            place = Path(folder) / name
            place.mkdir()
            print(f"check {name}", flush=True)
            answer = _answer(name, Here(torch.device(chosen.device), chosen.quick, place))
            with chosen.to.open("a", encoding="utf-8") as file:
                file.write(json.dumps(answer) + "\n")
            if chosen.device == "cuda" and not _context_works():
                os._exit(gpu.RESTART)


def _answer(name: str, here: Here) -> dict[str, Any]:
    start = time.perf_counter()
    check = CHECKS[name]
    answer: dict[str, Any] = {"name": name, "promise": check.__doc__}
    answer |= {"figure": None, "limit": None, "reason": "", "note": ""}
    try:
        found = check(here)
        is_good = found.figure <= found.limit
        answer |= {"status": "pass" if is_good else "FAIL", **found._asdict()}
        if not math.isfinite(found.figure):
            answer |= {"figure": None, "note": f"no number; {found.note}"}
    except Skipped as reason:
        answer |= {"status": "skip", "note": str(reason)}
    except BaseException:
        # Whatever it is, the others are to go on.
        traceback.print_exc()
        note = traceback.format_exc().strip().replace(str(ROOT), ".")
        answer |= {"status": "error", "note": note[-1500:]}
    return {**answer, "seconds": round(time.perf_counter() - start, 2)}


def _context_works() -> bool:
    """Tell whether CUDA still answers: after some errors it does not until the process ends."""
    try:
        torch.cuda.synchronize()
        torch.ones(1, device="cuda").item()
    except RuntimeError:
        return False
    torch.cuda.empty_cache()
    return True


if __name__ == "__main__":
    main()
