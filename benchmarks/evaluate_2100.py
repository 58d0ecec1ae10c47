"""Label map and confusion matrix of a large annotation, from logits of 128×128 pixels.

The peer upsamples the logits to the size of the annotation, takes the argmax and counts pairs.

On a GPU, the logits of both and the peer's annotation are on the device, while ours comes from the
host.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

import material
from harness import Repeats, Runs, Side, alternate, parser
from rows import Claim, Row, claim_on_device, make_row, memory, report, speed
from sceneparse.inference.decision import score
from sceneparse.inference.network import ImageLogits
from sceneparse.metrics.scores import ConfusionMatrix

NAME = "evaluate_2100"
BUDGET_MB = 200
LOGIT_SIDE = 128
MEMORY_MB = 256  # as `inference.memory_budget_mb`
FULL = {"height": 2100, "width": 2100, "classes": 150}
QUICK = {"height": 210, "width": 170, "classes": 7}


def ours(
    height: int, width: int, classes: int, device: str | None = None
) -> Callable[[], ConfusionMatrix]:
    """Prepare what `evaluate` computes from the logits of an image, its loss included."""
    logits = ImageLogits(_logits(classes)[0].to(device or "cpu"), (LOGIT_SIDE, LOGIT_SIDE))
    target = material.mask((height, width), classes)

    def step() -> ConfusionMatrix:
        return score(logits, target, 255, MEMORY_MB * 2**20).confusion

    return step


def theirs(
    height: int, width: int, classes: int, device: str | None = None
) -> Callable[[], Tensor]:
    """Prepare `F.interpolate`, `argmax` and `bincount`."""
    logits = _logits(classes).to(device or "cpu")
    target = torch.from_numpy(material.mask((height, width), classes)).long().to(logits.device)

    def step() -> Tensor:
        with torch.inference_mode():
            upsampled = F.interpolate(logits, size=(height, width), mode="bilinear")
            prediction = upsampled.argmax(dim=1)[0]
            valid = target != 255
            pairs = target[valid] * classes + prediction[valid]
            return torch.bincount(pairs, minlength=classes**2).view(classes, classes)

    return step


def _logits(classes: int) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(1, classes, LOGIT_SIDE, LOGIT_SIDE, generator=generator)


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
        min_ratio=3,
        limit="max",
        amount=size["classes"] * size["height"] * size["width"] / 1e9,
        note="the argmax reads every upsampled logit once",
    )
    space = Claim(**claim, metric="memory")
    rows = [
        speed(claim_on_device(time, options.device), runs["ours"], runs["theirs"], quick=quick),
        memory(claim_on_device(space, options.device), runs["ours"], runs["theirs"], quick=quick),
        _budget_row(runs["ours"], options.device, quick=quick),
    ]
    report(NAME, rows, options)


def _budget_row(runs: Runs, device: str | None, *, quick: bool) -> Row:
    """Compare the largest peak of ours with the budget."""
    # Tiny sizes fit into memory that the process already has, for a peak of 0.
    peak = max(1, *runs.peaks) / 1e6
    claim = Claim(
        benchmark=NAME,
        peer=f"a budget of {BUDGET_MB} MB",
        metric="peak memory",
        min_ratio=1,
        note="theirs is the budget, ours the largest peak of all rounds",
    )
    rounds, ratio = len(runs.peaks), BUDGET_MB / peak
    claim = claim_on_device(claim, device)
    return make_row(claim, "MB", peak, BUDGET_MB, ratio, repeats=rounds, quick=quick)


if __name__ == "__main__":
    main()
