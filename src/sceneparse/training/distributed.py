"""The processes of a run: how they find each other, add up, agree, and tell an error once."""

import os
import time
import warnings
from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, TypeVar, cast

import torch
import torch.distributed as dist
from lightning_fabric import Fabric
from lightning_fabric.plugins import MixedPrecision
from lightning_fabric.plugins.environments.cluster_environment import ClusterEnvironment
from lightning_fabric.plugins.environments.slurm import SLURMEnvironment
from lightning_fabric.strategies.ddp import DDPStrategy
from torch import Tensor, nn
from torch.distributed import PrefixStore, Store  # pyright: ignore[reportPrivateImportUsage] - public
from torch.distributed.rendezvous import rendezvous

from sceneparse.errors import InputError, ReportedByOtherRank
from sceneparse.system.ranks import RankInfo, find_rank_info

Value = TypeVar("Value")

# The others wait while the first one draws images or writes to a slow disk.
TIMEOUT = timedelta(minutes=30)
# Whoever started the processes ends all of them when the first one ends: the one that tells the
# user what was wrong needs a moment for it.
MOMENT_S = 1.0


@contextmanager
def process_group(rank_info: RankInfo) -> Generator[None]:
    """Be one of the processes of a run while inside; alone, or joined already, do nothing.

    An error that is raised inside, in one process or in all, is raised on by one of them; in the
    others it becomes `ReportedByOtherRank`. At the end all wait for each other.

    Raises:
        ReportedByOtherRank: If another process tells the user why the run ends.
    """
    if rank_info.world_size == 1 or _is_joined():
        yield
        return
    store = _store(rank_info)
    # Words between hosts go over gloo, and need not wait for what the accelerators are doing.
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
    dist.init_process_group(
        backend,
        store=PrefixStore("group", store),
        rank=rank_info.rank,
        world_size=rank_info.world_size,
        timeout=TIMEOUT,
    )
    try:
        yield
        any_rank(False)
    except BaseException as error:
        raised = _raised_once(error, store)
        if raised is error:
            raise
        raise raised from error
    dist.destroy_process_group()


def fabric_of(
    rank_info: RankInfo,
    device: torch.device,
    precision: MixedPrecision | None,
    *,
    is_static: bool = True,
    has_unused: bool = False,
) -> Fabric:
    """Make what computes a run's steps: on one device, or by DDP on one of each process.

    Args:
        rank_info: Rank of this process.
        device: Where they compute.
        precision: What makes the precision mixed.
        is_static: Whether every backward pass is as the first one, in which DDP then finds the
            parameters that are never used. It exchanges gradients in this one, which may therefore
            not be left to a later one: a resumed run would add up in another order.
        has_unused: Whether it has to look for such parameters in each.

    Raises:
        InputError: If there are too few devices for the processes of this machine.
    """
    own: list[Any] = [precision] if precision else []
    if rank_info.world_size == 1:
        # Told what there is, Fabric does not look for a SLURM job whose tasks it would miss.
        return Fabric(accelerator=device.type, devices=1, plugins=[_Started(rank_info), *own])
    # Of a 1×1 convolution's weights two descriptions of one layout are told as different ones.
    warnings.filterwarnings("ignore", message="Grad strides do not match bucket view strides")
    strategy = DDPStrategy(
        parallel_devices=[device_of(rank_info, device.type)] * rank_info.local_world_size,
        cluster_environment=_Started(rank_info),
        static_graph=is_static,
        find_unused_parameters=has_unused,
        gradient_as_bucket_view=True,
    )
    fabric = Fabric(
        accelerator=device.type,
        devices=1,
        strategy=strategy,
        plugins=own,
    )
    fabric.launch()
    return fabric


def device_of(rank_info: RankInfo, kind: str) -> torch.device:
    """Return the device of a process.

    Raises:
        InputError: If there are too few of them on its machine.
    """
    if kind == "cpu":
        return torch.device(kind)
    there = torch.cuda.device_count() if kind == "cuda" else 1
    # SLURM may show each process its own device alone.
    shown_one = there == 1 and "SLURM_STEP_ID" in os.environ
    if rank_info.local_rank >= there and not shown_one:
        raise InputError(
            f"{rank_info.local_world_size} processes on a machine with {there} of {kind}; start "
            "one per device, or set training.device=cpu"
        )
    return torch.device(kind, 0 if shown_one else rank_info.local_rank)


def all_reduce(tensor: Tensor) -> Tensor:
    """Add a tensor up over all processes, in place."""
    if _is_joined():
        dist.all_reduce(tensor)
    return tensor


def any_rank(asks: bool) -> bool:
    """Tell whether any process asks; all wait here for each other, on the host alone."""
    if not _is_joined():
        return asks
    return bool(all_reduce(torch.tensor(int(asks))))


def max_over_ranks(number: int) -> int:
    """Return the largest number that a process has."""
    if not _is_joined():
        return number
    found = torch.tensor(number)
    dist.all_reduce(found, dist.ReduceOp.MAX)
    return int(found)


def broadcast_from_rank_zero(make: Callable[[], Value]) -> Value:
    """Let the first process make a value, and return it in all; it has to be picklable."""
    if not _is_joined():
        return make()
    values = [make() if dist.get_rank() == 0 else None]
    dist.broadcast_object_list(values, device=torch.device("cpu"))
    return cast("Value", values[0])


@torch.no_grad()
def broadcast_buffers(module: nn.Module) -> None:
    """Copy the running statistics of rank zero, which are saved, to all processes."""
    if _is_joined():
        for buffer in module.buffers():
            dist.broadcast(buffer, 0)


def _is_joined() -> bool:
    return dist.is_available() and dist.is_initialized()


def _store(rank_info: RankInfo) -> Store:
    """Connect to where processes leave notes for each other."""
    if "MASTER_ADDR" not in os.environ and "SLURM_STEP_ID" in os.environ:
        nodes = os.environ.get("SLURM_STEP_NODELIST") or os.environ["SLURM_NODELIST"]
        os.environ["MASTER_ADDR"] = SLURMEnvironment.resolve_root_node_address(nodes)
        # Jobs that share a node differ in it, and steps of one job; services take ports below.
        job, step = int(os.environ["SLURM_JOB_ID"]), int(os.environ["SLURM_STEP_ID"])
        os.environ.setdefault("MASTER_PORT", str(15000 + (job + 101 * step) % 10000))
    store, _, _ = next(rendezvous("env://", rank_info.rank, rank_info.world_size, timeout=TIMEOUT))
    return store


def _raised_once(error: BaseException, store: Store) -> BaseException:
    """Return what a process raises for an error: the first to fail the error, others little."""
    try:
        is_first = store.add("errors", 1) == 1
    except RuntimeError:
        # The process that kept the notes is gone, so it was not the first to fail.
        is_first = False
    if not isinstance(error, Exception):
        return error
    if not is_first:
        time.sleep(MOMENT_S)
        return ReportedByOtherRank(str(error))
    if _lost_another(error):
        return InputError(
            "another process of the run ended without a word (the system kills one when memory is "
            "full: use a smaller training.batch_size in another run); go on with --resume"
        )
    return error


def _lost_another(error: Exception) -> bool:
    """Tell whether an error is that another process is gone."""
    said = str(error).lower()
    return isinstance(error, dist.DistError) or (
        isinstance(error, RuntimeError)
        and any(words in said for words in ("gloo", "closed by peer", "reset by peer"))
    )


class _Started(ClusterEnvironment):
    """What Fabric asks of those who started the processes, answered by its rank."""

    def __init__(self, rank_info: RankInfo) -> None:
        super().__init__()
        self._rank_info = rank_info

    @property
    def creates_processes_externally(self) -> bool:
        return True

    @property
    def main_address(self) -> str:
        return os.environ["MASTER_ADDR"]

    @property
    def main_port(self) -> int:
        return int(os.environ["MASTER_PORT"])

    @staticmethod
    def detect() -> bool:
        return find_rank_info().world_size > 1

    def world_size(self) -> int:
        return self._rank_info.world_size

    def set_world_size(self, size: int) -> None:
        """Leave it."""

    def global_rank(self) -> int:
        return self._rank_info.rank

    def set_global_rank(self, rank: int) -> None:
        """Leave it."""

    def local_rank(self) -> int:
        return self._rank_info.local_rank

    def node_rank(self) -> int:
        return self._rank_info.rank // self._rank_info.local_world_size
