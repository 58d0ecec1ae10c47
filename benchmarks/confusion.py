"""The confusion matrix of one image: ours and that of torchmetrics.

Both get train ids in the type that their users have: ours bytes, the peer int64 tensors. Ours is
the function that `evaluate` calls. Two more rows report the function of the training loss, on
tensors, and the peer without its check of the inputs.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

import material
from harness import Repeats, Side, alternate, parser
from rows import Claim, report, speed
from sceneparse.metrics.scores import confusion_matrix
from sceneparse.ops.confusion import tensor_confusion_matrix

NAME = "confusion"
PEER = "torchmetrics MulticlassConfusionMatrix"
# Steps of about a millisecond are timed in groups.
CALLS = 20


def ours(side: int, classes: int) -> Callable[[], Any]:
    """Prepare the matrix of NumPy arrays."""
    target, prediction = _pair(side, classes)
    return lambda: [confusion_matrix(prediction, target, classes, 255) for _ in range(CALLS)][-1]


def ours_on_tensors(side: int, classes: int) -> Callable[[], Any]:
    """Prepare the matrix of tensors."""
    target, prediction = map(torch.from_numpy, _pair(side, classes))
    prediction = prediction.long()
    return lambda: [
        tensor_confusion_matrix(prediction, target, classes, 255) for _ in range(CALLS)
    ][-1]


def theirs(side: int, classes: int, *, validate: bool) -> Callable[[], Any]:
    """Prepare updates of the metric."""
    from torchmetrics.classification import MulticlassConfusionMatrix

    metric = MulticlassConfusionMatrix(classes, ignore_index=255, validate_args=validate)
    target, prediction = (torch.from_numpy(ids).long() for ids in _pair(side, classes))

    def step() -> Any:
        metric.reset()
        for _ in range(CALLS):
            metric.update(prediction, target)
        return metric.confmat

    return step


def _pair(side: int, classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw a ground truth, and a prediction that is right at about half of the pixels."""
    target = material.mask((side, side), classes)
    random = np.random.default_rng(1)
    guess = random.integers(0, classes, target.shape, np.uint8)
    right = (target != 255) & (random.random(target.shape) < 0.5)
    return target, np.where(right, target, guess)


def main() -> None:
    """Measure and report."""
    options = parser(__doc__).parse_args()
    quick: bool = options.quick
    size = {"side": 64, "classes": 7} if quick else {"side": 512, "classes": 150}
    sides = {
        "ours": Side("ours", size, CALLS),
        "on tensors": Side("ours_on_tensors", size, CALLS),
        "theirs": Side("theirs", {**size, "validate": True}, CALLS, "torchmetrics"),
        "unchecked": Side("theirs", {**size, "validate": False}, CALLS, "torchmetrics"),
    }
    runs = alternate(NAME, sides, Repeats(rounds=3, warmup=2, timed=5), quick=quick)
    pixels = size["side"] ** 2 / 1e9
    held = Claim(
        benchmark=NAME, peer=PEER, metric="speed", min_ratio=5, limit="count", amount=pixels
    )
    unchecked = Claim(benchmark=NAME, peer=f"{PEER}, validate_args=False", metric="speed")
    tensors = Claim(benchmark=NAME, peer=PEER, metric="speed, ours on tensors")
    rows = [
        speed(held, runs["ours"], runs.get("theirs"), quick=quick),
        speed(unchecked, runs["ours"], runs.get("unchecked"), quick=quick),
        speed(tensors, runs["on tensors"], runs.get("theirs"), quick=quick),
    ]
    report(NAME, rows, options)


if __name__ == "__main__":
    main()
