"""A full, limited or read-only disk ends a run with one message, and the run can go on later."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Generator
from pathlib import Path

import pytest
import safetensors.torch
import torch

from sceneparse.artifacts.run_folder import RunFolder
from sceneparse.artifacts.weights import read_weights
from tests.cli.command import run_command
from tests.reliability.test_crash_states import results

OVERRIDES = ("training.epochs=2", "report.every=1", "training.threads=1", "model.width=2")
# Runs in the process of a run: acts on the disk at the n-th time that a file of the run folder is
# opened for writing, or renamed to its name.
AT_EVENT = """
import os, resource, subprocess, sys
seen, acting = [0], [False]
def act(disk):
    {action}
def hook(event, arguments):
    if acting[0] or event != {event!r} or not str(arguments[0]).startswith({folder!r}):
        return
    if event == "open" and not arguments[2] & os.O_ACCMODE:
        return
    seen[0] += 1
    if seen[0] == {number}:
        acting[0] = True
        act({disk!r})
sys.addaudithook(hook)
"""
FILL = """
    free = os.statvfs(disk).f_bavail * 4096 - {left}
    with open(disk + "/filler", "wb") as file:
        file.write(bytes(free))
"""
READ_ONLY = 'subprocess.run(["mount", "-o", "remount,ro", disk], check=True)'
LIMIT = "resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))"
DISK_BYTES = 64_000_000
AS_NOBODY = "import os; os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"


def mounted(size: int) -> Generator[Path]:
    """Mount an empty disk in memory that everyone may write to."""
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("only root may mount a disk")
    # Unlike the folders of pytest, another user may enter it.
    folder = Path(tempfile.mkdtemp(prefix="disk"))
    folder.chmod(0o755)
    options = f"size={size},mode=0777"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)
        folder.rmdir()


@pytest.fixture
def disk() -> Generator[Path]:
    """An empty disk of 64 MB."""
    yield from mounted(DISK_BYTES)


@pytest.fixture
def tiny_disk() -> Generator[Path]:
    """An empty disk of 3 MB."""
    yield from mounted(3_000_000)


class UndisturbedRun:
    """A run with free space."""

    def __init__(self, config: Path, home: Path) -> None:
        self.arguments = ("train", str(config), *OVERRIDES)
        done = run_command([*self.arguments, "--out", "whole"], home)
        assert done.returncode == 0, done.stderr
        self.expected = results(RunFolder(home / "whole"))


@pytest.fixture(scope="module")
def undisturbed(
    rectangles_config: Path, tmp_path_factory: pytest.TempPathFactory
) -> UndisturbedRun:
    """A run with free space."""
    return UndisturbedRun(rectangles_config, tmp_path_factory.mktemp("undisturbed"))


def at_event(event: str, number: int, action: str, disk: Path) -> str:
    """Return lines of Python that act on a disk at an event."""
    lines = AT_EVENT.format(
        event=event,
        number=number,
        action=action.strip(),
        folder=f"{disk}/run",
        disk=str(disk),
    )
    # Functions of a text that is executed inside a function do not see each other.
    return f"exec({lines!r}, {{}})\n"


def check_one_message(done: "subprocess.CompletedProcess[str]") -> str:
    """Return the only message of a run that failed as it should."""
    assert done.returncode == 2, done.stdout + done.stderr
    lines = done.stderr.splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("error: "), done.stderr
    return lines[0]


def check_disturbed(
    run: UndisturbedRun, disk: Path, before: str, expected: str, tmp_path: Path
) -> bool:
    """Disturb a run, free the disk, resume the run; return whether it was disturbed."""
    folder = RunFolder(disk / "run")
    arguments = [*run.arguments, "--out", str(folder.path)]
    done = run_command(arguments, tmp_path, before)
    is_disturbed = done.returncode != 0
    if is_disturbed:
        message = check_one_message(done)
        assert expected in message
        assert f"{disk}/run" in message
    subprocess.run(["mount", "-o", "remount,rw", disk], check=True)
    (disk / "filler").unlink(missing_ok=True)
    if folder.weights.exists():
        read_weights(folder.weights)  # Whole, if it is there.
    if folder.has_checkpoint:
        arguments.append("--resume")
    else:
        shutil.rmtree(folder.path, ignore_errors=True)
    resumed = run_command(arguments, tmp_path)
    assert resumed.returncode == 0, resumed.stderr
    assert results(folder) == run.expected, before
    assert not list(folder.path.rglob(".*.part"))
    shutil.rmtree(folder.path)
    return is_disturbed


def disturbed_at_each(
    run: UndisturbedRun, disk: Path, tmp_path: Path, how: tuple[str, str, str], step: int
) -> int:
    """Disturb a run at each `step`-th event until it ends before the next one; return how often."""
    event, action, expected = how
    count = 0
    while check_disturbed(
        run, disk, at_event(event, 1 + count * step, action, disk), expected, tmp_path
    ):
        count += 1
    return count


FULL = "free some disk space"
# The disk is full when a file is opened, so that writing it fails; or when one is renamed, so that
# the free space does not suffice for the next.
WAYS = {
    "full": ("open", FILL.format(left=0), FULL),
    "almost full": ("open", FILL.format(left=4096), FULL),
    "full before": ("os.rename", FILL.format(left=0), FULL),
    "read-only": ("os.rename", READ_ONLY, "Read-only file system"),
    "limited": ("open", LIMIT, "File too large"),
}


@pytest.mark.slow
@pytest.mark.parametrize("way", ["full", "full before"])
def test_a_run_goes_on_after_the_disk_was_full_at_some_writes(
    undisturbed: UndisturbedRun, disk: Path, tmp_path: Path, way: str
) -> None:
    assert disturbed_at_each(undisturbed, disk, tmp_path, WAYS[way], step=7) >= 2


def test_a_run_goes_on_after_a_checkpoint_met_a_full_disk(
    undisturbed: UndisturbedRun, disk: Path, tmp_path: Path
) -> None:
    event, action, expected = WAYS["full"]
    before = at_event(event, 4, action, disk)
    assert check_disturbed(undisturbed, disk, before, expected, tmp_path)


@pytest.mark.slow
def test_a_run_goes_on_after_the_disk_became_read_only(
    undisturbed: UndisturbedRun, disk: Path, tmp_path: Path
) -> None:
    event, action, expected = WAYS["read-only"]
    before = at_event(event, 6, action, disk)
    assert check_disturbed(undisturbed, disk, before, expected, tmp_path)


@pytest.mark.torture
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("way", WAYS)
def test_a_run_goes_on_after_the_disk_failed_at_every_write(
    undisturbed: UndisturbedRun, disk: Path, tmp_path: Path, way: str
) -> None:
    count = disturbed_at_each(undisturbed, disk, tmp_path, WAYS[way], step=1)
    sys.stdout.write(f"{way}: {count} writes, one after another\n")
    assert count >= 5


def test_a_run_without_space_for_its_files_does_not_begin(
    undisturbed: UndisturbedRun, tiny_disk: Path, tmp_path: Path
) -> None:
    done = run_command([*undisturbed.arguments, "--out", f"{tiny_disk}/run"], tmp_path)
    message = check_one_message(done)
    assert "found 3 MB of free disk space, and the checkpoints" in message
    assert "free some space" in message
    assert not (tiny_disk / "run").exists()


def test_an_ordinary_user_is_told_of_a_folder_that_he_cannot_write(
    undisturbed: UndisturbedRun, disk: Path, rectangles_root: Path
) -> None:
    arguments = _for_nobody(undisturbed, disk, rectangles_root)
    locked = disk / "locked"
    locked.mkdir(mode=0o755)
    done = run_command([*arguments, "--out", str(locked / "run")], disk, AS_NOBODY)
    assert "Permission denied" in check_one_message(done)


@pytest.mark.slow
def test_a_run_of_an_ordinary_user_goes_on_after_its_folder_was_locked(
    undisturbed: UndisturbedRun, disk: Path, rectangles_root: Path
) -> None:
    arguments = [*_for_nobody(undisturbed, disk, rectangles_root), "--out", f"{disk}/run"]
    folder = RunFolder(disk / "run")
    lock = 'for folder in ("/run", "/run/checkpoints"): os.chmod(disk + folder, 0o555)'
    before = AS_NOBODY + at_event("os.rename", 6, lock, disk)
    done = run_command(arguments, disk, before)
    assert "Permission denied" in check_one_message(done)
    for path in (folder.path, folder.checkpoints):
        path.chmod(0o755)
    resumed = run_command([*arguments, "--resume"], disk, AS_NOBODY)
    assert resumed.returncode == 0, resumed.stderr
    # The header of the weights names the folder of the data, which is another one.
    found, expected = results(folder), dict(undisturbed.expected)
    tensors = [safetensors.torch.load(each.pop("model.safetensors")) for each in (found, expected)]
    torch.testing.assert_close(*tensors, rtol=0, atol=0)
    assert found == expected


@pytest.mark.slow
def test_a_run_goes_on_after_the_user_had_no_quota_left(
    undisturbed: UndisturbedRun, tmp_path: Path
) -> None:
    # The kernel answers the twelfth synchronisation of a file or folder with this error.
    inject = ["strace", "-f", "-o", "/dev/null", "-e", "trace=fsync"]
    inject += ["--seccomp-bpf", "-e", "inject=fsync:error=EDQUOT:when=12"]
    arguments = [*undisturbed.arguments, "--out", "run"]
    done = subprocess.run(
        [*inject, sys.executable, "-m", "sceneparse", *arguments],
        cwd=tmp_path,
        check=False,
        capture_output=True,
        text=True,
    )
    message = check_one_message(done)
    assert "Disk quota exceeded" in message
    assert "free some of your quota" in message
    resumed = run_command([*arguments, "--resume"], tmp_path)
    assert resumed.returncode == 0, resumed.stderr
    assert results(RunFolder(tmp_path / "run")) == undisturbed.expected


def _for_nobody(run: UndisturbedRun, disk: Path, data: Path) -> list[str]:
    """Copy config and data to where every user may read them, and return the arguments."""
    shutil.copytree(data, disk / "data")
    config = disk / "rectangles.yaml"
    config.write_text(Path(run.arguments[1]).read_text().replace(str(data), str(disk / "data")))
    (disk / "cache").mkdir(mode=0o777)
    for path in disk.rglob("*"):
        path.chmod(0o777 if path.is_dir() else 0o644)
    return ["train", str(config), *OVERRIDES]
