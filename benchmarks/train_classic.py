"""A training step of the classic U-Net: ours, and the same network as PyTorch has it by default.

The peer: fp32, channels first, logits at the size of the mask, `F.cross_entropy`, `Adam`. It gets
its pictures normalised, ours as bytes. That ours learns the same is checked by the mean loss over
50 steps, from the same weights, on the same generated scenes in the same order; on small pictures,
because 300 steps at full size would take longer than all the rest (`--loss-size 256` does that).
"""

from collections.abc import Callable, Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import material
from harness import Repeats, Runs, Side, alternate, parser
from rows import Claim, Row, gigaflops, memory, report, speed, stated
from sceneparse.augmentation.change import Augmentation
from sceneparse.augmentation.transform import Transform
from sceneparse.data.loader import Batch, Loader
from sceneparse.data.synthetic import synthetic
from sceneparse.device import cpu_has_bf16
from sceneparse.models.unet import UNet
from training import normalised, trainer

NAME = "train_classic"
PEER = "the same network, PyTorch's defaults"
CLASSES, SCENES, SEEDS = 150, 64, 3


def ours(pictures: int, side: int, width: int) -> Callable[[], float]:
    """Prepare a step on one batch, again and again."""
    step = _our_step(width, seed=0)
    batch = material.batch(pictures, side, side, CLASSES)
    return lambda: step(batch)


def theirs(pictures: int, side: int, width: int) -> Callable[[], float]:
    """Prepare the peer's step on the same batch."""
    step = _their_step(width, seed=0)
    image, target = normalised(material.batch(pictures, side, side, CLASSES))
    return lambda: step(image, target)


def our_loss(pictures: int, side: int, width: int, steps: int, seed: int) -> Callable[[], float]:
    """Prepare to train for some steps and return the mean loss."""
    step = _our_step(width, seed)
    batches = _scenes(pictures, side, steps, seed)
    return lambda: sum(step(batch) for batch in batches) / steps


def their_loss(pictures: int, side: int, width: int, steps: int, seed: int) -> Callable[[], float]:
    """Prepare the same for the peer."""
    step = _their_step(width, seed)
    batches = _scenes(pictures, side, steps, seed)
    return lambda: sum(step(*normalised(batch)) for batch in batches) / steps


def _our_step(width: int, seed: int) -> Callable[[Batch], float]:
    ready = trainer("unet", [f"model.width={width}"], classes=CLASSES, seed=seed)
    return lambda batch: float(ready.step(batch))


def _their_step(width: int, seed: int) -> Callable[[Tensor, Tensor], float]:
    torch.manual_seed(seed)
    network: nn.Module = UNet(CLASSES, width)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)

    def step(image: Tensor, target: Tensor) -> float:
        optimizer.zero_grad()
        loss = F.cross_entropy(network(image), target, ignore_index=255)
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def _scenes(pictures: int, side: int, steps: int, seed: int) -> Iterator[Batch]:
    dataset = synthetic("training", SCENES, (side, side), seed)
    transform = Transform(side, Augmentation(), seed, dataset.labels.ignore_index)
    return Loader(dataset, transform, seed, pictures, threads=1).batches(0, steps)


def main() -> None:
    """Measure and report."""
    options = parser(__doc__)
    options.add_argument("--loss-size", type=int, default=64, help="side of the pictures there")
    chosen = options.parse_args()
    quick: bool = chosen.quick
    size = {"pictures": 2, "side": 32, "width": 4} if quick else _FULL
    sides = {"ours": Side("ours", size, count_flops=True), "theirs": Side("theirs", size)}
    runs = alternate(NAME, sides, Repeats(rounds=3, warmup=1, timed=2), quick=quick)
    claim = {"benchmark": NAME, "peer": PEER, "rests_on_bf16": True}
    time = Claim(
        **claim,
        metric="speed",
        at_least=1.9,
        limit="gemm_bf16" if cpu_has_bf16() else "gemm_fp32",
        amount=gigaflops(runs["ours"]),
    )
    space = Claim(**claim, metric="memory", at_least=1.67)
    rows = [
        speed(time, runs["ours"], runs["theirs"], quick=quick),
        memory(space, runs["ours"], runs["theirs"], quick=quick),
        _loss_row(32 if quick else chosen.loss_size, quick=quick),
    ]
    report(NAME, rows, chosen)


_FULL = {"pictures": 4, "side": 256, "width": 64}


def _loss_row(side: int, *, quick: bool) -> Row:
    """Compare the mean losses; the ratio is the smaller over the larger, of the worst seed."""
    steps, width = (2, 4) if quick else (50, 64)
    seeds = 1 if quick else SEEDS
    pairs: list[tuple[float, float]] = []
    for seed in range(seeds):
        size = {"pictures": 4, "side": side, "width": width, "steps": steps, "seed": seed}
        sides = {"ours": Side("our_loss", size), "theirs": Side("their_loss", size)}
        runs = alternate(NAME, sides, Repeats(rounds=1, warmup=0, timed=1), quick=quick)
        pairs.append((_value(runs["ours"]), _value(runs["theirs"])))
    worst = min(pairs, key=lambda pair: min(pair) / max(pair))
    claim = Claim(
        benchmark=NAME,
        peer=PEER,
        metric=f"mean loss over {steps} steps, {side}×{side}",
        at_least=0.99,
        ideal=1.0,
        seeds=seeds,
        note="smaller over larger, of the seed where they differ most",
    )
    return stated(
        claim, "nats", *worst, min(worst) / max(worst), repeats=seeds * steps, quick=quick
    )


def _value(runs: Runs) -> float:
    return float(runs.values[0])


if __name__ == "__main__":
    main()
