"""A training step of a U-Net over EfficientNet-Lite0: our config, and smp's U-Net as it comes.

Ours is `configs/ade20k/lite0.yaml` at 256×256 with a narrower decoder to stride 4: another one than
the peer's, bf16 where it is native. The peer decodes to full resolution. Both learn from masks of
full resolution.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F

import material
from harness import Repeats, Side, alternate, parser
from rows import Claim, memory, report, speed
from training import STRIDE_4, normalised, trainer

NAME = "train_lite0"
CLASSES = 150


def ours(pictures: int, side: int) -> Callable[[], float]:
    """Prepare a step of the config."""
    overrides = [*STRIDE_4, f"transform.size={side}", f"training.batch_size={pictures}"]
    ready = trainer("lite0", overrides)
    batch = material.batch(pictures, side, side, CLASSES)
    return lambda: float(ready.step(batch))


def theirs(pictures: int, side: int) -> Callable[[], float]:
    """Prepare a step of `smp.Unet` with its defaults, Adam and cross-entropy."""
    import segmentation_models_pytorch as smp

    torch.manual_seed(0)
    network = smp.Unet("tu-tf_efficientnet_lite0", encoder_weights=None, classes=CLASSES)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    image, target = normalised(material.batch(pictures, side, side, CLASSES))

    def step() -> float:
        optimizer.zero_grad()
        loss = F.cross_entropy(network(image), target, ignore_index=255)
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def main() -> None:
    """Measure and report."""
    options = parser(__doc__).parse_args()
    quick: bool = options.quick
    size = {"pictures": 2, "side": 64} if quick else {"pictures": 16, "side": 256}
    sides = {
        "ours": Side("ours", size),
        "theirs": Side("theirs", size, needs="segmentation_models_pytorch"),
    }
    runs = alternate(NAME, sides, Repeats(rounds=3, warmup=1, timed=3), quick=quick)
    claim = {"benchmark": NAME, "peer": "segmentation_models_pytorch", "rests_on_bf16": True}
    time = Claim(
        **claim,
        metric="speed",
        at_least=5,
    )
    space = Claim(**claim, metric="memory", at_least=2.9)
    rows = [
        speed(time, runs["ours"], runs.get("theirs"), quick=quick),
        memory(space, runs["ours"], runs.get("theirs"), quick=quick),
    ]
    report(NAME, rows, options)


if __name__ == "__main__":
    main()
