"""`data cache` as a user runs it: killed, run twice at once, without any cache folder."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sceneparse import build
from sceneparse.config import FolderData
from sceneparse.data.packed import Packed
from sceneparse.data.packed_format import default_folder
from tests.cli.command import COMMAND
from tests.cli.conftest import Cli

# So many that a build is caught in the middle on a busy machine too; small ones, for room.
COUNT = 2000


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Many small pictures."""
    made = tmp_path / "data"
    random = np.random.default_rng(0)
    for kind in ("images", "masks"):
        (made / kind / "training").mkdir(parents=True)
    (made / "labels.yaml").write_text("classes: [background, thing]\n")
    pixels = random.integers(0, 256, (60, 60, 3), np.uint8)
    Image.fromarray(pixels).save(made / "images" / "training" / "0.png", compress_level=1)
    Image.new("L", (60, 60), 1).save(made / "masks" / "training" / "0.png")
    for number in range(1, COUNT):
        for kind in ("images", "masks"):
            first = made / kind / "training" / "0.png"
            first.with_stem(str(number)).hardlink_to(first)
    return made


def packed(root: Path) -> Packed:
    dataset = build.dataset(FolderData(kind="folder", root=root), "training")
    assert isinstance(dataset, Packed)
    return dataset


def started(root: Path) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [COMMAND, "data", "cache", str(root)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def entries(root: Path) -> list[bytes]:
    index = default_folder(root) / "training.jsonl"
    return index.read_bytes().splitlines()[1:] if index.exists() else []


def killed_in_the_middle(root: Path, how: signal.Signals) -> tuple[int, str]:
    """Build and kill; where the machine was too busy to kill in time, try again."""
    while True:
        process = started(root)
        while process.poll() is None and len(entries(root)) < 3:
            time.sleep(0.001)
        process.send_signal(how)
        _, message = process.communicate()
        if len(entries(root)) < COUNT:
            return process.returncode, message
        shutil.rmtree(default_folder(root))


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_build_that_is_killed_goes_on_where_it_was(
    how: signal.Signals, cli: Cli, root: Path
) -> None:
    code, message = killed_in_the_middle(root, how)
    assert code == (130 if how == signal.SIGINT else -how)
    assert "Traceback" not in message
    done = entries(root)
    assert 3 <= len(done) < COUNT
    again = cli("data", "cache", root)
    assert again.returncode == 0, again.stderr
    assert f"training: {COUNT} pictures, " in again.stdout
    assert " there already, " in again.stdout
    assert str(default_folder(root)) in again.stdout
    assert set(done[:-1]) <= set(entries(root))
    dataset = packed(root)
    assert dataset.held == COUNT
    assert all(dataset[index].image.any() for index in range(COUNT))  # each is verified


def test_two_builds_at_once_leave_one_whole_cache(root: Path) -> None:
    both = [started(root), started(root)]
    messages = [process.communicate()[1] for process in both]
    codes = [process.returncode for process in both]
    assert 0 in codes
    for code, message in zip(codes, messages, strict=True):
        assert code == 0 or "another process is writing this cache" in message
    dataset = packed(root)
    assert dataset.held == len([dataset[index] for index in range(COUNT)]) == COUNT


def test_where_and_how_to_use_it_is_told(cli: Cli, root: Path, tmp_path: Path) -> None:
    done = cli("data", "cache", root, "--to", "fast", "--short-side", "50", "--split", "training")
    assert done.returncode == 0, done.stderr
    assert f"training: {COUNT} pictures, 20.1 MB to be written\n" in done.stdout
    assert done.stdout.endswith("fast: runs with data.cache=fast read from here\n")
    size = (tmp_path / "fast" / "training.pixels").stat().st_size
    assert size == COUNT * 50 * 50 * 4 + 48 * (COUNT - 1)


def test_a_folder_that_cannot_be_written_to_is_one_line(
    fails: Callable[..., str], root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("SCENEPARSE_CACHE", str(tmp_path / "file"))
    message = fails("data", "cache", root)
    assert message.count("\n") == 1
    assert "cannot be written to" in message
    assert os.fspath(tmp_path / "file") in message
    assert fails("data", "cache", "nowhere").startswith("error: nowhere: no such folder")
