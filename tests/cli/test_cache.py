"""The `data cache` command: killed, run concurrently, and without a writable folder."""

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

# Enough images to catch a build in the middle on a busy machine; small ones, to save space.
COUNT = 2000
FEW = 50


def write_images(made: Path, count: int) -> Path:
    """Write a data set of small images, which are hard links to one file."""
    random = np.random.default_rng(0)
    for kind in ("images", "masks"):
        for split in ("training", "validation"):
            (made / kind / split).mkdir(parents=True)
    (made / "labels.yaml").write_text("classes: [background, thing]\n")
    pixels = random.integers(0, 256, (60, 60, 3), np.uint8)
    Image.fromarray(pixels).save(made / "images" / "training" / "0.png", compress_level=1)
    ids = np.repeat(np.array([[0], [1]], np.uint8), 30, axis=0).repeat(60, axis=1)
    Image.fromarray(ids).save(made / "masks" / "training" / "0.png")
    for number in range(1, count):
        for kind in ("images", "masks"):
            first = made / kind / "training" / "0.png"
            first.with_stem(str(number)).hardlink_to(first)
    for kind in ("images", "masks"):
        (made / kind / "validation" / "0.png").hardlink_to(made / kind / "training" / "0.png")
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
    """Start a build that is killed at the end of the `with` block."""
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


def kill_in_the_middle(root: Path, how: signal.Signals) -> tuple[int, str]:
    """Start a build and kill it; try again if it ended before it was seen."""
    deadline = time.monotonic() + 240
    for _ in range(5):
        with started(root) as process:
            while process.poll() is None and len(entries(root)) < 3:
                assert time.monotonic() < deadline, f"{len(entries(root))} entries, still building"
                time.sleep(0.001)
            # A stopped process cannot end while its entries are counted.
            process.send_signal(signal.SIGSTOP)
            # Leave a margin: it may write a few more entries before it handles the signal.
            if 3 <= len(entries(root)) < 0.9 * COUNT:
                process.send_signal(how)
                process.send_signal(signal.SIGCONT)
                _, message = process.communicate()
                return process.returncode, message
        shutil.rmtree(default_cache_folder(root))
    pytest.fail("five builds ended before they were seen")


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_killed_build_resumes(how: signal.Signals, cli: Cli, root: Path) -> None:
    code, message = kill_in_the_middle(root, how)
    assert code == (130 if how == signal.SIGINT else -how)
    assert "Traceback" not in message
    done = entries(root)
    assert 3 <= len(done) < COUNT
    again = cli("data", "cache", root)
    assert again.returncode == 0, again.stderr
    assert f"training: {COUNT} images, " in again.stdout
    assert " already cached, " in again.stdout
    assert str(default_cache_folder(root)) in again.stdout
    assert set(done[:-1]) <= set(entries(root))
    dataset = open_cached(root)
    assert dataset.cached_count == COUNT
    assert all(dataset[index].image.any() for index in range(COUNT))  # each is verified


def test_concurrent_builds_leave_one_complete_cache(root: Path) -> None:
    with started(root) as one, started(root) as other:
        messages = [process.communicate()[1] for process in (one, other)]
        codes = [process.returncode for process in (one, other)]
    assert 0 in codes
    for code, message in zip(codes, messages, strict=True):
        assert code == 0 or "another process is writing this cache" in message
    dataset = open_cached(root)
    assert dataset.cached_count == len([dataset[index] for index in range(COUNT)]) == COUNT


def test_the_command_says_where_the_cache_is_and_how_to_use_it(
    cli: Cli, few: Path, tmp_path: Path
) -> None:
    done = cli("data", "cache", few, "--to", "fast", "--short-side", "50", "--split", "training")
    assert done.returncode == 0, done.stderr
    assert f"training: {FEW} images, 0.5 MB to write\n" in done.stdout
    assert done.stdout.endswith("fast: runs with data.cache=fast read from here\n")
    size = (tmp_path / "fast" / "training.pixels").stat().st_size
    assert size == FEW * 50 * 50 * 4 + 48 * (FEW - 1)


def test_an_unwritable_cache_folder_is_reported_in_one_line(
    fails: Callable[..., str], few: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("SCENEPARSE_CACHE", str(tmp_path / "file"))
    message = fails("data", "cache", few)
    assert message.count("\n") == 1
    assert "cannot be written to" in message
    assert os.fspath(tmp_path / "file") in message
    assert fails("data", "cache", "nowhere").startswith("error: nowhere: no such folder")
