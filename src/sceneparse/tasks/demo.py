"""The demo: plan, train, evaluate and predict on generated scenes or on your own ADE20K."""

import time
from functools import partial
from pathlib import Path

from sceneparse.data.datasets.ade20k import ade20k
from sceneparse.planning.length import TooShortError
from sceneparse.recording.events import Callback, Message, ignore
from sceneparse.system.device import native_precision, select_device
from sceneparse.system.files import require_empty_folder
from sceneparse.tasks.evaluate import evaluate
from sceneparse.tasks.plan import Planned, plan
from sceneparse.tasks.predict import predict
from sceneparse.tasks.score import ScoreReport
from sceneparse.tasks.synth import write_scenes
from sceneparse.tasks.train import train

_SCENES = {"training": 240, "validation": 30}
_SCENE_SIZE = (192, 256)
# Seconds of the planned run, by the native precision; processors without bf16 are slower.
_TRAINING_S = {"bf16": 110, "fp16": 110, "fp32": 180}
_IMAGES_TO_SEGMENT = 4
# With fewer images of a split, its batches or scores would mean nothing.
_MIN_IMAGES = 16


def demo(
    data: Path | None = None, out: Path = Path("demo"), callback: Callback = ignore
) -> ScoreReport:
    """Plan a run from the bundled model on scenes or your own images, train, evaluate, predict.

    Args:
        data: A folder in the layout of `ADEChallengeData2016`; none for generated scenes.
        out: New folder for everything that the demo writes.
        callback: Called with each event.

    Raises:
        InputError: If the folder is not empty, or the data set has faults.
        KeyboardInterrupt: If a signal stops the training; its run can be resumed.
    """
    start = time.perf_counter()
    require_empty_folder(out, "out")
    root = data or out / "scenes"
    if data is None:
        callback(Message("1. scenes: generate images with exact masks"))
        write_scenes(root, _SCENES, _SCENE_SIZE, 0, callback)
    seconds = _TRAINING_S[native_precision(select_device())]
    callback(Message(f"2. plan: fit a run to the images in {root}, this machine and {seconds} s"))
    planned = plan_within(seconds, root, out / "plan.yaml", callback)
    callback(Message("3. train: fine-tune the bundled model"))
    run = train(planned.config, out=out / "run", callback=callback)
    if not run.is_finished:
        raise KeyboardInterrupt
    callback(Message("4. evaluate: score it on the validation images"))
    report = evaluate(run.folder, callback=callback)
    report.write(run.files.scores)
    callback(Message("5. predict: segment images"))
    images = ade20k(root, "validation").images[:_IMAGES_TO_SEGMENT]
    predict(images, out=out / "predictions", model=run.folder, callback=callback)
    callback(Message(f"done in {time.perf_counter() - start:.0f} s"))
    return report


def plan_within(seconds: float, root: Path, out: Path, callback: Callback = ignore) -> Planned:
    """Plan a run of about so many seconds, with fewer images where all of them take too long.

    A slow or busy machine may need longer for few images as well, and takes that time.

    Args:
        seconds: How long the training should take.
        root: A folder in the layout of `ADEChallengeData2016`.
        out: The config file to write.
        callback: Called with each event.

    Raises:
        TooShortError: If the machine becomes much slower meanwhile.
    """
    hours = seconds / 3600
    fitted = partial(plan, root, weights="bundled", out=out, callback=callback)
    try:
        return fitted(hours=hours)
    except TooShortError as error:
        # Half of the images that would fit: a machine that is busy now may be busier later.
        share = hours / error.hours / 2
    counts = {
        split: max(_MIN_IMAGES, int(share * len(ade20k(root, split))))
        for split in ("training", "validation")
    }
    callback(
        Message(
            f"all images take too long on this machine: {counts['training']} are trained on, and "
            f"{counts['validation']} validated on"
        )
    )
    limits = [f"data.{split}_limit={count}" for split, count in counts.items()]
    try:
        return fitted(hours=hours, overrides=limits)
    except TooShortError as error:
        hours = 2 * error.hours
    callback(Message(f"even so, the training takes about {60 * hours:.0f} minutes"))
    return fitted(hours=hours, overrides=limits)
