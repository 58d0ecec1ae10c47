"""One image as a process of its own: `sceneparse predict`, and a script with torch and timm.

Both start Python, load the bundled model and write the label map of one image; the script does
nothing else. Ours runs in an environment of its own with the extra `runtime`, without torch.
"""

import subprocess
import sys
import tempfile
import venv
from collections.abc import Callable
from pathlib import Path

from PIL import Image

from harness import Repeats, Side, alternate, parser
from machine import ROOT
from rows import Claim, report, speed
from sceneparse.scenes import draw_scene

NAME = "cold_start"
SCRIPT = """
import sys
import timm, torch
import torch.nn.functional as F
import numpy as np
from PIL import Image
from sceneparse.factory.torch_loading import find_weights, segmenter_of

segmenter = segmenter_of(find_weights("bundled"))
with Image.open(sys.argv[1]) as opened:
    image = opened.convert("RGB")
small = torch.from_numpy(np.array(image.resize((416, 416), Image.Resampling.BILINEAR)))
with torch.inference_mode():
    batch = torch.stack([small, small.flip(1)]).permute(0, 3, 1, 2)
    plain, flipped = segmenter(batch).softmax(dim=1)
    mean = (plain + flipped.flip(2))[None]
    labels = F.interpolate(mean, size=image.size[::-1], mode="bilinear").argmax(dim=1)[0]
Image.fromarray(labels.to(torch.uint8).numpy()).save(sys.argv[2])
"""


def ours(image: str, folder: str, program: str) -> Callable[[], int]:
    """Prepare a call of the command line."""
    command = [program, "predict", image, "--out", folder]
    command += ["--format", "mask", "--overwrite", "--runtime", "onnxruntime"]
    return lambda: subprocess.run(command, check=True, capture_output=True).returncode


def theirs(image: str, folder: str) -> Callable[[], int]:
    """Prepare a call of the script."""
    command = [sys.executable, "-c", SCRIPT, image, f"{folder}/theirs.png"]
    return lambda: subprocess.run(command, check=True, capture_output=True).returncode


def main() -> None:
    """Measure and report."""
    options = parser(__doc__).parse_args()
    quick: bool = options.quick
    folder = Path(tempfile.mkdtemp(prefix="sceneparse-bench-"))
    image = folder / "image.jpg"
    Image.fromarray(draw_scene(0, 0, 512, 683)[0]).save(image, quality=90)
    arguments = {"image": str(image), "folder": str(folder / "results")}
    (folder / "results").mkdir()
    program = Path(sys.executable).with_name("sceneparse") if quick else _installed(folder / "venv")
    sides = {
        "ours": Side("ours", {**arguments, "program": str(program)}),
        "theirs": Side("theirs", arguments),
    }
    runs = alternate(NAME, sides, Repeats(3, 1, 3), quick=quick)
    claim = Claim(benchmark=NAME, peer="script with torch and timm", metric="speed", min_ratio=5)
    report(NAME, [speed(claim, runs["ours"], runs["theirs"], quick=quick)], options)


def _installed(folder: Path) -> Path:
    """Install the extra `runtime` in a new environment, and return its command."""
    venv.create(folder, with_pip=True)
    command = [folder / "bin" / "python", "-m", "pip", "install", "--quiet"]
    constraints = ["-c", ROOT / "constraints.txt"]
    subprocess.run([*command, *constraints, f"{ROOT}[runtime]"], check=True)
    return folder / "bin" / "sceneparse"


if __name__ == "__main__":
    main()
