"""The command line of the accuracy benchmarks: options, log, exit status."""

import argparse
import logging
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from machine import ROOT
from sceneparse.errors import InputError

RESULTS = ROOT / "benchmarks" / "results" / "accuracy"
# Overrides for `--quick`.
QUICK = (
    "transform={size: 32}",
    "inference.size=32",
    "training.epochs=1",
    "training.batch_size=4",
    "training.precision=fp32",
)
QUICK_IMAGES = ("--images", "12", "--validation", "4", "--width", "64", "--height", "48")


def parser(description: str | None, work: str) -> argparse.ArgumentParser:
    """Make a parser with the options that the benchmarks share.

    Args:
        description: Docstring of the benchmark, whose first line is the help.
        work: Name of the folder for unfinished runs below `runs`.
    """
    options = argparse.ArgumentParser(description=(description or "").partition("\n")[0])
    options.add_argument(
        "--data",
        type=Path,
        default=ROOT / "data" / "ADEChallengeData2016",
        help="folder in the layout of ADEChallengeData2016",
    )
    options.add_argument(
        "--work", type=Path, default=ROOT / "runs" / work, help="folder of runs and logs"
    )
    options.add_argument("--out", type=Path, default=RESULTS, help="folder of the JSON")
    options.add_argument(
        "--quick", action="store_true", help="tiny run on generated scenes, as a test"
    )
    return options


def prepare(options: argparse.Namespace) -> argparse.Namespace:
    """Make folders and log; with `--quick`, generate scenes."""
    options.work = options.work.resolve()
    if options.quick:
        options.work = options.work / "quick"
        options.data = options.work / "scenes"
        if options.out == RESULTS:
            options.out = options.work / "results"
    options.data, options.out = options.data.resolve(), options.out.resolve()
    options.work.mkdir(parents=True, exist_ok=True)
    handlers = [logging.StreamHandler(sys.stdout), logging.FileHandler(options.work / "log")]
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", handlers=handlers)
    if options.quick and not options.data.exists():
        command = ["-m", "sceneparse", "data", "synth", str(options.data), *QUICK_IMAGES]
        subprocess.run([sys.executable, *command], check=True, stdout=subprocess.DEVNULL)
    return options


def exit_status(work: Callable[[], bool]) -> int:
    """Do some work, and return the exit status.

    The status is 0 if all runs succeeded, 1 if a run failed, 2 for wrong input, 130 after an
    interruption.
    """
    # SIGTERM ends a run as Ctrl-C does: the run saves its state.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return 0 if work() else 1
    except InputError as error:
        logging.info("error: %s", error)
        return 2
    except KeyboardInterrupt:
        logging.info("interrupted; run the same command again to continue")
        return 130
