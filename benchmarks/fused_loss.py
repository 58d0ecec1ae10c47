"""Loss and gradient of upsampled logits: ours strip by strip, the peer on logits of full size.

From features at stride 4 through the 1×1 head and the upsampling to the loss, and the gradient back
to features and head, in fp32. Ours counts a confusion matrix on the way; the peer does not.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import material
from harness import Repeats, Side, alternate, parser
from rows import Claim, memory, report, speed
from sceneparse.losses.cross_entropy import CrossEntropy

NAME = "fused_loss"
CHANNELS, STRIDE = 48, 4  # the decoder of configs/ade20k/lite0.yaml
FULL = {"pictures": 4, "height": 512, "width": 512, "classes": 150}
QUICK = {"pictures": 1, "height": 64, "width": 64, "classes": 7}


def ours(pictures: int, height: int, width: int, classes: int) -> Callable[[], list[Tensor]]:
    """Prepare the loss in strips."""
    features, head, target = _inputs(pictures, height, width, classes)
    loss = CrossEntropy(ignore_index=255)
    covered = (height / STRIDE, width / STRIDE)
    valid = (target != 255).sum()

    def step() -> list[Tensor]:
        mean = loss(features, head, covered, target).total / valid
        return _with_gradients(mean, features, head)

    return step


def theirs(pictures: int, height: int, width: int, classes: int) -> Callable[[], list[Tensor]]:
    """Prepare `F.interpolate` and `F.cross_entropy`."""
    features, head, target = _inputs(pictures, height, width, classes)
    target = target.long()

    def step() -> list[Tensor]:
        logits = F.interpolate(head(features), size=(height, width), mode="bilinear")
        mean = F.cross_entropy(logits, target, ignore_index=255)
        return _with_gradients(mean, features, head)

    return step


def _inputs(
    pictures: int, height: int, width: int, classes: int
) -> tuple[Tensor, nn.Conv2d, Tensor]:
    torch.manual_seed(0)
    shape = (pictures, CHANNELS, height // STRIDE, width // STRIDE)
    features = torch.randn(shape).requires_grad_()
    target = torch.from_numpy(material.mask((pictures, height, width), classes))
    return features, nn.Conv2d(CHANNELS, classes, 1), target


def _with_gradients(mean: Tensor, features: Tensor, head: nn.Conv2d) -> list[Tensor]:
    return [mean.detach(), *torch.autograd.grad(mean, [features, *head.parameters()])]


def main() -> None:
    """Measure and report."""
    options = parser(__doc__).parse_args()
    quick: bool = options.quick
    size = QUICK if quick else FULL
    sides = {name: Side(name, size) for name in ("ours", "theirs")}
    runs = alternate(NAME, sides, Repeats(rounds=3, warmup=1, timed=5), quick=quick)
    claim = {"benchmark": NAME, "peer": "F.interpolate + F.cross_entropy"}
    logits = size["pictures"] * size["height"] * size["width"] * size["classes"]
    time = Claim(
        **claim,
        metric="speed, from features at stride 4",
        at_least=3,
        limit="exp",
        amount=logits / 1e9,
        note="a softmax takes one exponential per logit",
    )
    space = Claim(**claim, metric="memory, from features at stride 4", at_least=6.7)
    rows = [
        speed(time, runs["ours"], runs["theirs"], quick=quick),
        memory(space, runs["ours"], runs["theirs"], quick=quick),
    ]
    report(NAME, rows, options)


if __name__ == "__main__":
    main()
