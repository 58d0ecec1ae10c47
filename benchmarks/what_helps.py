"""What helps: one change at a time to a small recipe, scored on training images held out.

Each run is kept as one JSON file and not made again; one that was interrupted is gone on with.
Without names all changes of `accuracy/questions.py` are run, in their order. `results_table.py`
writes what came out to `docs/results.md`.
"""

import argparse
import logging
import shlex
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from accuracy.held_out import held_out_view
from accuracy.questions import BASE, CHANGES, Change
from accuracy.records import Record, known
from accuracy.runs import Bench, RunFailedError, Stopwatch, training_seconds
from accuracy.sitting import QUICK, ended, parser, prepared
from machine import ROOT

NAME = "what_helps"
CONFIG = ROOT / "configs" / "ade20k" / "ablation.yaml"
HELD_OUT, QUICK_HELD_OUT = 200, 4
QUICK_CHANGES = ("no_ema", "flip")


def main() -> int:
    """Run what is not there yet."""
    options = parser(__doc__, NAME)
    options.add_argument("--seeds", type=int, default=1, help="seeds of each: 0, 1, ...")
    options.add_argument("--hours", type=float, help="start nothing after so many")
    options.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(CHANGES)}")
    chosen = options.parse_args()
    unknown = set(chosen.names) - CHANGES.keys()
    if unknown:
        options.error(f"no such change: {', '.join(sorted(unknown))}")
    return ended(lambda: run_all(prepared(chosen)))


def planned(names: Sequence[str], seeds: int) -> Iterator[tuple[Change, int]]:
    """Yield what is to be run, first what matters most; the base is what all are compared with."""
    changes = [change for change in CHANGES.values() if not names or change.name in names]
    for seed in range(seeds):
        for change in (BASE, *changes):
            yield change, seed


def record_of(bench: Bench, change: Change, seed: int) -> Record:
    """Describe a run."""
    words = ["sceneparse", "train", bench.config_name, *bench.overrides(change.overrides, seed)]
    return Record(
        benchmark=NAME,
        name=change.name,
        seed=seed,
        asked=known(bench.asked(change.overrides, seed)),
        command=shlex.join(words),
    )


def answer(bench: Bench, change: Change, seed: int, results: Path) -> float:
    """Train and score, keep what came out, and return the mIoU.

    Raises:
        RunFailedError: If a command fails.
    """
    trained = change if change.trains else BASE
    # Nothing is left to do where the base was trained before.
    bench.train(trained.name, trained.overrides, seed)
    own = () if change.trains else change.overrides
    watch = Stopwatch()
    scores = bench.evaluate(trained.name, seed, change.name, own)
    figures = {
        "training_s": round(training_seconds(bench.folder(trained.name, seed)), 1),
        "evaluation_s": watch.seconds(),
    }
    return record_of(bench, change, seed).keep(results, scores, figures)["miou"]


def run_all(options: argparse.Namespace) -> bool:
    """Run what is planned and not there yet, and return whether all of it succeeded."""
    view = options.work / "images"
    held_out_view(options.data, view, QUICK_HELD_OUT if options.quick else HELD_OUT)
    bench = Bench(CONFIG, view, options.work, QUICK if options.quick else ())
    names = options.names or (QUICK_CHANGES if options.quick else ())
    plan = [
        (change, seed)
        for change, seed in planned(names, options.seeds)
        if not record_of(bench, change, seed).is_kept(options.out)
    ]
    logging.info("%d runs to be made", len(plan))
    until = time.monotonic() + 3600 * (options.hours or float("inf"))
    failed: list[str] = []
    for number, (change, seed) in enumerate(plan):
        if time.monotonic() > until:
            logging.info("the time is over; %d runs are left for the next time", len(plan) - number)
            break
        logging.info("%d of %d: %s, seed %d", number + 1, len(plan), change.name, seed)
        if not answered(bench, change, seed, options.out):
            failed.append(f"{change.name}-{seed}")
    if failed:
        logging.info("failed: %s; the logs are in %s", ", ".join(failed), options.work)
    return not failed


def answered(bench: Bench, change: Change, seed: int, results: Path) -> bool:
    """Do it, and return whether it succeeded; a failure is kept and told, and nothing else."""
    watch = Stopwatch()
    try:
        miou = answer(bench, change, seed, results)
    except RunFailedError as error:
        logging.info("%s-%d failed: %s", change.name, seed, error)
        record_of(bench, change, seed).keep_failure(results, str(error))
        return False
    logging.info("%s-%d: mIoU %.4f, %.0f s", change.name, seed, miou, watch.seconds())
    return True


if __name__ == "__main__":
    sys.exit(main())
