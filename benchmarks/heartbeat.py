"""How long work keeps the thread of the heartbeat from running.

Python runs one thread at a time, and some functions of libraries do not let others run until they
return. The heartbeat of a run's processes must be patient for longer.
"""

import hashlib
import io
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import torch
from safetensors.torch import load, save
from torch import nn

WEIGHTS = 100_000_000  # 400 MB in fp32
TICK_S = 0.001


class Gaps:
    """A thread that measures how late it wakes up."""

    def __init__(self) -> None:
        self.longest = 0.0
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self) -> None:
        before = time.perf_counter()
        while True:
            time.sleep(TICK_S)
            now = time.perf_counter()
            self.longest = max(self.longest, now - before - TICK_S)
            before = now

    def measure(self, name: str, work: Callable[[], object]) -> None:
        """Print how long some work took, and the longest gap in it."""
        self.longest = 0.0
        start = time.perf_counter()
        work()
        seconds = time.perf_counter() - start
        time.sleep(0.02)
        print(f"{name:32} {seconds:6.2f} s, longest gap {self.longest:.3f} s", flush=True)


def draw() -> None:
    """Draw many images in a figure."""
    figure, axes = plt.subplots(4, 4, figsize=(20, 20))
    for axis in axes.flat:
        axis.imshow(torch.rand(512, 512))
    figure.savefig(io.BytesIO(), dpi=150)


def main() -> None:
    """Measure what a run does between its steps."""
    mpl.use("agg")
    gaps = Gaps()
    weights = {f"{part}": torch.randn(WEIGHTS // 4) for part in range(4)}
    checkpoint = io.BytesIO()
    gaps.measure("write a checkpoint of 400 MB", lambda: torch.save(weights, checkpoint))
    checkpoint.seek(0)
    gaps.measure("read it", lambda: torch.load(checkpoint, weights_only=True))
    content = save(weights)
    gaps.measure("encode weights of 400 MB", lambda: save(weights))
    gaps.measure("decode them", lambda: load(content))
    gaps.measure("copy them", lambda: bytearray(content))
    gaps.measure("compute their checksum", lambda: hashlib.sha256(content).digest())
    with tempfile.TemporaryDirectory() as folder:
        gaps.measure("write them to a disk", lambda: Path(folder, "weights").write_bytes(content))
    gaps.measure("draw 16 images", draw)
    network = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU())
    gaps.measure("compile", lambda: torch.compile(network)(torch.rand(1, 3, 32, 32)))


if __name__ == "__main__":
    main()
