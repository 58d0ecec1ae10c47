"""Own images: what `plan` makes of them untouched, from the model of the package or ImageNet.

The images lie in a folder of the user's kind. They are generated scenes, another domain than
photos: once their classes have the names that ADE20K gives them, once others. And they are photos
with the classes of ADE20K: its validation images, which the model of the package has not learned.
Both starts are given the same times; each plan is made right before it is trained.
"""

import itertools
import logging
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from accuracy.records import Record
from accuracy.runs import Bench, RunFailedError
from accuracy.sitting import ended, parser, prepared
from sceneparse.config.reading import read_config
from sceneparse.data.datasets.ade20k import ade20k
from sceneparse.labels import ade20k_labels
from sceneparse.system.yaml_text import write_yaml

NAME = "own_data"
NAMES = ("shared", "other", "photos")
STARTS = ("bundled", "imagenet")
# Of photos to train on there are so many for each to validate on.
PHOTOS_EACH = 3
# Images to train on and to validate on, width, height; minutes of a run.
SCENES, MINUTES = (400, 100, 320, 240), (3.0, 6.0)
QUICK_SCENES, QUICK_MINUTES = (16, 4, 64, 48), (1.0,)


@dataclass(frozen=True)
class Trial:
    """A plan and the run that comes of it.

    Attributes:
        names: `shared` with ADE20K, or `other`; `photos` are shared too.
        start: What it starts from.
        seed: Of the run.
        minutes: That it may take.
        scenes: What it learns: images to train on and to validate on, width, height.
    """

    names: str
    start: str
    seed: int
    minutes: float
    scenes: tuple[int, ...]

    @property
    def name(self) -> str:
        """Name of its files, but for the seed."""
        return f"own_{self.names}_{self.start}_{self.minutes:g}"

    @property
    def record(self) -> Record:
        """What is kept of it."""
        asked = {"minutes": self.minutes, "scenes": list(self.scenes)}
        asked |= {"names": self.names, "weights": self.start}
        return Record(NAME, self.name, self.seed, asked, f"benchmarks/{NAME}.py")


def main() -> int:
    """Run what is not there yet."""
    options = parser(__doc__, NAME)
    options.add_argument(
        "--minutes", type=float, nargs="+", default=MINUTES, help="of a run; each has its rows"
    )
    options.add_argument("--seeds", type=int, default=3, help="seeds of each: 0, 1, ...")
    options.add_argument(
        "--names", choices=NAMES, nargs="+", default=NAMES, help="what is learned (default: all)"
    )
    chosen = options.parse_args()
    return ended(lambda: run_all(prepared(chosen)))


def run_all(options: Any) -> bool:
    """Run what is not there yet, in turn, and return whether all of it succeeded."""
    scenes, minutes = SCENES, options.minutes
    if options.quick:
        scenes, minutes, options.seeds = QUICK_SCENES, QUICK_MINUTES, 1
    failed = False
    learned: dict[str, tuple[int, ...]] = {}
    for names in options.names:
        if names == "photos":
            learned[names] = folder_of_photos(options.work / names, options.data)
        else:
            folder_of_scenes(options.work / names, names, scenes)
            learned[names] = scenes
    of_all = itertools.product(range(options.seeds), minutes, learned, STARTS)
    for seed, given, names, start in of_all:
        root = options.work / names
        trial = Trial(names, start, seed, given, learned[names])
        if trial.record.is_kept(options.out):
            continue
        logging.info("%s, seed %d", trial.name, seed)
        try:
            found = trial.record.keep(options.out, *planned(trial, root, options.work))
            logging.info("mIoU %.4f, %.0f s", found["miou"], found["run"]["wall_s"])
        except RunFailedError as error:
            logging.info("failed: %s", error)
            trial.record.keep_failure(options.out, str(error))
            failed = True
    return not failed


def planned(trial: Trial, root: Path, work: Path) -> tuple[Path, Mapping[str, Any]]:
    """Plan, train what was planned, and score it; return the score file and figures."""
    config = work / f"{trial.name}-{trial.seed}.yaml"
    config.unlink(missing_ok=True)
    bench = Bench(config, root, work)
    hours = f"{trial.minutes / 60:.6f}"
    command = ["plan", str(root), "--hours", hours, "--weights", trial.start, "--out", str(config)]
    bench.run(trial.name, trial.seed, ["-m", "sceneparse", *command])
    began = time.monotonic()
    bench.train(trial.name, (), trial.seed, anew=True)
    wall_s = round(time.monotonic() - began, 1)
    asked = read_config(config)
    figures = {
        "wall_s": wall_s,
        "epochs": asked.training.epochs,
        "size": asked.transform.size,
        "encoder": getattr(asked.model, "encoder", ""),
    }
    return bench.evaluate(trial.name, trial.seed, trial.name, ()), figures


def folder_of_scenes(root: Path, names: str, scenes: tuple[int, ...]) -> None:
    """Draw scenes, once, and put them as people have their own images.

    Args:
        root: Where.
        names: `shared` for the names that ADE20K has for their classes, `other` for others.
        scenes: How many to train on and to validate on, and how wide and high.
    """
    if (root / "labels.yaml").is_file():
        return
    options = [f"--{name}" for name in ("images", "validation", "width", "height")]
    sizes = [word for pair in zip(options, map(str, scenes), strict=True) for word in pair]
    command = [sys.executable, "-m", "sceneparse", "data", "synth", str(root), *sizes]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    masks = (root / "annotations").rename(root / "masks")
    write_labels(root, masks.rglob("*.png"), named=names == "shared")


def folder_of_photos(root: Path, ade20k_root: Path) -> tuple[int, ...]:
    """Link the validation images of ADE20K, anew, as people have their own images.

    Args:
        root: Where.
        ade20k_root: A folder in its layout.

    Returns:
        How many to train on and to validate on, and their median width and height.

    Raises:
        InputError: If the images are not as they should be.
    """
    files = ade20k(ade20k_root, "validation")
    shutil.rmtree(root, ignore_errors=True)
    for kind, paths in (("images", files.images), ("masks", files.masks)):
        for number, path in enumerate(paths):
            split = "training" if (number + 1) % (PHOTOS_EACH + 1) else "validation"
            (root / kind / split).mkdir(parents=True, exist_ok=True)
            (root / kind / split / path.name).symlink_to(path)
    write_labels(root, files.masks, named=True)
    sizes = np.median([Image.open(path).size for path in files.images], axis=0)
    validation = len(files) // (PHOTOS_EACH + 1)
    return len(files) - validation, validation, *map(int, sizes)


def write_labels(root: Path, masks: Iterable[Path], *, named: bool) -> None:
    """Name the classes that are in masks of ADE20K, of which 0 is no class.

    Args:
        root: The folder whose classes they are.
        masks: The masks.
        named: Whether they have the names that ADE20K gives them, or others.
    """
    found = {int(id_) for path in masks for id_ in np.unique(np.array(Image.open(path)))}
    names = ade20k_labels().class_names
    classes = {id_: names[id_ - 1] if named else f"thing {id_}" for id_ in sorted(found - {0})}
    document = {"classes": classes, "ignored_ids": [0]}
    (root / "labels.yaml").write_text(write_yaml(document), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
