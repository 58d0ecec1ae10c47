"""Loss and gradient of upsampled logits: ours tile by tile, the peer on full-size logits.

A step goes from features at stride 4 through the 1×1 head and the upsampling to the loss, and back
to the gradient of features and head, in fp32. Ours also computes a confusion matrix.

On a GPU, there are 8 images, with features in bf16 and channels last, as after a network under
autocast.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import material
from harness import Repeats, Side, alternate, parser
from rows import Claim, claim_on_device, memory, report, speed
from sceneparse.losses.cross_entropy import CrossEntropy
from sceneparse.losses.settings import CrossEntropyLoss

NAME = "fused_loss"
CHANNELS, STRIDE = 48, 4  # the decoder of configs/ade20k/lite0.yaml
FULL = {"images": 4, "height": 512, "width": 512, "classes": 150}
FULL_GPU = {**FULL, "images": 8}
QUICK = {"images": 1, "height": 64, "width": 64, "classes": 7}


def ours(
    images: int, height: int, width: int, classes: int, device: str | None = None
) -> Callable[[], list[Tensor]]:
    """Prepare the tiled loss."""
    features, head, target = _inputs(images, height, width, classes, device)
    loss = CrossEntropy(CrossEntropyLoss(), 255)
    covered = (height / STRIDE, width / STRIDE)
    valid = (target != 255).sum()

    def step() -> list[Tensor]:
        with _autocast(device):
            mean = loss(features, head, covered, target).total / valid
        return _with_gradients(mean, features, head)

    return step


def theirs(
    images: int, height: int, width: int, classes: int, device: str | None = None
) -> Callable[[], list[Tensor]]:
    """Prepare `F.interpolate` and `F.cross_entropy`."""
    features, head, target = _inputs(images, height, width, classes, device)
    target = target.long()

    def step() -> list[Tensor]:
        with _autocast(device):
            logits = F.interpolate(head(features), size=(height, width), mode="bilinear")
            mean = F.cross_entropy(logits, target, ignore_index=255)
        return _with_gradients(mean, features, head)

    return step


def _inputs(
    images: int, height: int, width: int, classes: int, device: str | None
) -> tuple[Tensor, nn.Conv2d, Tensor]:
    torch.manual_seed(0)
    shape = (images, CHANNELS, height // STRIDE, width // STRIDE)
    features = torch.randn(shape)
    target = torch.from_numpy(material.mask((images, height, width), classes))
    head = nn.Conv2d(CHANNELS, classes, 1)
    if device is not None:
        features = features.to(device, torch.bfloat16, memory_format=torch.channels_last)
        head, target = head.to(device), target.to(device)
    return features.requires_grad_(), head, target


def _autocast(device: str | None) -> torch.autocast:
    return torch.autocast(device or "cpu", torch.bfloat16, enabled=device is not None)


def _with_gradients(mean: Tensor, features: Tensor, head: nn.Conv2d) -> list[Tensor]:
    return [mean.detach(), *torch.autograd.grad(mean, [features, *head.parameters()])]


def main() -> None:
    """Measure and report."""
    options = parser(__doc__).parse_args()
    quick: bool = options.quick
    size = QUICK if quick else FULL if options.device is None else FULL_GPU
    sides = {name: Side(name, size) for name in ("ours", "theirs")}
    repeats = Repeats(3, 1, 5) if options.device is None else Repeats(3, 3, 10)
    runs = alternate(NAME, sides, repeats, quick=quick, device=options.device)
    claim = {"benchmark": NAME, "peer": "F.interpolate + F.cross_entropy"}
    logits = size["images"] * size["height"] * size["width"] * size["classes"]
    time = Claim(
        **claim,
        metric="speed, from features at stride 4",
        min_ratio=3,
        limit="exp",
        amount=logits / 1e9,
        note="a softmax takes one exponential per logit",
    )
    space = Claim(**claim, metric="memory, from features at stride 4", min_ratio=6.7)
    rows = [
        speed(claim_on_device(time, options.device), runs["ours"], runs["theirs"], quick=quick),
        memory(claim_on_device(space, options.device), runs["ours"], runs["theirs"], quick=quick),
    ]
    report(NAME, rows, options)


if __name__ == "__main__":
    main()
