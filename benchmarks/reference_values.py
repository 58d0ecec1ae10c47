"""Reference values of three short runs, predictions and scores, to the last bit.

To prove that a refactoring changes no number, write them before (`--write FILE`) and compare them
after (`--compare FILE`), on the same machine, because other processors round differently.
"""

import argparse
import hashlib
import json
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from safetensors.numpy import load_file

from machine import ROOT

DATA = ROOT.parent / "shared" / "ade20k"
EXACT = (
    "training.device=cpu",
    "training.compile=off",
    "training.memory_format=channels_last",
    "training.threads=2",
)
SHORT = (
    f"data.root={DATA}",
    "data.training_limit=24",
    "data.validation_limit=8",
    "training.epochs=2",
    "training.batch_size=4",
    "transform.size=128",
    "inference.size=128",
    "report.every=2",
)
CLASSIC = (str(ROOT / "configs/ade20k/unet_narrow.yaml"), *EXACT, *SHORT, "training.precision=fp32")
LITE0 = (
    str(ROOT / "configs/ade20k/lite0.yaml"),
    *EXACT,
    *SHORT,
    "training.precision=bf16",
    "training.ema=0.9",
    "transform.copy_paste=0.5",
    "loss.class_weights={kind: median_frequency, power: 0.35, min: 0.35, max: 3.0}",
)
PREDICTED = 20


def main() -> None:
    """Write the values, or compare them with a file."""
    options = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    mode = options.add_mutually_exclusive_group(required=True)
    mode.add_argument("--write", type=Path, metavar="FILE", help="write the values")
    mode.add_argument("--compare", type=Path, metavar="FILE", help="compare with written values")
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = values(Path(folder))
    if chosen.write:
        chosen.write.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
        return
    expected = json.loads(chosen.compare.read_text(encoding="utf-8"))
    differing = [name for name in expected if found.get(name) != expected[name]]
    for name in differing:
        print(f"{name}:\n  expected {expected[name]}\n  found    {found.get(name)}")
    print(f"{len(differing)} of {len(expected)} reference values differ")
    sys.exit(bool(differing))


def values(folder: Path) -> dict[str, Any]:
    """Compute all values in an empty folder."""
    run_command(folder, "train", *CLASSIC, "--out", "classic")
    run_command(folder, "train", *LITE0, "--out", "lite0")
    interrupted(folder, "train", *CLASSIC, "--out", "resumed")
    run_command(folder, "train", *CLASSIC, "--out", "resumed", "--resume")
    images, masks = (folder / name for name in ("images", "masks"))
    for target, kind in ((images, "images"), (masks, "annotations")):
        target.mkdir()
        for path in sorted((DATA / kind / "validation").iterdir())[:PREDICTED]:
            shutil.copy(path, target)
    run_command(folder, "predict", images, "--out", "predictions")
    run_command(folder, "score", "predictions", masks, "--json", "scores.json")
    return {
        **{
            f"{run} {name}": value
            for run in ("classic", "lite0", "resumed")
            for name, value in run_values(folder / run).items()
        },
        "masks": [pixels_hash(path) for path in index_maps(folder / "predictions")],
        "scores": score_values(folder / "scores.json"),
    }


def run_command(folder: Path, *arguments: str | Path) -> None:
    """Run a sceneparse command."""
    subprocess.run(command(*arguments), cwd=folder, check=True, stdout=subprocess.DEVNULL)


def interrupted(folder: Path, *arguments: str | Path) -> None:
    """Run a training command, and interrupt it after its first epoch."""
    process = subprocess.Popen(command(*arguments), cwd=folder, stdout=subprocess.DEVNULL)
    while not (folder / "resumed" / "metrics.csv").exists():
        if process.poll() is not None:
            raise RuntimeError(f"{arguments}: ended before its first epoch")
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    process.wait()


def command(*arguments: str | Path) -> list[str]:
    """Return the argument list of a sceneparse command in this environment."""
    return [sys.executable, "-m", "sceneparse", *map(str, arguments)]


def run_values(run: Path) -> dict[str, Any]:
    """Read the table rows, and digests of the weights and of the last drawing.

    Names of columns and tensors are left out, so that a refactoring may change them.
    """
    tensors = load_file(run / "model.safetensors").values()
    _, *rows = (run / "metrics.csv").read_text(encoding="utf-8").splitlines()
    return {
        "metrics": rows,
        "weights": digest("".join(sorted(digest(tensor.tobytes()) for tensor in tensors))),
        "drawing": pixels_hash(run / "predictions_final.png"),
    }


def score_values(path: Path) -> dict[str, Any]:
    """Read the four scores of a score file, and a digest of those of each class."""
    document = json.loads(path.read_text(encoding="utf-8"))
    figures = {key: document[key] for key in ("miou", "pixel_accuracy", "mean_accuracy", "fwiou")}
    return figures | {"per_class": digest(json.dumps(document["per_class"]))}


def index_maps(folder: Path) -> list[Path]:
    """List the masks among the files that `predict` wrote."""
    return sorted(path for path in folder.glob("*.png") if not path.stem.endswith("_color"))


def pixels_hash(path: Path) -> str:
    """Hash the pixels of an image."""
    with Image.open(path) as image:
        return digest(np.asarray(image).tobytes())


def digest(content: str | bytes) -> str:
    """Hash text or bytes to 16 hexadecimal digits."""
    raw = content.encode() if isinstance(content, str) else content
    return hashlib.sha256(raw).hexdigest()[:16]


if __name__ == "__main__":
    main()
