"""A run that cannot be compiled trains uncompiled with the same results, and says so."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.command import COMMAND
from tests.cli.conftest import Cli

SHORT = ("training.epochs=1", "report.images=1")
MESSAGE = "training.compile: continues uncompiled: "
# Prints a version like a compiler, and compiles nothing.
BROKEN = """#!/bin/sh
case "$*" in *--version*) echo "g++ 13.0.0"; exit 0;; esac
exit 1
"""
WITHOUT_TRITON = """
import sys
sys.modules["triton"] = None
import torch
from sceneparse.training.compilation import missing_to_compile
print(missing_to_compile(torch.device("cuda")))
"""


@pytest.mark.slow
def test_a_run_without_a_compiler_trains_uncompiled_and_says_so(
    rectangles_config: Path,
    cli: Cli,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("CXX", str(tmp_path / "nothing"))
    command = ("train", rectangles_config, *SHORT, "training.compile=on", "--out", "run")
    done = cli(*command)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count(f"{MESSAGE}there is no C++ compiler; install g++") == 1
    assert ", compiled" not in done.stdout
    # The same command resumes, because the stored config holds the requested value.
    assert cli(*command, "--resume").returncode == 0


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="the broken compiler is a shell script")
def test_a_broken_compiler_is_found_at_the_first_step_and_changes_no_result(
    rectangles_config: Path, tmp_path: Path
) -> None:
    compiler = tmp_path / "broken"
    compiler.write_text(BROKEN)
    compiler.chmod(0o755)
    environment = {
        **os.environ,
        "CXX": str(compiler),
        "TORCHINDUCTOR_CACHE_DIR": str(tmp_path / "cache"),
    }
    command = [COMMAND, "train", str(rectangles_config), *SHORT]
    metrics: list[bytes] = []
    for choice in ("on", "off"):
        done = subprocess.run(
            [*command, f"training.compile={choice}", "--out", choice],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert (MESSAGE in done.stderr) == (choice == "on")
        metrics.append((tmp_path / choice / "metrics.csv").read_bytes())
    assert metrics[0] == metrics[1]


def test_without_triton_nothing_is_compiled_for_cuda() -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_TRITON], capture_output=True, text=True, check=True
    )
    assert done.stdout == "there is no Triton; `pip install triton`\n"
