"""Runs checks of a GPU, and writes a line of JSON for each; `gpu.py` starts it.

A check returns a figure and its limit. References are definitions in float64 on the same device, or
the same code on the CPU.
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
from gpu_common import CheckContext, CheckSkipped
from machine import ROOT

CHECKS = {**vars(gpu_maths), **vars(gpu_networks), **vars(gpu_runs)}


def main() -> None:
    """Run the named checks, and add a line to the file after each."""
    options = argparse.ArgumentParser()
    options.add_argument("--device", default="cpu")
    options.add_argument("--quick", action="store_true")
    options.add_argument("--to", type=Path, required=True)
    options.add_argument("names", nargs="*")
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for name in chosen.names:
            check_folder = Path(folder) / name
            check_folder.mkdir()
            print(f"check {name}", flush=True)
            result = _run_check(
                name, CheckContext(torch.device(chosen.device), chosen.quick, check_folder)
            )
            with chosen.to.open("a", encoding="utf-8") as file:
                file.write(json.dumps(result) + "\n")
            if chosen.device == "cuda" and not _context_works():
                os._exit(gpu.RESTART)


def _run_check(name: str, context: CheckContext) -> dict[str, Any]:
    start = time.perf_counter()
    check = CHECKS[name]
    document: dict[str, Any] = {"name": name, "promise": check.__doc__}
    document |= {"figure": None, "limit": None, "reason": "", "note": ""}
    try:
        result = check(context)
        passed = result.figure <= result.limit
        document |= {"status": "pass" if passed else "FAIL", **result._asdict()}
        if not math.isfinite(result.figure):
            document |= {"figure": None, "note": f"not finite; {result.note}"}
    except CheckSkipped as reason:
        document |= {"status": "skip", "note": str(reason)}
    except BaseException:
        # The other checks run after any error.
        traceback.print_exc()
        note = traceback.format_exc().strip().replace(str(ROOT), ".")
        document |= {"status": "error", "note": note[-1500:]}
    return {**document, "seconds": round(time.perf_counter() - start, 2)}


def _context_works() -> bool:
    """Return whether CUDA still works; after some errors it fails until the process ends."""
    try:
        torch.cuda.synchronize()
        torch.ones(1, device="cuda").item()
    except RuntimeError:
        return False
    torch.cuda.empty_cache()
    return True


if __name__ == "__main__":
    main()
