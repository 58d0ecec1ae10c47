"""Ablation: one change at a time to a small recipe, scored on held-out training images.

Each result is stored as a JSON file, and its run is not repeated; an interrupted run is resumed.
Without names, all changes of `accuracy/questions.py` run in their order. `results_table.py` writes
the results to `docs/results.md`.
"""

import argparse
import logging
import shlex
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from accuracy.command_line import QUICK, exit_status, parser, prepare
from accuracy.held_out import held_out_dataset
from accuracy.questions import BASE, CHANGES, Change
from accuracy.records import Record, config_without_paths
from accuracy.runs import RunFailedError, Runner, Stopwatch, training_seconds
from machine import ROOT

NAME = "what_helps"
CONFIG = ROOT / "configs" / "ade20k" / "ablation.yaml"
HELD_OUT, QUICK_HELD_OUT = 200, 4
QUICK_CHANGES = ("no_ema", "flip")


def main() -> int:
    """Run the changes that have no stored result."""
    options = parser(__doc__, NAME)
    options.add_argument("--seeds", type=int, default=1, help="number of seeds: 0, 1, ...")
    options.add_argument("--hours", type=float, help="start no run after this time")
    options.add_argument(
        "names",
        nargs="*",
        metavar="NAME",
        help=f"changes to run, of {', '.join(CHANGES)} (default: all)",
    )
    chosen = options.parse_args()
    unknown = set(chosen.names) - CHANGES.keys()
    if unknown:
        options.error(
            f"found unknown changes {', '.join(sorted(unknown))}; see --help for the list"
        )
    return exit_status(lambda: run_all(prepare(chosen)))


def planned_runs(names: Sequence[str], seeds: int) -> Iterator[tuple[Change, int]]:
    """Yield changes and seeds in the order in which they run, the base first."""
    changes = [change for change in CHANGES.values() if not names or change.name in names]
    for seed in range(seeds):
        for change in (BASE, *changes):
            yield change, seed


def record_of(runner: Runner, change: Change, seed: int) -> Record:
    """Return the record of a run."""
    command = [
        "sceneparse",
        "train",
        runner.config_name,
        *runner.all_overrides(change.overrides, seed),
    ]
    return Record(
        benchmark=NAME,
        name=change.name,
        seed=seed,
        settings=config_without_paths(runner.config_of_run(change.overrides, seed)),
        command=shlex.join(command),
    )


def train_and_score(runner: Runner, change: Change, seed: int, results: Path) -> float:
    """Train and score, store the result, and return the mIoU.

    Raises:
        RunFailedError: If a command fails.
    """
    trained = change if change.trains else BASE
    # Does nothing if the base was trained before.
    runner.train(trained.name, trained.overrides, seed)
    overrides = () if change.trains else change.overrides
    watch = Stopwatch()
    scores = runner.evaluate(trained.name, seed, change.name, overrides)
    figures = {
        "training_s": round(training_seconds(runner.folder(trained.name, seed)), 1),
        "evaluation_s": watch.seconds(),
    }
    return record_of(runner, change, seed).store(results, scores, figures)["miou"]


def run_all(options: argparse.Namespace) -> bool:
    """Run what has no stored result, and return whether all runs succeeded."""
    view = options.work / "images"
    held_out_dataset(options.data, view, QUICK_HELD_OUT if options.quick else HELD_OUT)
    runner = Runner(CONFIG, view, options.work, QUICK if options.quick else ())
    names = options.names or (QUICK_CHANGES if options.quick else ())
    plan = [
        (change, seed)
        for change, seed in planned_runs(names, options.seeds)
        if not record_of(runner, change, seed).is_stored(options.out)
    ]
    logging.info("%d runs to do", len(plan))
    until = time.monotonic() + 3600 * (options.hours or float("inf"))
    failed: list[str] = []
    for number, (change, seed) in enumerate(plan):
        if time.monotonic() > until:
            logging.info("the time is over; %d runs are left", len(plan) - number)
            break
        logging.info("%d of %d: %s, seed %d", number + 1, len(plan), change.name, seed)
        if not run_change(runner, change, seed, options.out):
            failed.append(f"{change.name}-{seed}")
    if failed:
        logging.info("failed: %s; the logs are in %s", ", ".join(failed), options.work)
    return not failed


def run_change(runner: Runner, change: Change, seed: int, results: Path) -> bool:
    """Run a change, and return whether it succeeded; store and log a failure."""
    watch = Stopwatch()
    try:
        miou = train_and_score(runner, change, seed, results)
    except RunFailedError as error:
        logging.info("%s-%d failed: %s", change.name, seed, error)
        record_of(runner, change, seed).store_failure(results, str(error))
        return False
    logging.info("%s-%d: mIoU %.4f, %.0f s", change.name, seed, miou, watch.seconds())
    return True


if __name__ == "__main__":
    sys.exit(main())
