"""`make gpu` on the CPU, which tests all of it except CUDA."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

ROOT = Path(__file__).parents[1]
SCRIPT = ROOT / "benchmarks" / "gpu.py"


def run(*options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(SCRIPT), *options], capture_output=True, text=True, check=False
    )


def read(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "gpu.json").read_text(encoding="utf-8"))


@pytest.mark.slow
def test_checks_and_a_benchmark_pass_on_the_cpu(tmp_path: Path) -> None:
    names = ["tf32_switch", "tf32_products", "losses_fp16", "label_maps", "colors", "copies"]
    options = ["--device", "cpu", "--quick", "--out", str(tmp_path)]
    done = run(*options, "--only", *names, "fused_loss")
    assert done.returncode == 0, done.stdout + done.stderr
    record = read(tmp_path)
    assert [check["name"] for check in record["checks"]] == names
    assert {check["status"] for check in record["checks"]} == {"pass"}
    assert all(check["reason"] and check["promise"] for check in record["checks"])
    assert [row["metric"].split(",")[0] for row in record["rows"]] == ["speed", "memory"]
    assert all(row["holds"] is row["min_ratio"] is row["limit"] is None for row in record["rows"])
    assert record["seconds"].keys() == {"checks", "fused_loss"}
    assert not record["failed_parts"]
    assert all(name in done.stdout for name in [*names, "fused_loss"])
    assert str(ROOT) not in json.dumps(record)


def test_parts_without_time_left_fail_and_are_recorded(tmp_path: Path) -> None:
    options = ["--device", "cpu", "--quick", "--out", str(tmp_path), "--seconds", "0.1"]
    done = run(*options, "--only", "colors", "copies", "fused_loss")
    assert done.returncode == 1
    record = read(tmp_path)
    assert [check["status"] for check in record["checks"]] == ["error", "error"]
    assert record["failed_parts"].keys() == {"fused_loss"}
    assert "FAILED fused_loss" in done.stdout


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_the_message_says_what_to_do(tmp_path: Path) -> None:
    done = run("--out", str(tmp_path))
    assert done.returncode == 1
    assert "finds no CUDA device" in done.stderr
    assert "make gpu DEVICE=cpu" in done.stderr
    assert "Traceback" not in done.stderr


def test_every_check_exists_and_has_a_docstring(bench: Any) -> None:
    names, checks = bench("gpu").CHECKS, bench("gpu_checks").CHECKS
    assert len(set(names)) == len(names)
    assert all(checks[name].__doc__ for name in names)


def test_differences_between_nested_states_are_found(bench: Any) -> None:
    runs = bench("gpu_runs")
    one = {"step": 2, "optimizer": {"state": [torch.zeros(2), {"step": torch.tensor(3.0)}]}}
    other = {"step": 2, "optimizer": {"state": [torch.zeros(2), {"step": torch.tensor(4.0)}]}}
    flat = [runs.flat(state) for state in (one, other)]
    assert runs.differing(flat[0], flat[0]) == []
    assert runs.differing(*flat) == [".optimizer.state.1.step"]
    assert runs.differing(flat[0], runs.flat({"step": 2})) == sorted(flat[0].keys() - {".step"})


def test_gpu_wheels_have_the_tested_versions() -> None:
    def pins(path: Path) -> dict[str, str]:
        lines = path.read_text(encoding="utf-8").splitlines()
        found = [re.fullmatch(r"([\w.-]+)==([\w.]+)", line) for line in lines]
        return {pin[1].lower().replace("_", "-"): pin[2] for pin in found if pin}

    tested = pins(ROOT / "constraints.txt") | pins(ROOT / "benchmarks" / "requirements.txt")
    carried = pins(ROOT / "benchmarks" / "gpu_wheels.txt")
    assert carried
    assert carried == {name: tested[name] for name in carried}
