"""A training step of the classic U-Net: ours, and the same network with PyTorch's defaults.

The peer has fp32, channels first, logits at the size of the mask, `F.cross_entropy` and `Adam`. It
gets normalised images; ours gets bytes. The mean loss over 50 steps checks that ours learns the
same, from the same weights, on the same generated scenes in the same order. It takes small images,
because 300 steps at full size would take longer than all other benchmarks (`--loss-size 256`).

On a GPU, there are 8 images of 256×256 and one seed. The peer's batch is on the device, normalised;
ours comes from the host, and each step changes its colours.
"""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

import material
from harness import Repeats, Runs, Side, alternate, parser
from rows import Claim, Row, claim_on_device, gigaflops, make_row, memory, report, speed
from sceneparse.augmentation.settings import TransformSettings
from sceneparse.augmentation.transform import Transform
from sceneparse.data.datasets.synthetic import synthetic
from sceneparse.data.loader import Batch, Loader
from sceneparse.models.unet import UNet
from sceneparse.system.device import cpu_has_bf16
from training import normalise_batch, on_device, peer_step, trainer

NAME = "train_classic"
PEER = "the same network, PyTorch's defaults"
GPU_PEER = "the same network, AMP in bf16, channels last"
CLASSES, SCENES, SEEDS = 150, 64, 3


def ours(images: int, side: int, width: int, device: str | None = None) -> Callable[[], float]:
    """Prepare our step, on the same batch each time."""
    step = _our_step(width, 0, device)
    batch = material.batch(images, side, side, CLASSES)
    return lambda: step(batch)


def theirs(images: int, side: int, width: int, device: str | None = None) -> Callable[[], float]:
    """Prepare the peer's step, on the same batch each time."""
    step = _their_step(width, 0, device)
    pair = on_device(normalise_batch(material.batch(images, side, side, CLASSES)), device)
    return lambda: step(*pair)


def our_loss(
    images: int, side: int, width: int, steps: int, seed: int, device: str | None = None
) -> Callable[[], float]:
    """Prepare some training steps that return their mean loss."""
    step = _our_step(width, seed, device)
    batches = _scenes(images, side, steps, seed)
    return lambda: sum(step(batch) for batch in batches) / steps


def their_loss(
    images: int, side: int, width: int, steps: int, seed: int, device: str | None = None
) -> Callable[[], float]:
    """Prepare the peer's training steps that return their mean loss."""
    step = _their_step(width, seed, device)
    batches = _scenes(images, side, steps, seed)
    return lambda: sum(step(*on_device(normalise_batch(b), device)) for b in batches) / steps


def _our_step(width: int, seed: int, device: str | None) -> Callable[[Batch], float]:
    overrides = [f"model.width={width}"]
    ready = trainer("unet", overrides, classes=CLASSES, seed=seed, device=device)
    return lambda batch: float(ready.step(batch))


def _their_step(width: int, seed: int, device: str | None) -> Callable[[Tensor, Tensor], float]:
    torch.manual_seed(seed)
    return peer_step(UNet(CLASSES, width), device)


def _scenes(images: int, side: int, steps: int, seed: int) -> Iterator[Batch]:
    dataset = synthetic("training", SCENES, (side, side), seed)
    transform = Transform(side, TransformSettings(size=side), seed, dataset.labels.ignore_index)
    return Loader(dataset, transform, seed, images, threads=1).batches(0, steps)


def main() -> None:
    """Measure and report."""
    options = parser(__doc__)
    options.add_argument(
        "--loss-size", type=int, default=64, help="side of the images for the mean loss"
    )
    chosen = options.parse_args()
    quick: bool = chosen.quick
    full = _FULL if chosen.device is None else _FULL_GPU
    size = {"images": 2, "side": 32, "width": 4} if quick else full
    sides = {"ours": Side("ours", size, count_flops=True), "theirs": Side("theirs", size)}
    repeats = Repeats(3, 1, 2) if chosen.device is None else Repeats(3, 3, 10)
    runs = alternate(NAME, sides, repeats, quick=quick, device=chosen.device)
    peer = PEER if chosen.device is None else GPU_PEER
    claim = {"benchmark": NAME, "peer": peer, "needs_bf16": True}
    time = Claim(
        **claim,
        metric="speed",
        min_ratio=1.9,
        limit="gemm_bf16" if cpu_has_bf16() else "gemm_fp32",
        amount=gigaflops(runs["ours"]),
    )
    space = Claim(**claim, metric="memory", min_ratio=1.67)
    rows = [
        speed(claim_on_device(time, chosen.device), runs["ours"], runs["theirs"], quick=quick),
        memory(claim_on_device(space, chosen.device), runs["ours"], runs["theirs"], quick=quick),
        _loss_row(32 if quick else chosen.loss_size, chosen.device, quick=quick),
    ]
    report(NAME, rows, chosen)


_FULL = {"images": 4, "side": 256, "width": 64}
_FULL_GPU = {"images": 8, "side": 256, "width": 64}


def _loss_row(side: int, device: str | None, *, quick: bool) -> Row:
    """Compare the mean losses; the ratio is the smaller over the larger, for the worst seed."""
    steps, width = (2, 4) if quick else (50, 64)
    seeds = SEEDS if device is None and not quick else 1
    pairs: list[tuple[float, float]] = []
    for seed in range(seeds):
        size = {"images": 4, "side": side, "width": width, "steps": steps, "seed": seed}
        sides = {"ours": Side("our_loss", size), "theirs": Side("their_loss", size)}
        once = Repeats(rounds=1, warmup=0, timed=1)
        runs = alternate(NAME, sides, once, quick=quick, device=device)
        pairs.append((_value(runs["ours"]), _value(runs["theirs"])))
    worst = min(pairs, key=lambda pair: min(pair) / max(pair))
    claim = Claim(
        benchmark=NAME,
        peer=PEER if device is None else GPU_PEER,
        metric=f"mean loss over {steps} steps, {side}×{side}",
        min_ratio=0.99,
        ideal=1.0,
        seeds=seeds,
        note="smaller over larger, for the seed with the largest difference",
    )
    ratio = min(worst) / max(worst)
    claim = claim_on_device(claim, device)
    return make_row(claim, "nats", *worst, ratio, repeats=seeds * steps, quick=quick)


def _value(runs: Runs) -> float:
    return float(runs.values[0])


if __name__ == "__main__":
    main()
