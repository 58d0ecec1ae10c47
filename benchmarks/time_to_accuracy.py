"""Accuracy after a fixed time: sceneparse, and smp's U-Net in a plain PyTorch loop.

All sides have the same encoder with the same ImageNet weights, the same images and the same number
of reading threads. Time is wall-clock time since the start of the process, without the final
evaluation. The peers stop after the step in which it is over. Ours is a config with a fixed number
of epochs; if it exceeds the time, the table says so.
"""

import argparse
import importlib.util
import json
import logging
import shlex
import shutil
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from accuracy.command_line import QUICK, exit_status, parser, prepare
from accuracy.records import Record, config_without_paths
from accuracy.runs import RunFailedError, Runner
from machine import ROOT

NAME = "time_to_accuracy"
CONFIG = ROOT / "configs" / "ade20k" / "twenty_minutes.yaml"
PEER = Path(__file__).resolve().parent / "accuracy" / "peer.py"
MINUTES, QUICK_MINUTES = 20.0, 0.05
# The original recipe, and ours except for network, loss and schedule.
PEERS = {
    "smp": {"optimizer": "adam", "lr": 1e-3, "augmented": False},
    "smp_adamw": {"optimizer": "adamw", "lr": 1e-3, "augmented": True},
}
SIDES = ("ours", *PEERS)


@dataclass(frozen=True)
class Race:
    """The conditions that all sides share.

    Attributes:
        runner: Config and folders.
        minutes: Time for each side.
        size: Side of the peer's images in pixels.
        batch_size: Images per step of the peer.
    """

    runner: Runner
    minutes: float
    size: int = 256
    batch_size: int = 16

    def record(self, side: str, seed: int) -> Record:
        """Return the record of a run."""
        overrides = self.our_overrides if side == "ours" else ()
        command = [
            "sceneparse",
            "train",
            self.runner.config_name,
            *self.runner.all_overrides(overrides, seed),
        ]
        settings = (
            config_without_paths(self.runner.config_of_run(overrides, seed))
            if side == "ours"
            else self.peer(side)
        )
        return Record(
            benchmark=NAME,
            name=f"time_{side}",
            seed=seed,
            settings={"minutes": self.minutes, **settings},
            command=shlex.join(command) if side == "ours" else f"benchmarks/{NAME}.py",
        )

    @property
    def our_overrides(self) -> tuple[str, ...]:
        """Overrides that scale the epochs of our config from twenty minutes."""
        if self.minutes == MINUTES:
            return ()
        epochs = self.runner.config_of_run((), 0).training.epochs
        return (f"training.epochs={max(1, int(epochs * self.minutes / MINUTES))}",)

    def peer(self, side: str) -> dict[str, Any]:
        """Return the recipe of a peer."""
        ours = self.runner.config_of_run((), 0)
        threads = ours.training.threads
        # The peer's loss needs masks of the size of its logits, and its images have a fixed size.
        excluded = {"size", "progressive_resizing", "mask_stride"}
        changes = {
            key: value for key, value in asdict(ours.transform).items() if key not in excluded
        }
        return {
            "optimizer": PEERS[side]["optimizer"],
            "lr": PEERS[side]["lr"],
            "batch_size": self.batch_size,
            "threads": 2 if threads == "auto" else threads,
            "transform": {"size": self.size, **(changes if PEERS[side]["augmented"] else {})},
        }


def main() -> int:
    """Run the sides that have no stored result."""
    options = parser(__doc__, NAME)
    options.add_argument("--minutes", type=float, default=MINUTES, help="time for each side")
    options.add_argument("--seeds", type=int, default=3, help="number of seeds: 0, 1, ...")
    options.add_argument(
        "--sides", nargs="+", choices=SIDES, default=SIDES, help="sides to run (default: all)"
    )
    chosen = options.parse_args()
    return exit_status(lambda: _run_all(prepare(chosen)))


def _run_all(options: argparse.Namespace) -> bool:
    """Run all sides in turn, and return whether all runs succeeded."""
    race = Race(Runner(CONFIG, options.data, options.work), options.minutes)
    if options.quick:
        race = Race(Runner(CONFIG, options.data, options.work, QUICK), QUICK_MINUTES, 32, 4)
    failed = False
    for seed in range(1 if options.quick else options.seeds):
        for side in options.sides:
            record = race.record(side, seed)
            if record.is_stored(options.out) or not _is_installed(side):
                continue
            logging.info("%s, seed %d", side, seed)
            try:
                run = ours if side == "ours" else theirs
                found = record.store(options.out, *run(race, side, seed))
                wall_s = found["run"]["wall_s"]
                logging.info("%s-%d: mIoU %.4f, %.0f s", side, seed, found["miou"], wall_s)
            except RunFailedError as error:
                logging.info("%s-%d failed: %s", side, seed, error)
                record.store_failure(options.out, str(error))
                failed = True
    return not failed


def _is_installed(side: str) -> bool:
    if side == "ours" or importlib.util.find_spec("segmentation_models_pytorch"):
        return True
    logging.info("%s: skipped, segmentation_models_pytorch is not installed", side)
    return False


def ours(race: Race, _: str, seed: int) -> tuple[Path, Mapping[str, Any]]:
    """Train and score sceneparse; return the score file and further figures."""
    runner, name = race.runner, "time_ours"
    began = time.time()
    # The time of an interrupted run is unknown.
    runner.train(name, race.our_overrides, seed, restart=True)
    wall_s = round(time.time() - began, 1)
    stored = runner.folder(name, seed).read_config().training
    steps = _last_step(runner.folder(name, seed).metrics)
    figures = {"steps": steps, "images_seen": steps * int(stored.batch_size), "wall_s": wall_s}
    return runner.evaluate(name, seed, name, ()), figures


def theirs(race: Race, side: str, seed: int) -> tuple[Path, Mapping[str, Any]]:
    """Train and score a peer; return the score file and further figures."""
    runner, name = race.runner, f"time_{side}"
    folder = runner.folder(name, seed).path
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    scores, figures = folder / "scores.json", folder / "figures.json"
    began = time.time()
    request = {
        **race.peer(side),
        "data": str(runner.data),
        "seed": seed,
        "began": began,
        "until": began + 60 * race.minutes,
        "scores": str(scores),
        "figures": str(figures),
    }
    runner.run(name, seed, [str(PEER), json.dumps(request)])
    return scores, json.loads(figures.read_text(encoding="utf-8"))


def _last_step(metrics: Path) -> int:
    header, *_, last = metrics.read_text(encoding="utf-8").splitlines()
    return int(last.split(",")[header.split(",").index("step")])


if __name__ == "__main__":
    sys.exit(main())
