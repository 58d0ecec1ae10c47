"""A training step on an idle machine, and beside a process that keeps one core busy.

OpenMP's threads spin while they wait for each other. Beside a busy process, one thread has no core,
and the others spin at the barrier until it gets one. A setting of the OpenMP runtime limits how
long they spin before they sleep; the commands of sceneparse set it (`sceneparse.cli`).
"""

import atexit
import subprocess
import sys
from collections.abc import Callable

import material
from harness import Repeats, Side, alternate, parser
from rows import Claim, Row, report, speed
from sceneparse.cli import OPENMP_WAITING
from training import STRIDE_4, trainer

NAME = "busy"
CLASSES = 150
DEFAULT = " ".join(f"{name}={value}" for name, value in OPENMP_WAITING.items())
SETTINGS: dict[str, dict[str, str]] = {
    DEFAULT: dict(OPENMP_WAITING),
    "PyTorch's defaults": {},
    "GOMP_SPINCOUNT=10000": {"GOMP_SPINCOUNT": "10000"},
    "OMP_WAIT_POLICY=passive": {"OMP_WAIT_POLICY": "passive"},
    "one thread": {"OMP_NUM_THREADS": "1"},
}
NETWORKS = {
    "narrow U-Net": ("unet_narrow", ("model.width=16", "transform.size=128")),
    "Lite0 U-Net": ("lite0", (*STRIDE_4, "transform.size=192")),
}


def step(network: str, images: int, *, busy: bool) -> Callable[[], float]:
    """Prepare a training step, with or without a process that keeps one core busy."""
    config, overrides = NETWORKS[network]
    side = next(int(text.partition("=")[2]) for text in overrides if "transform.size" in text)
    ready = trainer(config, [*overrides, f"training.batch_size={images}"])
    batch = material.batch(images, side, side, CLASSES)
    if busy:
        busy_process = subprocess.Popen([sys.executable, "-c", "while True: pass"])
        atexit.register(busy_process.kill)
    return lambda: float(ready.step(batch))


def main() -> None:
    """Measure and report."""
    options = parser(__doc__).parse_args()
    images = 2 if options.quick else 8
    rows = [
        row
        for network in NETWORKS
        for busy in (False, True)
        for row in _rows(network, images, busy=busy, quick=options.quick)
    ]
    report(NAME, rows, options)


def _rows(network: str, images: int, *, busy: bool, quick: bool) -> list[Row]:
    """Compare the setting of the commands with every other setting."""
    sides = {
        name: Side(
            "step", {"network": network, "images": images, "busy": busy}, environment=environment
        )
        for name, environment in SETTINGS.items()
    }
    runs = alternate(NAME, sides, Repeats(rounds=2, warmup=2, timed=5), quick=quick)
    where = "beside a busy process" if busy else "idle"
    return [
        speed(
            Claim(benchmark=NAME, peer=peer, metric=f"speed, {network}, {where}"),
            runs[DEFAULT],
            runs[peer],
            quick=quick,
        )
        for peer in SETTINGS
        if peer != DEFAULT
    ]


if __name__ == "__main__":
    main()
