"""Own images: the accuracy of plans, from the bundled model or from ImageNet weights.

The images lie in a folder of a user's layout. There are generated scenes, another domain than
photos, once with the class names of ADE20K and once with other names. And there are images of
ADE20K from its validation set, on which the bundled model was not trained. Both initial weights
have the same time; each plan is made right before its training run.
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

from accuracy.command_line import exit_status, parser, prepare
from accuracy.records import Record
from accuracy.runs import RunFailedError, Runner
from sceneparse.config.reading import read_config
from sceneparse.data.datasets.ade20k import ade20k
from sceneparse.labels import ade20k_labels
from sceneparse.system.yaml_text import write_yaml

NAME = "own_data"
NAMES = ("shared", "other", "photos")
STARTS = ("bundled", "imagenet")
# Training images of ADE20K per validation image.
TRAINING_PER_VALIDATION = 3
# Training images, validation images, width, height; minutes of a run.
SCENES, MINUTES = (400, 100, 320, 240), (3.0, 6.0)
QUICK_SCENES, QUICK_MINUTES = (16, 4, 64, 48), (1.0,)


@dataclass(frozen=True)
class Trial:
    """A plan and its training run.

    Attributes:
        names: Images and class names: `shared` for scenes with the names of ADE20K, `other` for
            scenes with other names, `photos` for images of ADE20K.
        start: Initial weights.
        seed: Seed of the run.
        minutes: Time for the run.
        scenes: Training images, validation images, width, height.
    """

    names: str
    start: str
    seed: int
    minutes: float
    scenes: tuple[int, ...]

    @property
    def name(self) -> str:
        """Name of its files, without the seed."""
        return f"own_{self.names}_{self.start}_{self.minutes:g}"

    @property
    def record(self) -> Record:
        """The record of the run."""
        settings = {"minutes": self.minutes, "scenes": list(self.scenes)}
        settings |= {"names": self.names, "weights": self.start}
        return Record(NAME, self.name, self.seed, settings, f"benchmarks/{NAME}.py")


def main() -> int:
    """Run the trials that have no stored result."""
    options = parser(__doc__, NAME)
    options.add_argument(
        "--minutes", type=float, nargs="+", default=MINUTES, help="times for a run in minutes"
    )
    options.add_argument("--seeds", type=int, default=3, help="number of seeds: 0, 1, ...")
    options.add_argument(
        "--names",
        choices=NAMES,
        nargs="+",
        default=NAMES,
        help="images and class names (default: all)",
    )
    chosen = options.parse_args()
    return exit_status(lambda: run_all(prepare(chosen)))


def run_all(options: Any) -> bool:
    """Run the trials that have no stored result, and return whether all succeeded."""
    scenes, minutes = SCENES, options.minutes
    if options.quick:
        scenes, minutes, options.seeds = QUICK_SCENES, QUICK_MINUTES, 1
    failed = False
    image_counts: dict[str, tuple[int, ...]] = {}
    for names in options.names:
        if names == "photos":
            image_counts[names] = link_ade20k_images(options.work / names, options.data)
        else:
            draw_scenes(options.work / names, names, scenes)
            image_counts[names] = scenes
    trials = itertools.product(range(options.seeds), minutes, image_counts, STARTS)
    for seed, run_minutes, names, start in trials:
        root = options.work / names
        trial = Trial(names, start, seed, run_minutes, image_counts[names])
        if trial.record.is_stored(options.out):
            continue
        logging.info("%s, seed %d", trial.name, seed)
        try:
            found = trial.record.store(options.out, *plan_and_train(trial, root, options.work))
            logging.info("mIoU %.4f, %.0f s", found["miou"], found["run"]["wall_s"])
        except RunFailedError as error:
            logging.info("failed: %s", error)
            trial.record.store_failure(options.out, str(error))
            failed = True
    return not failed


def plan_and_train(trial: Trial, root: Path, work: Path) -> tuple[Path, Mapping[str, Any]]:
    """Make a plan, train it, and score it; return the score file and further figures."""
    config = work / f"{trial.name}-{trial.seed}.yaml"
    config.unlink(missing_ok=True)
    runner = Runner(config, root, work)
    hours = f"{trial.minutes / 60:.6f}"
    command = ["plan", str(root), "--hours", hours, "--weights", trial.start, "--out", str(config)]
    runner.run(trial.name, trial.seed, ["-m", "sceneparse", *command])
    began = time.monotonic()
    runner.train(trial.name, (), trial.seed, restart=True)
    wall_s = round(time.monotonic() - began, 1)
    settings = read_config(config)
    figures = {
        "wall_s": wall_s,
        "epochs": settings.training.epochs,
        "size": settings.transform.size,
        "encoder": getattr(settings.model, "encoder", ""),
    }
    return runner.evaluate(trial.name, trial.seed, trial.name, ()), figures


def draw_scenes(root: Path, names: str, scenes: tuple[int, ...]) -> None:
    """Draw scenes in the layout of a user's folder, unless they exist.

    Args:
        root: Folder to write.
        names: `shared` for the class names of ADE20K, `other` for other names.
        scenes: Training images, validation images, width, height.
    """
    if (root / "labels.yaml").is_file():
        return
    options = [f"--{name}" for name in ("images", "validation", "width", "height")]
    sizes = [word for pair in zip(options, map(str, scenes), strict=True) for word in pair]
    command = [sys.executable, "-m", "sceneparse", "data", "synth", str(root), *sizes]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    masks = (root / "annotations").rename(root / "masks")
    write_labels(root, masks.rglob("*.png"), named=names == "shared")


def link_ade20k_images(root: Path, ade20k_root: Path) -> tuple[int, ...]:
    """Link the validation images of ADE20K in the layout of a user's folder.

    Args:
        root: Folder to write; an existing one is replaced.
        ade20k_root: A folder in the layout of ADE20K.

    Returns:
        Training images, validation images, median width, median height.

    Raises:
        InputError: If `ade20k_root` has another layout.
    """
    files = ade20k(ade20k_root, "validation")
    shutil.rmtree(root, ignore_errors=True)
    for kind, paths in (
        ("images", files.images),
        ("masks", [each.path for each in files.annotations]),
    ):
        for number, path in enumerate(paths):
            split = "training" if (number + 1) % (TRAINING_PER_VALIDATION + 1) else "validation"
            (root / kind / split).mkdir(parents=True, exist_ok=True)
            (root / kind / split / path.name).symlink_to(path)
    write_labels(root, [each.path for each in files.annotations], named=True)
    sizes = np.median([Image.open(path).size for path in files.images], axis=0)
    validation = len(files) // (TRAINING_PER_VALIDATION + 1)
    return len(files) - validation, validation, *map(int, sizes)


def write_labels(root: Path, masks: Iterable[Path], *, named: bool) -> None:
    """Write `labels.yaml` for the classes in masks of ADE20K; id 0 is void.

    Args:
        root: Folder of the data set.
        masks: The masks.
        named: Use the class names of ADE20K; else other names.
    """
    found = {int(id_) for path in masks for id_ in np.unique(np.array(Image.open(path)))}
    names = ade20k_labels().class_names
    classes = {id_: names[id_ - 1] if named else f"thing {id_}" for id_ in sorted(found - {0})}
    document = {"classes": classes, "ignored_ids": [0]}
    (root / "labels.yaml").write_text(write_yaml(document), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
