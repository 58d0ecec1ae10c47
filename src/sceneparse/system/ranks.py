"""The rank of this process, read from the environment variables of its launcher."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass

# Jobs of these names are interactive shells, not the tasks of a run.
SLURM_SHELLS = ("bash", "interactive")


@dataclass(frozen=True)
class RankInfo:
    """The rank of a process in a run.

    Attributes:
        rank: Index of the process among all, from 0; rank zero prints and writes files.
        world_size: Number of processes on all machines.
        local_rank: Index of the process among those of its machine, from 0.
        local_world_size: Number of processes on its machine.
        was_launched: Whether torchrun, SLURM or sceneparse launched the process.
    """

    rank: int = 0
    world_size: int = 1
    local_rank: int = 0
    local_world_size: int = 1
    was_launched: bool = False


def find_rank_info(environment: Mapping[str, str] = os.environ) -> RankInfo:
    """Read the rank of this process; without torchrun or `srun` it is the only process."""
    if "TORCHELASTIC_RUN_ID" in environment:
        names = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE")
        return RankInfo(*(int(environment[name]) for name in names), was_launched=True)
    # A step may use a part of the allocation, so the count of the step takes precedence.
    tasks = int(environment.get("SLURM_STEP_NUM_TASKS") or environment.get("SLURM_NTASKS", "1"))
    # The environment of a batch script has the task count of the job, but the script is no step.
    is_step = "SLURM_STEP_ID" in environment and "SLURM_PROCID" in environment
    if tasks == 1 or not is_step or environment.get("SLURM_JOB_NAME") in SLURM_SHELLS:
        return RankInfo()
    return RankInfo(
        rank=int(environment["SLURM_PROCID"]),
        world_size=tasks,
        local_rank=int(environment.get("SLURM_LOCALID", "0")),
        local_world_size=_tasks_of_this_node(environment, tasks),
        was_launched=True,
    )


def _tasks_of_this_node(environment: Mapping[str, str], tasks: int) -> int:
    """Return the number of tasks on this node, from a list per node such as `2(x3),1`."""
    counts = environment.get("SLURM_STEP_TASKS_PER_NODE")
    if counts and "SLURM_NODEID" in environment:
        nodes: list[int] = []
        for part in counts.split(","):
            count, _, repeats = part.rstrip(")").partition("(x")
            nodes += [int(count)] * int(repeats or 1)
        return nodes[int(environment["SLURM_NODEID"])]
    nodes_of_step = environment.get("SLURM_STEP_NUM_NODES") or environment.get("SLURM_NNODES", "1")
    return -(-tasks // int(nodes_of_step))


def first_slurm_node(nodes: str) -> str:
    """Return the first host of a SLURM node list: `a003-ib` of `a[003-005,7]-ib,b1`."""
    hosts = re.sub(r"\[(\w+)[^]]*\]", r"\1", nodes)
    return re.split(r"[, ]", hosts)[0]
