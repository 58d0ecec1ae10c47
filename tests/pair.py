"""The work of two processes, which start once for all tests of several processes."""

import csv
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.distributed import TCPStore  # pyright: ignore[reportPrivateImportUsage] - public
from torch.multiprocessing.spawn import start_processes

from sceneparse import factory
from sceneparse.artifacts.checkpoint import Checkpoints, read_checkpoint
from sceneparse.config.reading import parse_config, read_config
from sceneparse.data.loader import Batch
from sceneparse.errors import InputError
from sceneparse.losses.loss import LossOutput
from sceneparse.models.normalization import SyncBatchNorm2d
from sceneparse.ops.confusion import tensor_confusion_matrix
from sceneparse.ops.upsampling import upsample
from sceneparse.system.ranks import RankInfo, find_rank_info
from sceneparse.tasks.train import train
from sceneparse.training.auto import resolve
from sceneparse.training.distributed import (
    all_reduce,
    any_rank,
    broadcast_from_rank_zero,
    process_group,
)
from sceneparse.training.loop import train_step
from sceneparse.training.setup import set_up_training
from tests.cli.command import CONTEXT

NETWORKS = {
    "group": "{width: 8, normalization: group}",
    # The same network; each of two processes computes its share in two parts.
    "group_in_parts": "{width: 8, normalization: group}",
    "batch": "{width: 8}",
    # Depthwise convolutions, and the normalisation layers of timm that include an activation.
    "encoder": "{kind: encoder_unet, encoder: test_efficientnet, weights: none}",
    "everything": "{kind: encoder_unet, encoder: test_efficientnet, weights: none, head_levels: 2,"
    " block: separable, freeze_stages: 2}",
}
# In fp64, rounding errors are negligible. In fp32, a ReLU whose input is within 1e-7 of 0 may
# switch when sums are added in another order, even in one process, and the gradient changes by
# 1e-2. The tests replace it by a smooth function there.
CASES = [(network, dtype) for network in NETWORKS for dtype in ("float64", "float32", "bfloat16")]
LIMITS = {"float64": 1e-9, "float32": 1e-5, "bfloat16": 1e-1}
STEPS = {"float64": 4, "float32": 2, "bfloat16": 2}
APART = ("training.epochs=2", "model.normalization=batch", "training.sync_batch_norm=false")
# Overrides of the run that is stopped in the middle. It uses SGD, whose steps are proportional to
# the gradient. Adam divides each element by its own magnitude, so an element that only consists of
# rounding errors changes as much as any other: noise of 3e-7 of the gradient changed a bias by 13 %
# in 48 steps of Adam, and by 6e-6 in 48 steps of SGD.
LONGER = (
    "training.epochs=4",
    "optimizer={kind: sgd, lr: 0.05, momentum: 0.9}",
    "training.ema=0.9",
    "training.accumulation=2",
    "optimizer.layer_decay=0.8",
    "schedule.kind=one_cycle",
    "report.every=4",
)
Case = tuple[str, str]
Result = dict[str, Any]


class ExactCrossEntropy(nn.Module):
    """Cross-entropy in the type of the features; the loss of sceneparse computes in fp32."""

    ignore_index = 255

    def forward(
        self, features: Tensor, head: nn.Conv2d, covered: tuple[float, float], target: Tensor
    ) -> LossOutput:
        logits = upsample(head(features), covered, (target.shape[1], target.shape[2]))
        confusion = tensor_confusion_matrix(
            logits.argmax(1), target, head.out_channels, self.ignore_index
        )
        total = F.cross_entropy(
            logits, target.long(), ignore_index=self.ignore_index, reduction="sum"
        )
        return LossOutput(total, confusion)


def steps_of(case: Case, root: Path, rank_info: RankInfo) -> Result:
    """Train a few steps, and return losses, counts and weights."""
    network, dtype = case
    parts = 2 if network == "group_in_parts" and rank_info.world_size > 1 else 1
    precision = "bf16" if dtype == "bfloat16" else "fp32"
    text = f"""
data: {{kind: folder, root: {root}}}
model: {NETWORKS[network]}
transform: {{size: 32, flip: 0.5}}
optimizer: {{kind: sgd, lr: 0.01, momentum: 0}}
schedule: {{kind: constant}}
training:
  {{epochs: 1, batch_size: 8, accumulation: {parts}, clip_norm: 1, ema: 0.9, threads: 1,
    precision: {precision}, memory_format: channels_last, device: cpu, compile: off}}
"""
    config = parse_config(text, "test")
    training = factory.dataset(config.data, "training")
    torch.manual_seed(1)
    segmenter = config.model.build(training.labels.num_classes)
    # No step uses this parameter, as with some networks of timm.
    segmenter.register_parameter("unused", nn.Parameter(torch.ones(3)))
    if dtype == "float64":
        segmenter = segmenter.double()
    else:
        for name, layer in list(segmenter.named_modules()):
            if isinstance(layer, nn.ReLU):
                parent, _, attribute = name.rpartition(".")
                setattr(segmenter.get_submodule(parent), attribute, nn.SiLU())
    settings = resolve(config, segmenter, training, rank_info)
    state, setup = set_up_training(
        config,
        settings,
        segmenter,
        training,
        lambda _: pytest.fail("unexpected validation"),
        rank_info,
    )
    if dtype == "float64":
        setup = replace(setup, loss=ExactCrossEntropy())
    losses: list[float] = []
    for batch in setup.loader.batches(0, STEPS[dtype]):
        losses.append(float(train_step(state, setup, mostly_void(batch, rank_info))))
        state.step += 1
    return {
        "losses": losses,
        "loss": float(state.sums.loss),
        "confusion": all_reduce(state.sums.confusion),
        "weights": segmenter.state_dict(),
        "average": state.kept.state_dict(),
        "synchronised": sum(isinstance(m, SyncBatchNorm2d) for m in segmenter.modules()),
    }


def mostly_void(batch: Batch, rank_info: RankInfo) -> Batch:
    """Make the images of rank zero void: the first completely, the others except one row."""
    mask = batch.mask.copy()
    if rank_info.rank == 0:
        mask[:4, 1:] = ExactCrossEntropy.ignore_index
        mask[0] = ExactCrossEntropy.ignore_index
    return batch._replace(mask=mask)


def run_rank(rank: int, port: int, folder: Path) -> None:
    """Run one process as torchrun would start it; rank zero writes the results."""
    torch.set_num_threads(1)
    os.environ |= {
        "TORCHELASTIC_RUN_ID": "test",
        "TORCHELASTIC_USE_AGENT_STORE": "True",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "WORLD_SIZE": "2",
        "LOCAL_WORLD_SIZE": "2",
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
    }
    try:
        with process_group(find_rank_info()):
            _work(rank, folder)
            if rank == 1:
                raise InputError("only rank one fails")
            any_rank(False)
    except InputError as error:
        (folder / f"error_{rank}").write_text(f"{type(error).__name__}: {error}")


def _work(rank: int, folder: Path) -> None:
    results = {case: steps_of(case, folder / "data", find_rank_info()) for case in CASES}
    for case, result in results.items():
        for kind in ("weights", "average"):
            for name, tensor in result[kind].items():
                theirs = broadcast_from_rank_zero(lambda tensor=tensor: tensor)
                assert torch.equal(tensor, theirs), f"{case}: {kind} {name} differs"
    if rank == 0:
        torch.save(results, folder / "results.pt")
    for name, overrides in (("two", LONGER), ("apart", APART)):
        config = read_config(folder / "run.yaml", overrides)
        train(config, out=folder / name)


def run_pair(folder: Path) -> None:
    """Run both processes, and then the same run in one process."""
    store = TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    method = CONTEXT.get_start_method()
    start_processes(run_rank, args=(store.port, folder), nprocs=2, start_method=method)
    train(read_config(folder / "run.yaml", LONGER), out=folder / "one")


def rows(run: Path) -> list[dict[str, str]]:
    return list(csv.DictReader((run / "metrics.csv").read_text().splitlines()))


def assert_close(run: Path, other: Path) -> None:
    """Compare the metrics and the weights of two runs, whose sums have different orders.

    Rounding alone changes each step by about 1e-6 of its length. A ReLU or a maximum whose input is
    within a rounding error of its switching point has a larger effect: at the deepest level of this
    network, with 4 images of 2×2, one value is a 16th of the gradient of one of 64 channels, which
    is 1/16/√64 of the gradient of the layer, in one of 24 steps. This is 3.3e-4 of the distance
    that the weights move, or 3.6e-5 of their norm, as they move by a 9th of it. Wrong mathematics,
    such as a mean over the pixels of one process, changes the distance by at least a hundredth.
    """
    for mine, theirs in zip(rows(run), rows(other), strict=True):
        for name, value in theirs.items():
            # The loss changes no more than the weights. Scores count pixels, and a few pixels may
            # lie on the border between two classes.
            tolerance = 1e-4 if "loss" in name else 2e-3
            assert float(mine[name]) == pytest.approx(float(value), rel=tolerance), name
    weights, expected = (
        torch.cat(
            [
                tensor.double().flatten()
                for name, tensor in read_checkpoint(checkpoints.paths()[0])["segmenter"].items()
                if name.startswith("network.")
            ]
        )
        for checkpoints in (Checkpoints(path / "checkpoints") for path in (run, other))
    )
    assert float((weights - expected).norm()) <= 1e-4 * float(expected.norm())
