"""Label map and confusion matrix of a large annotation, from logits of 128×128 cells.

The peer upsamples the logits to the size of the annotation, takes the argmax and counts pairs.

On a GPU the peer's logits and annotation are there already, while ours come from the host.
"""

from collections.abc import Callable
from contextlib import nullcontext

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import material
from harness import Repeats, Runs, Side, alternate, parser
from rows import Claim, Row, claimed, memory, report, speed, stated
from sceneparse.inference.backends.torch import TorchBackend
from sceneparse.metrics.scores import ConfusionMatrix

NAME = "evaluate_2100"
BUDGET_MB = 200
CELLS = 128
FULL = {"height": 2100, "width": 2100, "classes": 150}
QUICK = {"height": 210, "width": 170, "classes": 7}


def ours(
    height: int, width: int, classes: int, device: str | None = None
) -> Callable[[], ConfusionMatrix]:
    """Prepare what `evaluate` does with the logits of an image; it also sums up the loss."""
    labels = material.labels(classes)
    where = torch.device(device or "cpu")
    backend = TorchBackend(nn.Identity(), labels, (4, 4), where, nullcontext)
    logits = _logits(classes)[0].numpy()
    target = material.mask((height, width), classes)

    def step() -> ConfusionMatrix:
        return backend.score(logits, (CELLS, CELLS), target).confusion

    return step


def theirs(
    height: int, width: int, classes: int, device: str | None = None
) -> Callable[[], Tensor]:
    """Prepare `F.interpolate`, `argmax` and `bincount`."""
    logits = _logits(classes).to(device or "cpu")
    target = torch.from_numpy(material.mask((height, width), classes)).long().to(logits.device)

    def step() -> Tensor:
        with torch.inference_mode():
            wide = F.interpolate(logits, size=(height, width), mode="bilinear")
            prediction = wide.argmax(dim=1)[0]
            valid = target != 255
            pairs = target[valid] * classes + prediction[valid]
            return torch.bincount(pairs, minlength=classes**2).view(classes, classes)

    return step


def _logits(classes: int) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(1, classes, CELLS, CELLS, generator=generator)


def main() -> None:
    """Measure and report."""
    options = parser(__doc__).parse_args()
    quick: bool = options.quick
    size = QUICK if quick else FULL
    sides = {"ours": Side("ours", size), "theirs": Side("theirs", size)}
    repeats = Repeats(3, 1, 3) if options.device is None else Repeats(3, 2, 8)
    runs = alternate(NAME, sides, repeats, quick=quick, device=options.device)
    claim = {"benchmark": NAME, "peer": "F.interpolate + argmax + bincount"}
    time = Claim(
        **claim,
        metric="speed",
        at_least=3,
        limit="max",
        amount=size["classes"] * size["height"] * size["width"] / 1e9,
        note="a label map looks once at every upsampled logit",
    )
    space = Claim(**claim, metric="memory")
    rows = [
        speed(claimed(time, options.device), runs["ours"], runs["theirs"], quick=quick),
        memory(claimed(space, options.device), runs["ours"], runs["theirs"], quick=quick),
        _budget_row(runs["ours"], options.device, quick=quick),
    ]
    report(NAME, rows, options)


def _budget_row(runs: Runs, device: str | None, *, quick: bool) -> Row:
    """Hold the largest peak of ours against the budget."""
    # Tiny ones fit into what the process has already.
    peak = max(1, *runs.peaks) / 1e6
    claim = Claim(
        benchmark=NAME,
        peer=f"a budget of {BUDGET_MB} MB",
        metric="peak memory",
        at_least=1,
        note="theirs is the budget; ours the largest peak of all rounds",
    )
    rounds, ratio = len(runs.peaks), BUDGET_MB / peak
    claim = claimed(claim, device)
    return stated(claim, "MB", peak, BUDGET_MB, ratio, repeats=rounds, quick=quick)


if __name__ == "__main__":
    main()
