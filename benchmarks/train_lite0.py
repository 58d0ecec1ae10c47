"""A training step of a U-Net over EfficientNet-Lite0: our config, and smp's U-Net as it comes.

Ours is `configs/ade20k/lite0.yaml` at 256×256 with a narrower decoder to stride 4: another one than
the peer's, bf16 where it is native. The peer decodes to full resolution. Both learn from masks of
full resolution.

On a GPU 16 images of 512×512; the peer's batch is there already, normalised, while ours comes from
the host and has its colours changed in each step.
"""

from collections.abc import Callable

import torch

import material
from harness import Repeats, Side, alternate, parser
from rows import Claim, claimed, memory, report, speed
from training import STRIDE_4, normalised, on_device, peer_step, trainer

NAME = "train_lite0"
CLASSES = 150


def ours(images: int, side: int, device: str | None = None) -> Callable[[], float]:
    """Prepare a step of the config."""
    overrides = [*STRIDE_4, f"transform.size={side}", f"training.batch_size={images}"]
    ready = trainer("lite0", overrides, device=device)
    batch = material.batch(images, side, side, CLASSES)
    return lambda: float(ready.step(batch))


def theirs(images: int, side: int, device: str | None = None) -> Callable[[], float]:
    """Prepare a step of `smp.Unet` with its defaults, Adam and cross-entropy."""
    import segmentation_models_pytorch as smp

    torch.manual_seed(0)
    network = smp.Unet("tu-tf_efficientnet_lite0", encoder_weights=None, classes=CLASSES)
    step = peer_step(network, device)
    pair = on_device(normalised(material.batch(images, side, side, CLASSES)), device)
    return lambda: step(*pair)


def main() -> None:
    """Measure and report."""
    options = parser(__doc__).parse_args()
    quick: bool = options.quick
    side = 64 if quick else 256 if options.device is None else 512
    size = {"images": 2 if quick else 16, "side": side}
    sides = {
        "ours": Side("ours", size),
        "theirs": Side("theirs", size, needs="segmentation_models_pytorch"),
    }
    repeats = Repeats(3, 1, 3) if options.device is None else Repeats(3, 3, 8)
    runs = alternate(NAME, sides, repeats, quick=quick, device=options.device)
    peer = "segmentation_models_pytorch"
    if options.device is not None:
        peer += ", AMP in bf16, channels last"
    claim = {"benchmark": NAME, "peer": peer, "rests_on_bf16": True}
    time = claimed(Claim(**claim, metric="speed", at_least=5), options.device)
    space = claimed(Claim(**claim, metric="memory", at_least=2.9), options.device)
    rows = [
        speed(time, runs["ours"], runs.get("theirs"), quick=quick),
        memory(space, runs["ours"], runs.get("theirs"), quick=quick),
    ]
    report(NAME, rows, options)


if __name__ == "__main__":
    main()
