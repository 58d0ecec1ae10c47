"""Two processes that train together, and one: images per second, one thread per process.

Both train `configs/ade20k/lite0.yaml` at stride 4 with batches of 8 per process and
DistributedDataParallel over gloo. The ratio is what a second core or computer gains.
"""

from collections.abc import Callable

import torch

import material
from harness import Repeats, Side, alternate, parser
from rows import Claim, report, speed
from training import STRIDE_4, trainer

NAME = "two_processes"
CLASSES = 150


def step(
    images: int, side: int, processes: int, *, synchronised: bool = False
) -> Callable[[], float]:
    """Prepare a step of a single process, or of one of two processes."""
    torch.set_num_threads(1)
    overrides = [
        *STRIDE_4,
        f"transform.size={side}",
        f"training.batch_size={images}",
        f"training.sync_batch_norm={synchronised}",
    ]
    ready = trainer("lite0", overrides, processes=processes)
    rank = ready.setup.rank_info.rank
    batch = material.batch(images, side, side, CLASSES, seed=rank)
    return lambda: float(ready.step(batch))


def main() -> None:
    """Measure and report."""
    options = parser(__doc__).parse_args()
    quick: bool = options.quick
    size = {"images": 2, "side": 64} if quick else {"images": 8, "side": 224}
    sides = {
        name: Side(
            "step",
            {**size, "processes": processes, "synchronised": name == "synchronised"},
            units=size["images"] * processes,
            processes=processes,
            environment={"OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"},
        )
        for name, processes in (("two", 2), ("one", 1), ("synchronised", 2))
    }
    runs = alternate(NAME, sides, Repeats(rounds=1, warmup=3, timed=30), quick=quick)
    claim = Claim(
        benchmark=NAME,
        peer="one process",
        metric="images per second",
        min_ratio=1.7,
        ideal=2.0,
        note="seconds per image; one thread per process; each process has its own batch norm "
        "statistics",
    )
    sync_claim = Claim(
        benchmark=NAME,
        peer="one process",
        metric="images per second, batch normalisation over both processes",
        ideal=2.0,
        note="two collectives per layer, at which the faster process waits",
    )
    rows = [
        speed(claim, runs["two"], runs["one"], quick=quick),
        speed(sync_claim, runs["synchronised"], runs["one"], quick=quick),
    ]
    report(NAME, rows, options)


if __name__ == "__main__":
    main()
