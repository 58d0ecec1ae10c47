"""A training step of a U-Net over EfficientNet-Lite0: our config, and smp's U-Net by default.

Ours is `configs/ade20k/lite0.yaml` at 256×256 with a narrower decoder to stride 4, in bf16 where it
is native. The peer has another decoder, to full resolution. Both train on masks of full resolution.

On a GPU, there are 16 images of 512×512. The peer's batch is on the device, normalised; ours comes
from the host, and each step changes its colours.
"""

from collections.abc import Callable

import torch

import material
from harness import Repeats, Side, alternate, parser
from rows import Claim, claim_on_device, memory, report, speed
from training import STRIDE_4, normalise_batch, on_device, peer_step, trainer

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
    pair = on_device(normalise_batch(material.batch(images, side, side, CLASSES)), device)
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
    claim = {"benchmark": NAME, "peer": peer, "needs_bf16": True}
    time = claim_on_device(Claim(**claim, metric="speed", min_ratio=5), options.device)
    space = claim_on_device(Claim(**claim, metric="memory", min_ratio=2.9), options.device)
    rows = [
        speed(time, runs["ours"], runs.get("theirs"), quick=quick),
        memory(space, runs["ours"], runs.get("theirs"), quick=quick),
    ]
    report(NAME, rows, options)


if __name__ == "__main__":
    main()
