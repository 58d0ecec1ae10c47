"""Runs ours and a peer in turn, each in a process of its own.

A benchmark is a file of this folder with functions that prepare a step: `ours(...)` and
`theirs(...)`. `alternate` runs them in turn, round after round, so that a machine that slows down
slows both.

With `--device`, the rounds run in this process on that device, because a GPU takes seconds to
start. The allocator of the device counts the peak memory. Each round prepares both sides again.
"""

import argparse
import gc
import importlib
import importlib.util
import json
import os
import socket
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from machine import ROOT
from measure import measured

MEASURE = Path(__file__).resolve().parent / "measure.py"


@dataclass(frozen=True)
class Side:
    """One side of a comparison.

    Attributes:
        function: Name of the function in the benchmark's file that prepares the step.
        arguments: Keyword arguments of the function, as JSON values.
        units: Units of work per step; times are per unit.
        needs: Package that this side needs; the side is skipped if it is not installed.
        processes: Number of processes, started by torchrun.
        count_flops: Count the operations of a step in the first round.
        environment: Environment variables of the process.
    """

    function: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    units: float = 1
    needs: str | None = None
    processes: int = 1
    count_flops: bool = False
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Repeats:
    """Number of rounds, and of warm-up and timed steps in each."""

    rounds: int = 3
    warmup: int = 1
    timed: int = 5


@dataclass(frozen=True)
class Runs:
    """Measurements of a side.

    Attributes:
        seconds: Seconds per unit of each step; one list per round.
        peaks: Peak memory in bytes; one per round.
        peak_is_exact: Whether the peak excludes the preparation of the steps.
        values: Return value of the last step; one per round.
        flops: Operations of a step, if they were counted.
    """

    seconds: Sequence[Sequence[float]]
    peaks: Sequence[int]
    peak_is_exact: bool
    values: Sequence[Any]
    flops: int | None

    @property
    def median_s(self) -> float:
        """Median of the seconds per unit over all steps."""
        return statistics.median(second for part in self.seconds for second in part)

    @property
    def fastest_s(self) -> float:
        """Seconds per unit of the fastest step."""
        return min(second for part in self.seconds for second in part)

    @property
    def peak_mb(self) -> float:
        """Median of the peaks over rounds, in 10⁶ bytes."""
        return statistics.median(self.peaks) / 1e6

    @property
    def repeats(self) -> int:
        """Number of timed steps."""
        return sum(len(part) for part in self.seconds)


def parser(description: str | None) -> argparse.ArgumentParser:
    """Make a parser with the options of every benchmark."""
    options = argparse.ArgumentParser(description=(description or "").partition("\n")[0])
    options.add_argument(
        "--quick", action="store_true", help="tiny sizes, as a test; no ratio is checked"
    )
    options.add_argument(
        "--out", type=Path, help="folder of the JSON (default: benchmarks/results; none if quick)"
    )
    options.add_argument(
        "--device",
        help="cuda or cpu: all in one process there, with peers under automatic mixed precision in "
        "bf16; no ratio is checked (default: on the CPU, each side in a process of its own)",
    )
    return options


def alternate(
    benchmark: str,
    sides: Mapping[str, Side],
    repeats: Repeats,
    *,
    quick: bool,
    device: str | None = None,
) -> dict[str, Runs]:
    """Run the sides in turn, and return the measurements of those whose package is installed."""
    if quick:
        repeats = Repeats(rounds=1, warmup=0, timed=1)
    present = {name: side for name, side in sides.items() if _is_installed(side)}
    results: dict[str, list[dict[str, Any]]] = {name: [] for name in present}
    for number in range(repeats.rounds):
        for name, side in present.items():
            print(f"{benchmark}: {name}, {number + 1} of {repeats.rounds}", file=sys.stderr)
            results[name].append(
                _measure_in_process(benchmark, side, repeats, first=number == 0)
                if device is None
                else _measure_here(benchmark, side, repeats, device)
            )
    return {name: _runs(present[name], parts) for name, parts in results.items()}


def _is_installed(side: Side) -> bool:
    if side.needs is None or importlib.util.find_spec(side.needs) is not None:
        return True
    print(f"{side.function}: skipped, {side.needs} is not installed", file=sys.stderr)
    return False


def _measure_in_process(
    benchmark: str, side: Side, repeats: Repeats, *, first: bool
) -> dict[str, Any]:
    """Run a side once in a process of its own.

    Raises:
        SystemExit: If the process fails, after it printed its own message.
    """
    request = {
        "module": benchmark,
        "function": side.function,
        "arguments": dict(side.arguments),
        "warmup": repeats.warmup,
        "timed": repeats.timed,
        "count_flops": side.count_flops and first,
    }
    launcher: list[str] = []
    if side.processes > 1:
        launcher = ["-m", "torch.distributed.run", "--nproc-per-node", str(side.processes)]
        launcher += ["--master-addr", "127.0.0.1", "--master-port", str(_free_port())]
    done = subprocess.run(
        [sys.executable, *launcher, str(MEASURE), json.dumps(request)],
        cwd=ROOT,
        env={**os.environ, **side.environment},
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(f"{benchmark}: `{side.function}` failed with exit status {done.returncode}")
    return json.loads(done.stdout.splitlines()[-1])


def _measure_here(benchmark: str, side: Side, repeats: Repeats, device: str) -> dict[str, Any]:
    """Run a side once in this process on a device."""
    prepare = getattr(importlib.import_module(benchmark), side.function)
    step = prepare(**side.arguments, device=device)
    result = measured(step, repeats.warmup, repeats.timed, device)
    # Free the weights of this side before the other side is prepared.
    del step
    gc.collect()
    return result


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def _runs(side: Side, results: Sequence[Mapping[str, Any]]) -> Runs:
    return Runs(
        seconds=[[second / side.units for second in part["seconds"]] for part in results],
        peaks=[part["peak_bytes"] for part in results],
        peak_is_exact=all(part["peak_is_exact"] for part in results),
        values=[part["value"] for part in results],
        flops=results[0].get("flops"),
    )
