"""JPEG files of 683×512 to label maps of their size: our Lite0 U-Net, and smp's.

Both decode, stretch to 416×416, run a U-Net over EfficientNet-Lite0 with 150 classes, and upsample
to the size of the file. The peer runs `smp.Unet` with its defaults in eager mode, `F.interpolate`
and `argmax`.
"""

import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

from exported import exported
from harness import Repeats, Side, alternate, parser
from rows import Claim, memory, report, speed
from sceneparse.factory.loading import load
from sceneparse.scenes import draw_scene
from training import MEAN, STD

NAME = "infer_lite0"
CLASSES = 150


def ours(model: str, files: list[str], runtime: str) -> Callable[[], float]:
    """Prepare label maps of files by an exported model."""
    predictor = load(model, runtime=runtime)
    return lambda: float(sum(int(predictor.label_map(file)[0, 0]) for file in files))


def theirs(files: list[str], side: int) -> Callable[[], float]:
    """Prepare label maps of files by `smp.Unet`."""
    import segmentation_models_pytorch as smp

    torch.manual_seed(0)
    network = smp.Unet("tu-tf_efficientnet_lite0", encoder_weights=None, classes=CLASSES).eval()

    def label_map(file: str) -> np.ndarray:
        with Image.open(file) as opened:
            image = opened.convert("RGB")
        small = np.asarray(image.resize((side, side), Image.Resampling.BILINEAR))
        batch = (torch.from_numpy(small.copy()).permute(2, 0, 1)[None] - MEAN) / STD
        logits = F.interpolate(network(batch), size=image.size[::-1], mode="bilinear")
        return logits.argmax(dim=1)[0].to(torch.uint8).numpy()

    def step() -> float:
        with torch.inference_mode():
            return float(sum(int(label_map(file)[0, 0]) for file in files))

    return step


def main() -> None:
    """Measure and report."""
    options = parser(__doc__).parse_args()
    quick: bool = options.quick
    side = 64 if quick else 416
    _, model = exported("lite0", side)
    folder = Path(tempfile.mkdtemp(prefix="sceneparse-bench-"))
    files = [str(folder / f"{index}.jpg") for index in range(1 if quick else 8)]
    for index, file in enumerate(files):
        Image.fromarray(draw_scene(0, index, 512, 683)[0]).save(file, quality=90)
    sides = {
        runtime: Side("ours", {"model": model, "files": files, "runtime": runtime}, len(files))
        for runtime in ("onnxruntime", "auto")
    }
    sides["theirs"] = Side(
        "theirs", {"files": files, "side": side}, len(files), "segmentation_models_pytorch"
    )
    runs = alternate(NAME, sides, Repeats(3, 1, 3), quick=quick)
    claim = {"benchmark": NAME, "peer": "smp.Unet, F.interpolate, argmax"}
    fastest = min(("onnxruntime", "auto"), key=lambda name: runs[name].median_s)
    rows = []
    for name in ("onnxruntime", "auto"):
        is_best = name == fastest
        time = Claim(**claim, metric=f"speed, {name}", min_ratio=5 if is_best else None)
        space = Claim(**claim, metric=f"memory, {name}", min_ratio=3.3 if is_best else None)
        rows.append(speed(time, runs[name], runs.get("theirs"), quick=quick))
        rows.append(memory(space, runs[name], runs.get("theirs"), quick=quick))
    report(NAME, rows, options)


if __name__ == "__main__":
    main()
