"""`data cache` as a user runs it: killed, run twice at once, without any cache folder."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sceneparse import factory
from sceneparse.data.cache.format import default_cache_folder
from sceneparse.data.cache.reader import CachedDataset
from sceneparse.data.datasets.folder import FolderData
from tests.cli.command import COMMAND
from tests.cli.conftest import Cli

# So many that a build is caught in the middle on a busy machine too; small ones, for room.
COUNT = 2000
FEW = 50


def write_images(made: Path, count: int) -> Path:
    """Write a data set of small images, one file by many names."""
    random = np.random.default_rng(0)
    for kind in ("images", "masks"):
        (made / kind / "training").mkdir(parents=True)
    (made / "labels.yaml").write_text("classes: [background, thing]\n")
    pixels = random.integers(0, 256, (60, 60, 3), np.uint8)
    Image.fromarray(pixels).save(made / "images" / "training" / "0.png", compress_level=1)
    Image.new("L", (60, 60), 1).save(made / "masks" / "training" / "0.png")
    for number in range(1, count):
        for kind in ("images", "masks"):
            first = made / kind / "training" / "0.png"
            first.with_stem(str(number)).hardlink_to(first)
    return made


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Many images."""
    return write_images(tmp_path / "data", COUNT)


@pytest.fixture
def few(tmp_path: Path) -> Path:
    """A few images."""
    return write_images(tmp_path / "few", FEW)


def open_cached(root: Path) -> CachedDataset:
    dataset = factory.dataset(FolderData(root=root), "training")
    assert isinstance(dataset, CachedDataset)
    return dataset


@contextmanager
def started(root: Path) -> Generator["subprocess.Popen[str]"]:
    """Start a build, which does not outlive the test."""
    with subprocess.Popen(
        [COMMAND, "data", "cache", str(root)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def entries(root: Path) -> list[bytes]:
    index = default_cache_folder(root) / "training.jsonl"
    return index.read_bytes().splitlines()[1:] if index.exists() else []


def killed_in_the_middle(root: Path, how: signal.Signals) -> tuple[int, str]:
    """Build and kill; where the machine was too busy to see the middle, try again."""
    deadline = time.monotonic() + 240
    for _ in range(5):
        with started(root) as process:
            while process.poll() is None and len(entries(root)) < 3:
                assert time.monotonic() < deadline, f"{len(entries(root))} entries, still building"
                time.sleep(0.001)
            # Stopped, it cannot end before it has been looked at.
            process.send_signal(signal.SIGSTOP)
            # By a tenth, as it may write a few more before it hears of the signal.
            if 3 <= len(entries(root)) < 0.9 * COUNT:
                process.send_signal(how)
                process.send_signal(signal.SIGCONT)
                _, message = process.communicate()
                return process.returncode, message
        shutil.rmtree(default_cache_folder(root))
    pytest.fail("five builds were through before they were seen")


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
    assert f"training: {COUNT} images, " in again.stdout
    assert " there already, " in again.stdout
    assert str(default_cache_folder(root)) in again.stdout
    assert set(done[:-1]) <= set(entries(root))
    dataset = open_cached(root)
    assert dataset.cached_count == COUNT
    assert all(dataset[index].image.any() for index in range(COUNT))  # each is verified


def test_two_builds_at_once_leave_one_whole_cache(root: Path) -> None:
    with started(root) as one, started(root) as other:
        messages = [process.communicate()[1] for process in (one, other)]
        codes = [process.returncode for process in (one, other)]
    assert 0 in codes
    for code, message in zip(codes, messages, strict=True):
        assert code == 0 or "another process is writing this cache" in message
    dataset = open_cached(root)
    assert dataset.cached_count == len([dataset[index] for index in range(COUNT)]) == COUNT


def test_where_and_how_to_use_it_is_told(cli: Cli, few: Path, tmp_path: Path) -> None:
    done = cli("data", "cache", few, "--to", "fast", "--short-side", "50", "--split", "training")
    assert done.returncode == 0, done.stderr
    assert f"training: {FEW} images, 0.5 MB to be written\n" in done.stdout
    assert done.stdout.endswith("fast: runs with data.cache=fast read from here\n")
    size = (tmp_path / "fast" / "training.pixels").stat().st_size
    assert size == FEW * 50 * 50 * 4 + 48 * (FEW - 1)


def test_a_folder_that_cannot_be_written_to_is_one_line(
    fails: Callable[..., str], few: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("SCENEPARSE_CACHE", str(tmp_path / "file"))
    message = fails("data", "cache", few)
    assert message.count("\n") == 1
    assert "cannot be written to" in message
    assert os.fspath(tmp_path / "file") in message
    assert fails("data", "cache", "nowhere").startswith("error: nowhere: no such folder")
