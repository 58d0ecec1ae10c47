"""Ours and a peer in turn, each in a process of its own.

A benchmark is a file of this folder with functions that prepare a step: `ours(...)` and
`theirs(...)`. `alternate` runs them in turn, round after round, so that a machine that slows down
slows both.

With `--device` the rounds go on in this process, on that device, whose own counter tells the peak:
a GPU takes seconds to start. Both sides are prepared anew in each round.
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
        function: Name of the function that prepares the step, in the file of the benchmark.
        arguments: What it is called with; JSON.
        units: How many of the things that times are quoted for are done in a step.
        needs: Package without which this side is left out.
        processes: How many step together, by torchrun.
        count_flops: Whether to count the operations of a step, in the first round.
        environment: Variables of its process.
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
    """How often: rounds of processes, and steps in each, of which the first do not count."""

    rounds: int = 3
    warmup: int = 1
    timed: int = 5


@dataclass(frozen=True)
class Runs:
    """What was measured of a side.

    Attributes:
        seconds: Per unit; one list per round.
        peaks: Bytes; one per round.
        peak_is_exact: Whether the peak is that of the steps alone.
        values: What the last step returned; one per round.
        flops: Operations of a step, where they were counted.
    """

    seconds: Sequence[Sequence[float]]
    peaks: Sequence[int]
    peak_is_exact: bool
    values: Sequence[Any]
    flops: int | None

    @property
    def median_s(self) -> float:
        """Median over all steps."""
        return statistics.median(second for part in self.seconds for second in part)

    @property
    def fastest_s(self) -> float:
        """The fastest of all steps."""
        return min(second for part in self.seconds for second in part)

    @property
    def peak_mb(self) -> float:
        """Median over rounds, in 10⁶ bytes."""
        return statistics.median(self.peaks) / 1e6

    @property
    def repeats(self) -> int:
        """Number of steps timed."""
        return sum(len(part) for part in self.seconds)


def parser(description: str | None) -> argparse.ArgumentParser:
    """Make the options that every benchmark has."""
    options = argparse.ArgumentParser(description=(description or "").partition("\n")[0])
    options.add_argument(
        "--quick", action="store_true", help="tiny sizes, to see that it works; nothing is held"
    )
    options.add_argument(
        "--out", type=Path, help="folder of the JSON (default: benchmarks/results; none if quick)"
    )
    options.add_argument(
        "--device",
        help="cuda or cpu: all in one process there, with peers under automatic mixed precision in "
        "bf16; nothing is held (default: on the CPU, each side in a process of its own)",
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
    """Run the sides in turn and return what was measured of each whose package is installed."""
    if quick:
        repeats = Repeats(rounds=1, warmup=0, timed=1)
    present = {name: side for name, side in sides.items() if _is_there(side)}
    answers: dict[str, list[dict[str, Any]]] = {name: [] for name in present}
    for number in range(repeats.rounds):
        for name, side in present.items():
            print(f"{benchmark}: {name}, {number + 1} of {repeats.rounds}", file=sys.stderr)
            answers[name].append(
                _answer(benchmark, side, repeats, first=number == 0)
                if device is None
                else _answer_here(benchmark, side, repeats, device)
            )
    return {name: _runs(present[name], parts) for name, parts in answers.items()}


def _is_there(side: Side) -> bool:
    if side.needs is None or importlib.util.find_spec(side.needs) is not None:
        return True
    print(f"{side.function}: left out, {side.needs} is not installed", file=sys.stderr)
    return False


def _answer(benchmark: str, side: Side, repeats: Repeats, *, first: bool) -> dict[str, Any]:
    """Run a side once, in a process of its own.

    Raises:
        SystemExit: If it fails; its own message has been printed.
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


def _answer_here(benchmark: str, side: Side, repeats: Repeats, device: str) -> dict[str, Any]:
    """Run a side once, in this process and on a device."""
    prepare = getattr(importlib.import_module(benchmark), side.function)
    step = prepare(**side.arguments, device=device)
    answer = measured(step, repeats.warmup, repeats.timed, device)
    # The weights of this side must not be in memory when the other's are made.
    del step
    gc.collect()
    return answer


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def _runs(side: Side, answers: Sequence[Mapping[str, Any]]) -> Runs:
    return Runs(
        seconds=[[second / side.units for second in part["seconds"]] for part in answers],
        peaks=[part["peak_bytes"] for part in answers],
        peak_is_exact=all(part["peak_is_exact"] for part in answers),
        values=[part["value"] for part in answers],
        flops=answers[0].get("flops"),
    )
