"""What the benchmarks of accuracy have in common when they are started: options, log, an end."""

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
# Of the config that a benchmark starts from, to see that it works.
QUICK = (
    "transform={size: 32}",
    "inference.size=32",
    "training.epochs=1",
    "training.batch_size=4",
    "training.precision=fp32",
)
QUICK_IMAGES = ("--images", "12", "--validation", "4", "--width", "64", "--height", "48")


def parser(description: str | None, work: str) -> argparse.ArgumentParser:
    """Make the options that both have.

    Args:
        description: Of the benchmark; the first line is shown.
        work: Folder of unfinished work below `runs`.
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
        "--quick", action="store_true", help="tiny, on generated scenes, to see that it works"
    )
    return options


def prepared(options: argparse.Namespace) -> argparse.Namespace:
    """Make folders and log; generate scenes where the benchmark is only tried."""
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


def ended(work: Callable[[], bool]) -> int:
    """Do some work, and return the exit status.

    0 where all of it succeeded, 1 where a run failed, 2 for a mistake of the user's, 130 if
    interrupted.
    """
    # A termination ends a run as Ctrl-C does: it saves its state.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return 0 if work() else 1
    except InputError as error:
        logging.info("error: %s", error)
        return 2
    except KeyboardInterrupt:
        logging.info("interrupted; the same command goes on from here")
        return 130
