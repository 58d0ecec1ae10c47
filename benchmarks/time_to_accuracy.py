"""How good a network is after some minutes: ours, and smp's U-Net in a plain PyTorch loop.

All have the same encoder with the same ImageNet weights, the same images and as many threads that
read them. Time is wall clock since the process was started, without the last scoring: the peers
stop after the step in which it is over; ours is a config with a fixed number of epochs, and where
it takes longer than it may, the table says so.
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

from accuracy.records import Record, known
from accuracy.runs import Bench, RunFailedError
from accuracy.sitting import QUICK, ended, parser, prepared
from machine import ROOT

NAME = "time_to_accuracy"
CONFIG = ROOT / "configs" / "ade20k" / "twenty_minutes.yaml"
PEER = Path(__file__).resolve().parent / "accuracy" / "peer.py"
MINUTES, QUICK_MINUTES = 20.0, 0.05
# The original recipe, and the one with what ours has but for its network, loss and schedule.
PEERS = {
    "smp": {"optimizer": "adam", "lr": 1e-3, "augmented": False},
    "smp_adamw": {"optimizer": "adamw", "lr": 1e-3, "augmented": True},
}
SIDES = ("ours", *PEERS)


@dataclass(frozen=True)
class Race:
    """What all sides are given.

    Attributes:
        bench: Config and folders.
        minutes: How long each may take.
        size: Side of the peer's images in pixels.
        batch_size: Images of the peer's steps.
    """

    bench: Bench
    minutes: float
    size: int = 256
    batch_size: int = 16

    def record(self, side: str, seed: int) -> Record:
        """Describe a run."""
        own = self.own if side == "ours" else ()
        words = ["sceneparse", "train", self.bench.config_name, *self.bench.overrides(own, seed)]
        asked = known(self.bench.asked(own, seed)) if side == "ours" else self.peer(side)
        return Record(
            benchmark=NAME,
            name=f"time_{side}",
            seed=seed,
            asked={"minutes": self.minutes, **asked},
            command=shlex.join(words) if side == "ours" else f"benchmarks/{NAME}.py",
        )

    @property
    def own(self) -> tuple[str, ...]:
        """Overrides of ours: the config is made for twenty minutes."""
        if self.minutes == MINUTES:
            return ()
        epochs = self.bench.asked((), 0).training.epochs
        return (f"training.epochs={max(1, int(epochs * self.minutes / MINUTES))}",)

    def peer(self, side: str) -> dict[str, Any]:
        """Return the recipe of a peer."""
        ours = self.bench.asked((), 0)
        threads = ours.training.threads
        # The peer's loss wants a mask as large as its logits, and has no images that grow.
        left_out = {"size", "progressive_resizing", "mask_stride"}
        changes = {
            key: value for key, value in asdict(ours.transform).items() if key not in left_out
        }
        return {
            "optimizer": PEERS[side]["optimizer"],
            "lr": PEERS[side]["lr"],
            "batch_size": self.batch_size,
            "threads": 2 if threads == "auto" else threads,
            "transform": {"size": self.size, **(changes if PEERS[side]["augmented"] else {})},
        }


def main() -> int:
    """Run what is not there yet."""
    options = parser(__doc__, NAME)
    options.add_argument("--minutes", type=float, default=MINUTES, help="that each may take")
    options.add_argument("--seeds", type=int, default=3, help="seeds of each: 0, 1, ...")
    options.add_argument("--sides", nargs="+", choices=SIDES, default=SIDES, help="which of them")
    chosen = options.parse_args()
    return ended(lambda: _run_all(prepared(chosen)))


def _run_all(options: argparse.Namespace) -> bool:
    """Run all sides in turn, and return whether all of them succeeded."""
    race = Race(Bench(CONFIG, options.data, options.work), options.minutes)
    if options.quick:
        race = Race(Bench(CONFIG, options.data, options.work, QUICK), QUICK_MINUTES, 32, 4)
    failed = False
    for seed in range(1 if options.quick else options.seeds):
        for side in options.sides:
            record = race.record(side, seed)
            if record.is_kept(options.out) or not _is_there(side):
                continue
            logging.info("%s, seed %d", side, seed)
            try:
                ran = ours if side == "ours" else theirs
                found = record.keep(options.out, *ran(race, side, seed))
                wall_s = found["run"]["wall_s"]
                logging.info("%s-%d: mIoU %.4f, %.0f s", side, seed, found["miou"], wall_s)
            except RunFailedError as error:
                logging.info("%s-%d failed: %s", side, seed, error)
                record.keep_failure(options.out, str(error))
                failed = True
    return not failed


def _is_there(side: str) -> bool:
    if side == "ours" or importlib.util.find_spec("segmentation_models_pytorch"):
        return True
    logging.info("%s: left out, segmentation_models_pytorch is not installed", side)
    return False


def ours(race: Race, _: str, seed: int) -> tuple[Path, Mapping[str, Any]]:
    """Train and score ours; return its score file and figures."""
    bench, name = race.bench, "time_ours"
    began = time.time()
    # What was interrupted says nothing of time.
    bench.train(name, race.own, seed, anew=True)
    wall_s = round(time.time() - began, 1)
    stored = bench.folder(name, seed).read_config().training
    steps = _last_step(bench.folder(name, seed).metrics)
    figures = {"steps": steps, "images_seen": steps * int(stored.batch_size), "wall_s": wall_s}
    return bench.evaluate(name, seed, name, ()), figures


def theirs(race: Race, side: str, seed: int) -> tuple[Path, Mapping[str, Any]]:
    """Train and score a peer; return its score file and figures."""
    bench, name = race.bench, f"time_{side}"
    folder = bench.folder(name, seed).path
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    scores, figures = folder / "scores.json", folder / "figures.json"
    began = time.time()
    request = {
        **race.peer(side),
        "data": str(bench.data),
        "seed": seed,
        "began": began,
        "until": began + 60 * race.minutes,
        "scores": str(scores),
        "figures": str(figures),
    }
    bench.run(name, seed, [str(PEER), json.dumps(request)])
    return scores, json.loads(figures.read_text(encoding="utf-8"))


def _last_step(metrics: Path) -> int:
    header, *_, last = metrics.read_text(encoding="utf-8").splitlines()
    return int(last.split(",")[header.split(",").index("step")])


if __name__ == "__main__":
    sys.exit(main())
