"""What it costs per step to keep steps that are not finite out of a run.

Beside the whole step, its parts are timed by themselves, because 1 % of a step is less than its
noise: copy the running statistics, compute the norm of the gradient, check it with the loss, bring
the running statistics back; and the average of the weights, against the same with
`torch._foreach_lerp_`, which takes no factor from the device. Clipping needs the norm anyway.

With `--device cuda` the images are larger, and a step is only waited for after all of its kind.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from torch.optim.swa_utils import get_ema_multi_avg_fn

import material
from sceneparse.optimization.ema import WeightEMA
from sceneparse.system.device import synchronize
from sceneparse.training.nonfinite import clip_gradients
from training import Trainer, trainer

CLASSES = 150
NETWORKS = {"lite0": 8, "unet_narrow": 8}
ROUNDS = 7


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    options.add_argument("--device", default="cpu", help="cpu or cuda")
    options.add_argument("--quick", action="store_true", help="tiny sizes, as a test")
    chosen = options.parse_args()
    side = 64 if chosen.quick else 256 if chosen.device == "cpu" else 512
    for name, images in NETWORKS.items():
        count = 2 if chosen.quick else images
        overrides = [f"transform.size={side}", f"training.batch_size={count}"]
        if name == "lite0":
            overrides.append("model.weights=none")
        ready = trainer(name, overrides, device=chosen.device)
        batch = material.batch(count, side, side, CLASSES)
        ready.step(batch)
        # A step removes the gradients, so the parts are first.
        seconds = {key: _seconds(work, ready.setup.device) for key, work in _parts(ready).items()}
        step = _seconds(lambda ready=ready, batch=batch: ready.step(batch), ready.setup.device)
        where = f"{count} images of {side}×{side}, {ready.setup.device}"
        print(f"{name}, {where}: {1e3 * step:.0f} ms per step")
        for key, value in seconds.items():
            print(f"  {key}: {1e3 * value:.3f} ms, {value / step:.2%} of a step")


def _parts(ready: Trainer) -> dict[str, Callable[[], object]]:
    """Return the parts of the check, and both averages."""
    state = ready.state
    guard, network = state.guard, state.segmenter
    for weight in network.parameters():
        weight.grad = torch.zeros_like(weight)
    loss = torch.ones((), device=ready.setup.device)
    taken = torch.ones((), device=ready.setup.device)

    def check() -> None:
        guard.keep_buffers()
        norm = clip_gradients(state.optimizer, None)
        guard.restore_buffers(guard.check(state.step, loss, norm, state.scaler))

    average = WeightEMA(network, 0.999)
    averages, weights = list(average.network.parameters()), list(network.parameters())
    lerp = get_ema_multi_avg_fn(0.999)
    return {
        "check": check,
        "its norm of the gradient": lambda: clip_gradients(state.optimizer, None),
        "average": lambda: average.update(network, state.step, taken),
        "average of the weights by lerp": lambda: lerp(averages, weights, state.step),
    }


def _seconds(work: Callable[[], object], device: torch.device) -> float:
    """Return the median seconds of a call, each over as many as take a while."""
    work()
    synchronize(device)
    times: list[float] = []
    for _ in range(ROUNDS):
        calls, start = 0, time.perf_counter()
        while time.perf_counter() - start < 0.05:
            work()
            calls += 1
        synchronize(device)
        times.append((time.perf_counter() - start) / calls)
    return statistics.median(times)


if __name__ == "__main__":
    main()
