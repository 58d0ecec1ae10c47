"""Logits of one image of 256×256 by the classic U-Net: exported forms, and PyTorch as it is.

The peer is the same network in fp32, contiguous, without autocast and without compilation.
"""

from collections.abc import Callable

import torch

import material
from exported import exported
from harness import Repeats, Side, alternate, parser
from rows import Claim, report, speed
from sceneparse.factory.loading import load
from sceneparse.factory.torch_loading import find_weights, segmenter_of
from sceneparse.system.processor import processor

NAME = "infer_classic"


def ours(model: str, side: int, runtime: str) -> Callable[[], float]:
    """Prepare the logits of an exported file."""
    network = load(model, runtime=runtime).network
    image = material.batch(1, side, side, 150).image
    return lambda: float(network.logits(image)[0, 0, 0, 0])


def theirs(weights: str, side: int) -> Callable[[], float]:
    """Prepare the logits of the network in eager mode."""
    segmenter = segmenter_of(find_weights(weights)).to_memory_format(torch.contiguous_format)
    network = segmenter.network
    image = torch.randn(1, 3, side, side, generator=torch.Generator().manual_seed(0))

    def step() -> float:
        with torch.inference_mode():
            return float(network(image)[0, 0, 0, 0])

    return step


def main() -> None:
    """Measure and report."""
    options = parser(__doc__).parse_args()
    quick: bool = options.quick
    side = 64 if quick else 256
    weights, model = exported("unet_narrow" if quick else "unet", side)
    runtimes = ("onnxruntime", "openvino:fp32", "openvino:bf16")
    sides = {
        runtime: Side("ours", {"model": model, "side": side, "runtime": runtime})
        for runtime in runtimes[: 3 if processor().has_bf16 else 2]
    }
    sides["theirs"] = Side("theirs", {"weights": weights, "side": side})
    runs = alternate(NAME, sides, Repeats(3, 3, 10), quick=quick)
    claim = {"benchmark": NAME, "peer": "the same network in PyTorch eager, fp32"}
    fp32 = min(("onnxruntime", "openvino:fp32"), key=lambda name: runs[name].median_s)
    rows = [
        speed(
            Claim(**claim, metric=f"speed, {name}", min_ratio=1.2 if name == fp32 else None),
            runs[name],
            runs["theirs"],
            quick=quick,
        )
        for name in ("onnxruntime", "openvino:fp32")
    ]
    if "openvino:bf16" in runs:
        bf16 = Claim(**claim, metric="speed, openvino:bf16", min_ratio=2, needs_bf16=True)
        rows.append(speed(bf16, runs["openvino:bf16"], runs["theirs"], quick=quick))
    report(NAME, rows, options)


if __name__ == "__main__":
    main()
