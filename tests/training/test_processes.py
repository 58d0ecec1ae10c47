"""Several processes with gloo compute the same as one process with the whole batch."""

import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import torch
from tests.pair import CASES, LIMITS, NETWORKS, Case, assert_close, rows, steps_of
from torch.distributed import TCPStore  # pyright: ignore[reportPrivateImportUsage] - public

from sceneparse import factory
from sceneparse.config.reading import parse_config, read_config
from sceneparse.errors import InputError
from sceneparse.models.normalization import (
    SyncBatchNorm2d,
    normalization_layer,
    synchronise_batch_norms_,
)
from sceneparse.system.ranks import RankInfo, find_rank_info, first_slurm_node
from sceneparse.tasks.evaluate import evaluate
from sceneparse.tasks.train import train
from sceneparse.training import distributed
from sceneparse.training.auto import resolve
from sceneparse.training.distributed import all_reduce, device_of, process_group

SUMS_RANKS = """
import torch
from sceneparse.system.ranks import find_rank_info
from sceneparse.training.distributed import all_reduce, process_group
rank_info = find_rank_info()
with process_group(rank_info):
    print(int(all_reduce(torch.tensor(1 + rank_info.rank))))
"""

# Kills one of two processes, as the system does when memory is full.
KILLS_RANK_ONE = """
import os, signal
from sceneparse.errors import InputError
from sceneparse.system.ranks import find_rank_info
from sceneparse.training.distributed import any_rank, process_group
rank_info = find_rank_info()
try:
    with process_group(rank_info):
        if rank_info.rank == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        any_rank(False)
except InputError as error:
    print(error)
"""


@pytest.fixture
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.parametrize("case", CASES, ids=" ".join)
@pytest.mark.usefixtures("one_thread")
def test_two_processes_equal_one_with_the_whole_batch(case: Case, pair: Path) -> None:
    network, dtype = case
    mine = torch.load(pair / "results.pt", weights_only=True)[case]
    one = steps_of(case, pair / "data", RankInfo())
    limit = LIMITS[dtype]
    # Losses are reported in fp32, whatever precision computes them.
    assert mine["losses"] == pytest.approx(one["losses"], rel=max(limit, 1e-6))
    assert mine["loss"] == pytest.approx(one["loss"], rel=limit)
    assert int(mine["confusion"].sum()) == int(one["confusion"].sum()) > 0
    assert (mine["synchronised"] > 0) == ("group" not in network)
    for kind in ("weights", "average"):
        for name, tensor in one[kind].items():
            difference = float((mine[kind][name] - tensor).double().norm())
            # Biases start at 0 and have hardly changed.
            assert difference <= limit * max(1.0, float(tensor.double().norm())), name


def test_an_error_is_reported_only_by_the_process_that_found_it(pair: Path) -> None:
    assert (pair / "error_0").read_text().startswith("ReportedByOtherRank")
    assert (pair / "error_1").read_text() == "InputError: only rank one fails"


def test_two_processes_write_the_same_run_as_one(pair: Path) -> None:
    one, two = pair / "one", pair / "two"
    assert {path.relative_to(one) for path in one.rglob("*")} == {
        path.relative_to(two) for path in two.rglob("*")
    }
    assert_close(two, one)
    assert "processes: 2" in (two / "config.yaml").read_text()


@pytest.mark.parametrize("name", ["two", "apart"])
def test_one_process_computes_the_exact_score_of_two(pair: Path, name: str) -> None:
    report = evaluate(pair / name, device="cpu")
    assert report.scores.miou == max(float(row["validation_miou"]) for row in rows(pair / name))


def test_groups_divide_the_channels_and_hold_at_least_eight() -> None:
    for channels, groups in ((4, 1), (8, 1), (16, 2), (24, 3), (40, 5), (64, 8), (512, 32)):
        layer = normalization_layer("group", channels)
        assert isinstance(layer, torch.nn.GroupNorm)
        assert layer.num_groups == groups


def test_synchronised_layers_keep_names_values_and_sharing() -> None:
    shared = torch.nn.BatchNorm2d(4, momentum=None)
    network = torch.nn.Sequential(shared, torch.nn.Sequential(shared), torch.nn.BatchNorm2d(4))
    image = torch.randn(2, 4, 5, 5)
    before = dict(network.state_dict())
    expected = network.eval()(image)
    synchronise_batch_norms_(network, torch.device("cpu"))
    assert isinstance(network[0], SyncBatchNorm2d)
    assert network[0] is network.get_submodule("1.0")
    assert network.state_dict().keys() == before.keys()
    assert torch.equal(network(image), expected)
    # In one process, the layer equals its parent class, also in training.
    again = torch.nn.BatchNorm2d(4, momentum=None)
    assert torch.equal(network[0].train()(image), again(image))


def test_pytorch_synchronises_on_cuda_under_the_same_names() -> None:
    config = parse_config(f"model: {NETWORKS['encoder']}", "test")
    segmenter = config.model.build(4)
    before = {name: tensor.data_ptr() for name, tensor in segmenter.state_dict().items()}
    synchronise_batch_norms_(segmenter, torch.device("cuda"))
    assert any(isinstance(layer, torch.nn.SyncBatchNorm) for layer in segmenter.modules())
    assert not any(isinstance(layer, torch.nn.BatchNorm2d) for layer in segmenter.modules())
    after = {name: tensor.data_ptr() for name, tensor in segmenter.state_dict().items()}
    assert after == before


def test_the_rank_is_read_from_torchrun_and_from_srun() -> None:
    assert find_rank_info({}) == RankInfo()
    names = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE")
    torchrun: dict[str, str] = dict(zip(names, "5824", strict=True))
    assert find_rank_info(torchrun) == RankInfo()
    assert find_rank_info({**torchrun, "TORCHELASTIC_RUN_ID": "x"}) == RankInfo(5, 8, 2, 4, True)
    job = {"SLURM_NTASKS": "8", "SLURM_NNODES": "2", "SLURM_PROCID": "5", "SLURM_LOCALID": "1"}
    assert find_rank_info(job) == RankInfo()  # the batch script
    step = {**job, "SLURM_STEP_ID": "0"}
    assert find_rank_info(step) == RankInfo(5, 8, 1, 4, True)
    assert find_rank_info({**step, "SLURM_JOB_NAME": "interactive"}) == RankInfo()


def test_the_rank_counts_the_tasks_of_a_slurm_step_not_of_its_allocation() -> None:
    allocation = {"SLURM_NTASKS": "8", "SLURM_NNODES": "4", "SLURM_STEP_ID": "1"}
    alone = {"SLURM_PROCID": "0", "SLURM_STEP_NUM_TASKS": "1", "SLURM_STEP_TASKS_PER_NODE": "1"}
    assert find_rank_info({**allocation, **alone}) == RankInfo()
    # Two tasks on each of three nodes, one on the last.
    step = {**allocation, "SLURM_STEP_NUM_TASKS": "7", "SLURM_STEP_NUM_NODES": "4"}
    uneven = {**step, "SLURM_STEP_TASKS_PER_NODE": "2(x3),1"}
    ranks = [(rank, rank // 2, rank % 2) for rank in range(7)]
    for rank, node, local in ranks:
        task = {"SLURM_PROCID": f"{rank}", "SLURM_NODEID": f"{node}", "SLURM_LOCALID": f"{local}"}
        assert find_rank_info({**uneven, **task}) == RankInfo(
            rank, 7, local, 1 if node == 3 else 2, True
        )
        # Some versions of SLURM do not set the tasks of each node.
        assert find_rank_info({**step, **task}) == RankInfo(rank, 7, local, 2, True)


def test_one_process_in_a_job_of_several_tasks_runs_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # sbatch sets these variables for a script whose tasks srun has not started.
    monkeypatch.setenv("SLURM_NTASKS", "4")
    monkeypatch.setenv("SLURM_PROCID", "0")
    monkeypatch.setenv("SLURM_JOB_NAME", "train.sh")
    rank_info = find_rank_info()
    assert rank_info == RankInfo()
    with process_group(rank_info):
        assert not torch.distributed.is_initialized()
        assert int(all_reduce(torch.tensor(1))) == 1


@pytest.mark.parametrize(
    ("nodes", "first"),
    [
        ("node7", "node7"),
        ("node1,node2", "node1"),
        ("node1 node2", "node1"),
        ("node[003-005,7],other3", "node003"),
        ("node[12]", "node12"),
        ("rack[1-2]n[03,05]-ib,login", "rack1n03-ib"),
    ],
)
def test_the_first_node_of_a_slurm_list_is_found(nodes: str, first: str) -> None:
    assert first_slurm_node(nodes) == first


def test_processes_of_a_slurm_step_find_each_other() -> None:
    """Two processes with the environment of a step inside a larger allocation."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    clean = {name: text for name, text in os.environ.items() if not name.startswith("MASTER_")}
    step = {
        **clean,
        "MASTER_PORT": str(port),
        "SLURM_JOB_ID": "17",
        "SLURM_STEP_ID": "3",
        "SLURM_NTASKS": "8",
        "SLURM_NODELIST": "nowhere[1-4]",
        "SLURM_STEP_NODELIST": "localhost",
        "SLURM_STEP_NUM_TASKS": "2",
        "SLURM_STEP_TASKS_PER_NODE": "2",
        "SLURM_NODEID": "0",
    }
    started = [
        subprocess.Popen(
            [sys.executable, "-c", SUMS_RANKS],
            env={**step, "SLURM_PROCID": rank, "SLURM_LOCALID": rank},
            stdout=subprocess.PIPE,
            text=True,
        )
        for rank in "01"
    ]
    assert [process.communicate(timeout=120)[0] for process in started] == ["3\n", "3\n"]


def test_a_process_killed_silently_is_reported_by_another() -> None:
    store = TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    torchrun = {
        "TORCHELASTIC_RUN_ID": "test",
        "TORCHELASTIC_USE_AGENT_STORE": "True",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(store.port),
        "WORLD_SIZE": "2",
        "LOCAL_WORLD_SIZE": "2",
    }
    started = [
        subprocess.Popen(
            [sys.executable, "-c", KILLS_RANK_ONE],
            env={**os.environ, **torchrun, "RANK": rank, "LOCAL_RANK": rank},
            stdout=subprocess.PIPE,
            text=True,
        )
        for rank in "01"
    ]
    outputs = [process.communicate(timeout=120)[0] for process in started]
    assert [process.returncode for process in started] == [0, -9]
    assert outputs[0].startswith("another process of the run may have ended without an error mess")
    # What PyTorch says of it.
    assert re.search(r"message \(.*(closed|reset|gloo).*\); the system", outputs[0], re.IGNORECASE)
    assert outputs[1] == ""


def test_a_batch_is_shared_evenly_or_refused(rectangles_root: Path) -> None:
    text = f"data: {{kind: folder, root: {rectangles_root}}}\nmodel: {{width: 4}}\n"
    given = "device: cpu, precision: fp32, memory_format: contiguous"  # nothing to measure
    config = parse_config(f"{text}training: {{{given}}}", "test")
    data = factory.dataset(config.data, "training")
    segmenter = config.model.build(data.labels.num_classes)
    sizes = {
        processes: resolve(config, segmenter, data, RankInfo(0, processes, 0, processes)).batch_size
        for processes in (1, 2, 3, 8, 24)
    }
    assert sizes == {1: 16, 2: 16, 3: 12, 8: 16, 24: 24}
    ten = parse_config(f"{text}training: {{batch_size: 10, {given}}}", "test")
    message = "10 images .* by 4 processes; start 1, 2, 5 or 10 .* batch of 8 or 12"
    with pytest.raises(InputError, match=message):
        resolve(ten, segmenter, data, RankInfo(1, 4, 1, 4))


def test_a_single_process_cannot_run_as_two(rectangles_config: Path, tmp_path: Path) -> None:
    config = read_config(rectangles_config, ["training.processes=2"])
    with pytest.raises(InputError, match=r"2, but only one process was started; .*torchrun"):
        train(config, out=tmp_path / "run")


def test_more_processes_than_devices_are_refused() -> None:
    with pytest.raises(InputError, match="2 processes on a machine with 1 of mps"):
        device_of(RankInfo(1, 2, 1, 2), "mps")


def test_tasks_of_slurm_but_not_of_torchrun_may_each_see_one_device(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("torch.cuda.device_count", lambda: 1)
    monkeypatch.setenv("SLURM_STEP_ID", "0")
    monkeypatch.delenv("TORCHELASTIC_RUN_ID", raising=False)
    second = RankInfo(1, 2, 1, 2)
    assert device_of(second, "cuda") == torch.device("cuda", 0)
    # `srun torchrun --nproc-per-node=2`
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "x")
    with pytest.raises(InputError, match="2 processes on a machine with 1 of cuda"):
        device_of(second, "cuda")


def test_a_store_that_cannot_open_is_not_called_late(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MASTER_ADDR", "127.0.0.1")
    with socket.socket() as taken:
        taken.bind(("", 0))
        taken.listen()
        port = taken.getsockname()[1]
        monkeypatch.setenv("MASTER_PORT", str(port))
        message = (
            rf"process 0 of 2: cannot open the store of the run at 127\.0\.0\.1:{port} \(.*in use"
        )
        with pytest.raises(InputError, match=message), process_group(RankInfo(0, 2, 0, 2)):
            pass
    # The port is free again, but no other process comes.
    monkeypatch.setattr(distributed, "JOIN_TIMEOUT", timedelta(seconds=0.1))
    message = r"not all processes of the run have started within 0 minutes \(Timed out"
    with pytest.raises(InputError, match=message), process_group(RankInfo(0, 2, 0, 2)):
        pass
