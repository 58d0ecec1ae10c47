"""A training step of the classic U-Net: ours, and the same network as PyTorch has it by default.

The peer: fp32, channels first, logits at the size of the mask, `F.cross_entropy`, `Adam`. It gets
its images normalised, ours as bytes. That ours learns the same is checked by the mean loss over
50 steps, from the same weights, on the same generated scenes in the same order; on small images,
because 300 steps at full size would take longer than all the rest (`--loss-size 256` does that).

On a GPU 8 images of 256×256, and one seed; the peer's batch is there already, normalised, while
ours comes from the host and has its colours changed in each step.
"""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

import material
from harness import Repeats, Runs, Side, alternate, parser
from rows import Claim, Row, claimed, gigaflops, memory, report, speed, stated
from sceneparse.augmentation.parameters import Augmentation
from sceneparse.augmentation.transform import Transform
from sceneparse.data.datasets.synthetic import synthetic
from sceneparse.data.loader import Batch, Loader
from sceneparse.models.unet import UNet
from sceneparse.system.device import cpu_has_bf16
from training import normalised, on_device, peer_step, trainer

NAME = "train_classic"
PEER = "the same network, PyTorch's defaults"
GPU_PEER = "the same network, AMP in bf16, channels last"
CLASSES, SCENES, SEEDS = 150, 64, 3


def ours(images: int, side: int, width: int, device: str | None = None) -> Callable[[], float]:
    """Prepare a step on one batch, again and again."""
    step = _our_step(width, 0, device)
    batch = material.batch(images, side, side, CLASSES)
    return lambda: step(batch)


def theirs(images: int, side: int, width: int, device: str | None = None) -> Callable[[], float]:
    """Prepare the peer's step on the same batch."""
    step = _their_step(width, 0, device)
    pair = on_device(normalised(material.batch(images, side, side, CLASSES)), device)
    return lambda: step(*pair)


def our_loss(
    images: int, side: int, width: int, steps: int, seed: int, device: str | None = None
) -> Callable[[], float]:
    """Prepare to train for some steps and return the mean loss."""
    step = _our_step(width, seed, device)
    batches = _scenes(images, side, steps, seed)
    return lambda: sum(step(batch) for batch in batches) / steps


def their_loss(
    images: int, side: int, width: int, steps: int, seed: int, device: str | None = None
) -> Callable[[], float]:
    """Prepare the same for the peer."""
    step = _their_step(width, seed, device)
    batches = _scenes(images, side, steps, seed)
    return lambda: sum(step(*on_device(normalised(b), device)) for b in batches) / steps


def _our_step(width: int, seed: int, device: str | None) -> Callable[[Batch], float]:
    overrides = [f"model.width={width}"]
    ready = trainer("unet", overrides, classes=CLASSES, seed=seed, device=device)
    return lambda batch: float(ready.step(batch))


def _their_step(width: int, seed: int, device: str | None) -> Callable[[Tensor, Tensor], float]:
    torch.manual_seed(seed)
    return peer_step(UNet(CLASSES, width), device)


def _scenes(images: int, side: int, steps: int, seed: int) -> Iterator[Batch]:
    dataset = synthetic("training", SCENES, (side, side), seed)
    transform = Transform(side, Augmentation(), seed, dataset.labels.ignore_index)
    return Loader(dataset, transform, seed, images, threads=1).batches(0, steps)


def main() -> None:
    """Measure and report."""
    options = parser(__doc__)
    options.add_argument("--loss-size", type=int, default=64, help="side of the images there")
    chosen = options.parse_args()
    quick: bool = chosen.quick
    full = _FULL if chosen.device is None else _FULL_GPU
    size = {"images": 2, "side": 32, "width": 4} if quick else full
    sides = {"ours": Side("ours", size, count_flops=True), "theirs": Side("theirs", size)}
    repeats = Repeats(3, 1, 2) if chosen.device is None else Repeats(3, 3, 10)
    runs = alternate(NAME, sides, repeats, quick=quick, device=chosen.device)
    peer = PEER if chosen.device is None else GPU_PEER
    claim = {"benchmark": NAME, "peer": peer, "rests_on_bf16": True}
    time = Claim(
        **claim,
        metric="speed",
        at_least=1.9,
        limit="gemm_bf16" if cpu_has_bf16() else "gemm_fp32",
        amount=gigaflops(runs["ours"]),
    )
    space = Claim(**claim, metric="memory", at_least=1.67)
    rows = [
        speed(claimed(time, chosen.device), runs["ours"], runs["theirs"], quick=quick),
        memory(claimed(space, chosen.device), runs["ours"], runs["theirs"], quick=quick),
        _loss_row(32 if quick else chosen.loss_size, chosen.device, quick=quick),
    ]
    report(NAME, rows, chosen)


_FULL = {"images": 4, "side": 256, "width": 64}
_FULL_GPU = {"images": 8, "side": 256, "width": 64}


def _loss_row(side: int, device: str | None, *, quick: bool) -> Row:
    """Compare the mean losses; the ratio is the smaller over the larger, of the worst seed."""
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
        at_least=0.99,
        ideal=1.0,
        seeds=seeds,
        note="smaller over larger, of the seed where they differ most",
    )
    ratio = min(worst) / max(worst)
    claim = claimed(claim, device)
    return stated(claim, "nats", *worst, ratio, repeats=seeds * steps, quick=quick)


def _value(runs: Runs) -> float:
    return float(runs.values[0])


if __name__ == "__main__":
    main()
