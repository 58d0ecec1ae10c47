"""Two machines, made of network namespaces, lose the network between them."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sceneparse.artifacts.run_folder import RunFolder
from tests.reliability.several_processes import run_ranks
from tests.reliability.test_crash_states import results

CAN_MAKE_MACHINES = sys.platform == "linux" and shutil.which("ip") and os.geteuid() == 0
pytestmark = [
    pytest.mark.torture,
    pytest.mark.timeout(600),
    pytest.mark.skipif(not CAN_MAKE_MACHINES, reason="needs root and the command ip"),
]
PORT = 23456
LIMIT_S = 60.0
KEEPS_STORE = f"""
import time
from torch.distributed import TCPStore
store = TCPStore("10.77.0.1", {PORT}, is_master=True, wait_for_workers=False)
print("ready", flush=True)
time.sleep(600)
"""


def ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True)


@pytest.fixture
def machines() -> Iterator[list[str]]:
    """Names of two connected network namespaces; their interfaces have the same names."""
    names = [f"sceneparse{os.getpid()}{letter}" for letter in "ab"]
    try:
        for name in names:
            ip("netns", "add", name)
        peer = ["peer", "name", "net0", "netns", names[1]]
        ip("link", "add", "net0", "netns", names[0], "type", "veth", *peer)
        for number, name in enumerate(names, start=1):
            ip("-n", name, "addr", "add", f"10.77.0.{number}/24", "dev", "net0")
            ip("-n", name, "link", "set", "net0", "up")
            ip("-n", name, "link", "set", "lo", "up")
        yield names
    finally:
        for name in names:
            ip("netns", "del", name)


def started(machine: str, *command: str, **environment: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        ["ip", "netns", "exec", machine, sys.executable, *command],
        env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def environment_of(rank: int, launcher: str) -> dict[str, str]:
    environment = {
        "GLOO_SOCKET_IFNAME": "net0",
        "MASTER_ADDR": "10.77.0.1",
        "MASTER_PORT": str(PORT),
    }
    if launcher == "torchrun":
        sizes = {"WORLD_SIZE": "2", "LOCAL_RANK": "0", "LOCAL_WORLD_SIZE": "1"}
        store = {"TORCHELASTIC_RUN_ID": "test", "TORCHELASTIC_USE_AGENT_STORE": "True"}
        return {**environment, **sizes, **store, "RANK": str(rank)}
    step = {"SLURM_JOB_ID": "17", "SLURM_STEP_ID": "3", "SLURM_STEP_NUM_TASKS": "2"}
    places = {"SLURM_STEP_TASKS_PER_NODE": "1(x2)", "SLURM_LOCALID": "0"}
    return {
        **environment,
        **step,
        **places,
        "SLURM_PROCID": str(rank),
        "SLURM_NODEID": str(rank),
    }


@pytest.mark.parametrize("launcher", ["slurm", "torchrun"])
def test_both_machines_end_when_one_is_cut_off_and_the_run_resumes(
    launcher: str, machines: list[str], rectangles_config: Path, tmp_path: Path
) -> None:
    arguments = ["train", str(rectangles_config), "training.epochs=40", "report.every=40"]
    whole = run_ranks([*arguments, "--out", "whole"], tmp_path)
    assert whole.codes == [0, 0], whole.stderr
    store = None
    if launcher == "torchrun":
        store = started(machines[0], "-c", KEEPS_STORE)
        assert store.stdout is not None
        assert store.stdout.readline() == "ready\n"
    folder = tmp_path / "cut"
    ranks = [
        started(
            machine, "-m", "sceneparse", *arguments, "--out", str(folder),
            **environment_of(rank, launcher),
        )
        for rank, machine in enumerate(machines)
    ]  # fmt: skip
    try:
        while not RunFolder(folder).metrics.exists():
            assert [rank.poll() for rank in ranks] == [None, None]
            time.sleep(0.01)
        ip("-n", machines[0], "link", "set", "net0", "down")
        start = time.monotonic()
        errors = [rank.communicate()[1] for rank in ranks]
        seconds = time.monotonic() - start
    finally:
        for process in (*ranks, store):
            if process is not None:
                process.kill()
                process.communicate()
    sys.stdout.write(f"{launcher}: both machines had ended {seconds:.1f} s after the cut\n")
    assert [rank.returncode for rank in ranks] == [2, 2]
    # They cannot agree on one that reports.
    assert [error.count("error: ") for error in errors] == [1, 1], errors
    assert all("has been silent for 40 s" in error for error in errors)
    assert seconds < LIMIT_S
    resumed = run_ranks([*arguments, "--out", "cut", "--resume"], tmp_path)
    assert resumed.codes == [0, 0], resumed.stderr
    assert results(RunFolder(folder)) == results(RunFolder(tmp_path / "whole"))
