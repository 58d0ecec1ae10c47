"""The whole job on data that are drawn on the spot, or on the user's own ADE20K."""

import time
from dataclasses import replace
from importlib import resources
from pathlib import Path

from sceneparse.config import RunConfig
from sceneparse.config.reading import parse_config
from sceneparse.data.dataset import PairedFiles
from sceneparse.data.datasets.ade20k import Ade20kData, ade20k
from sceneparse.errors import InputError
from sceneparse.tasks.evaluate import evaluate
from sceneparse.tasks.events import Callback, Message, ignore
from sceneparse.tasks.predict import predict_files, results_of
from sceneparse.tasks.score import ScoreReport
from sceneparse.tasks.synth import write_scenes
from sceneparse.tasks.train import train

SCENES = {"training": 480, "validation": 60}
SCENE_SIZE = (192, 256)
# Images of the user's own that the few minutes of a demo are enough for.
IMAGES_TO_PARSE = 4


def demo(data: Path | None, out: Path, callback: Callback = ignore) -> ScoreReport:
    """Make or take data, train, evaluate, predict and draw.

    Args:
        data: A folder like `ADEChallengeData2016`; none for generated scenes.
        out: New folder for everything.
        callback: Called with each event.

    Raises:
        InputError: If the folder holds something already, or the data are not as they should be.
    """
    start = time.perf_counter()
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"{out}: is not empty; remove it, or choose another folder", "out")
    root = data or out / "scenes"
    if data is None:
        callback(Message("1. scenes: drawing images with exact masks"))
        write_scenes(root, SCENES, SCENE_SIZE, 0, callback)
    config = demo_config(root)
    callback(Message(f"2. train: a U-Net on the images in {root}"))
    run = train(config, out=out / "run", callback=callback)
    if not run.is_finished:
        raise KeyboardInterrupt
    callback(Message("3. evaluate: on images it has not seen"))
    report = evaluate(run.folder, callback=callback)
    report.write(out / "scores.json")
    callback(Message("4. predict: segment images and draw the classes"))
    files = list(_validation_files(root)[:IMAGES_TO_PARSE])
    results = results_of(files, out / "predictions", overwrite=False)
    for paths, _ in predict_files(run.load(), files, results):
        callback(Message(f"   {paths.overlay}"))
    callback(Message(f"done in {time.perf_counter() - start:.0f} s"))
    return report


def demo_config(root: Path) -> RunConfig:
    """Return the config that the demo trains, on data in a folder."""
    text = (resources.files("sceneparse") / "assets" / "demo.yaml").read_text(encoding="utf-8")
    data = Ade20kData(
        root=root,
        training_limit=SCENES["training"],
        validation_limit=SCENES["validation"],
    )
    return replace(parse_config(text, "demo.yaml"), data=data)


def _validation_files(root: Path) -> tuple[Path, ...]:
    pairs: PairedFiles = ade20k(root, "validation")
    return pairs.images
