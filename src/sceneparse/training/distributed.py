"""The process group of a run: joining it, collectives, DDP, and reporting an error only once."""

import os
import time
import warnings
from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import timedelta
from typing import TypeVar, cast

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed import (
    PrefixStore,  # pyright: ignore[reportPrivateImportUsage] - public
    Store,  # pyright: ignore[reportPrivateImportUsage] - public
    TCPStore,  # pyright: ignore[reportPrivateImportUsage] - public
)
from torch.distributed.rendezvous import rendezvous
from torch.nn.parallel import DistributedDataParallel

from sceneparse.errors import InputError, ReportedByOtherRank
from sceneparse.system.ranks import RankInfo, first_slurm_node
from sceneparse.training.heartbeat import REPORT_S, Heartbeat

Value = TypeVar("Value")

# The other processes wait while rank zero draws images or writes to a slow disk; the heartbeat
# notices earlier if it does not.
TIMEOUT = timedelta(minutes=30)
# Machines may import PyTorch from a slow disk.
JOIN_TIMEOUT = timedelta(minutes=10)


@contextmanager
def process_group(rank_info: RankInfo) -> Generator[None]:
    """Join the process group of a run; a single process, or one that has joined, does nothing.

    One process re-raises an error from inside the `with`; the others raise `ReportedByOtherRank`.
    At the end, all processes wait for each other. If one of them falls silent, the others end: one
    prints why, and all exit with code 2.

    After an error the process has to end. Its group stays, because leaving it may wait for a
    process that is gone, and another `process_group` would use what is left of it.

    Args:
        rank_info: The rank of this process.

    Raises:
        ReportedByOtherRank: If another process reports why the run ends.
    """
    if rank_info.world_size == 1 or _is_initialized():
        yield
        return
    store = _store(rank_info)
    with _heartbeat(rank_info) as heartbeat:
        try:
            _join(rank_info, store)
            yield
            any_rank(False)
        except BaseException as error:
            raised = _raised_once(error, heartbeat)
            if raised is error:
                raise
            raise raised from error
    dist.destroy_process_group()


def _join(rank_info: RankInfo, store: Store) -> None:
    # Collectives on CPU tensors go over gloo and need not wait for the accelerators.
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
    dist.init_process_group(
        backend,
        store=PrefixStore("group", store),
        rank=rank_info.rank,
        world_size=rank_info.world_size,
        timeout=TIMEOUT,
    )


def device_of(rank_info: RankInfo, kind: str) -> torch.device:
    """Return the device of a process.

    Args:
        rank_info: The rank of the process.
        kind: `cpu`, `cuda` or `mps`.

    Raises:
        InputError: If its machine has fewer devices than processes.
    """
    if kind == "cpu":
        return torch.device(kind)
    count = torch.cuda.device_count() if kind == "cuda" else 1
    # SLURM may make only its own device visible to each process that it starts; those that
    # torchrun starts in a step see the same ones.
    by_slurm = "SLURM_STEP_ID" in os.environ and "TORCHELASTIC_RUN_ID" not in os.environ
    has_own = count == 1 and by_slurm
    if rank_info.local_rank >= count and not has_own:
        raise InputError(
            f"{rank_info.local_world_size} processes on a machine with {count} of {kind}; start "
            "one per device, or set training.device=cpu"
        )
    return torch.device(kind, 0 if has_own else rank_info.local_rank)


def data_parallel(
    module: nn.Module, device: torch.device, *, static_graph: bool, find_unused_parameters: bool
) -> DistributedDataParallel:
    """Wrap a module in DDP, which averages its gradients over all processes.

    Args:
        module: The module, on its device.
        device: The device of this process.
        static_graph: Whether every backward pass is like the first one, in which DDP then finds
            the unused parameters. That pass has to exchange gradients: if a later one does, a
            resumed run adds up in another order.
        find_unused_parameters: Whether DDP searches for unused parameters in every pass.
    """
    # Two descriptions of the same layout of a 1×1 convolution's weights trigger this warning.
    warnings.filterwarnings("ignore", message="Grad strides do not match bucket view strides")
    return DistributedDataParallel(
        module,
        device_ids=None if device.type == "cpu" else [device],
        static_graph=static_graph,
        find_unused_parameters=find_unused_parameters,
        gradient_as_bucket_view=True,
    )


def all_reduce(tensor: Tensor) -> Tensor:
    """Sum a tensor over all processes, in place."""
    if _is_initialized():
        dist.all_reduce(tensor)
    return tensor


def any_rank(condition: bool) -> bool:
    """Return whether the condition holds in any process; all wait for each other, on the CPU."""
    if not _is_initialized():
        return condition
    return bool(all_reduce(torch.tensor(int(condition))))


def max_over_ranks(number: int) -> int:
    """Return the largest of the numbers of all processes."""
    if not _is_initialized():
        return number
    tensor = torch.tensor(number)
    dist.all_reduce(tensor, dist.ReduceOp.MAX)
    return int(tensor)


def broadcast_from_rank_zero(make: Callable[[], Value]) -> Value:
    """Call a function in rank zero and return its result, a picklable value, in all processes."""
    if not _is_initialized():
        return make()
    values = [make() if dist.get_rank() == 0 else None]
    dist.broadcast_object_list(values, device=torch.device("cpu"))
    return cast("Value", values[0])


@torch.no_grad()
def broadcast_buffers(module: nn.Module) -> None:
    """Copy the running statistics of rank zero, which are saved, to all processes."""
    if _is_initialized():
        for buffer in module.buffers():
            dist.broadcast(buffer, 0)


def _is_initialized() -> bool:
    return dist.is_available() and dist.is_initialized()


def _store(rank_info: RankInfo) -> Store:
    """Connect to the key-value store of the run."""
    if "MASTER_ADDR" not in os.environ and "SLURM_STEP_ID" in os.environ:
        nodes = os.environ.get("SLURM_STEP_NODELIST") or os.environ["SLURM_NODELIST"]
        os.environ["MASTER_ADDR"] = first_slurm_node(nodes)
        # Jobs on one node, and steps of one job, need different ports; services use lower ones.
        job, step = int(os.environ["SLURM_JOB_ID"]), int(os.environ["SLURM_STEP_ID"])
        os.environ.setdefault("MASTER_PORT", str(15000 + (job + 101 * step) % 10000))
    try:
        store, _, _ = next(
            rendezvous("env://", rank_info.rank, rank_info.world_size, timeout=JOIN_TIMEOUT)
        )
    except RuntimeError as error:  # PyTorch 2.6 raises no DistError for a port that is taken
        # Without a store, processes cannot agree; one of each machine reports.
        kind = ReportedByOtherRank if rank_info.local_rank else InputError
        raise kind(
            f"process {rank_info.rank} of {rank_info.world_size}: {_store_problem(error)}"
        ) from error
    return store


def _store_problem(error: Exception) -> str:
    """Say why this process has no connection to the store of the run."""
    said = _first_line(error)
    if "timed out" in said.lower():
        minutes = JOIN_TIMEOUT.seconds // 60
        return f"not all processes of the run have started within {minutes} minutes ({said})"
    place = f"{os.environ['MASTER_ADDR']}:{os.environ['MASTER_PORT']}"
    return (
        f"cannot open the store of the run at {place} ({said}); MASTER_ADDR must be the machine of "
        "process 0, and MASTER_PORT a free port of it"
    )


def _first_line(error: Exception) -> str:
    """Return what an error of PyTorch says, without the stack of C++ below it."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def _heartbeat(rank_info: RankInfo) -> Heartbeat:
    address, port = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
    store: Store = TCPStore(address, port, is_master=False, wait_for_workers=False)
    # The launcher's store keeps the keys of processes that torchrun has started again.
    restarts = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")
    if restarts != "0":
        store = PrefixStore(f"restart_{restarts}", store)
    has_launcher = os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True"
    return Heartbeat(store, rank_info, rank_zero_keeps_store=not has_launcher)


def _raised_once(error: BaseException, heartbeat: Heartbeat) -> BaseException:
    """Return what this process raises for an error: only the first to fail reports it."""
    try:
        is_first = heartbeat.report_failure()
    except RuntimeError:
        # The process that kept the store is gone; unless it has told why, it was killed.
        is_first = heartbeat.reports_lost_store and not heartbeat.is_failure_known
    if not isinstance(error, Exception):
        return error
    if not is_first:
        time.sleep(REPORT_S)
        return ReportedByOtherRank(str(error))
    if _is_lost_connection(error):
        return InputError(
            "another process of the run may have ended without an error message "
            f"({_first_line(error)}); the system kills a process when memory is full: resume the "
            "run, or start a new run with a smaller training.batch_size",
            "resume",
        )
    return error


def _is_lost_connection(error: Exception) -> bool:
    """Return whether an error may mean that another process is gone."""
    message = str(error).lower()
    return isinstance(error, dist.DistError) or (
        isinstance(error, RuntimeError)
        and any(words in message for words in ("gloo", "closed by peer", "reset by peer"))
    )
