"""Fixtures with tiny data sets that a network can learn, and with real images."""

import importlib
import signal
import sys
from collections.abc import Generator, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

# Shells ignore SIGINT in background processes, and `nohup` ignores SIGHUP; the processes that tests
# start would inherit this.
signal.signal(signal.SIGINT, signal.default_int_handler)
if sys.platform != "win32":
    signal.signal(signal.SIGHUP, signal.SIG_DFL)

pytest_plugins = ["tests.skips", "tests.browser", "tests.hub_session"]
SHARED = Path(__file__).parents[2] / "shared"
BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
COLORS = np.array([[40, 40, 40], [220, 60, 60], [60, 200, 80], [70, 90, 230]], dtype=np.float64)


# Files whose tests take longest, and which start first, so that no process ends with one alone.
LONG_FILES = ("test_processes.py", "test_train.py", "test_plan.py", "test_fit.py", "test_loop.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the files with the longest tests first."""
    items.sort(key=lambda item: item.path.name not in LONG_FILES)


def rectangles(
    index: int, size: tuple[int, int] = (48, 64)
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Draw coloured, noisy rectangles: an image and its ids, 0 the background."""
    random = np.random.default_rng(index)
    height, width = size
    ids = np.zeros(size, np.uint8)
    for class_id in random.permutation([1, 2, 3]):
        top, left = random.integers(0, height // 2), random.integers(0, width // 2)
        ids[top : top + height // 2, left : left + width // 3] = class_id
    image = COLORS[ids] + random.normal(0, 12, (*size, 3))
    return image.clip(0, 255).astype(np.uint8), ids


def write_rectangles(root: Path, counts: dict[str, int], size: tuple[int, int] = (48, 64)) -> None:
    """Write a `folder` data set of rectangles with the given number of images per split."""
    root.mkdir(parents=True, exist_ok=True)
    (root / "labels.yaml").write_text("classes: [background, red, green, blue]\n")
    first = 0
    for split, count in counts.items():
        for kind in ("images", "masks"):
            (root / kind / split).mkdir(parents=True)
        for index in range(count):
            image, ids = rectangles(first + index, size)
            Image.fromarray(image).save(root / "images" / split / f"{index:03d}.png")
            Image.fromarray(ids).save(root / "masks" / split / f"{index:03d}.png")
        first += 1000


@pytest.fixture(autouse=True, scope="session")
def caches(tmp_path_factory: pytest.TempPathFactory) -> Generator[Path]:
    """A separate cache folder for all tests and their processes."""
    folder = tmp_path_factory.mktemp("caches")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SCENEPARSE_CACHE", str(folder))
        yield folder


@pytest.fixture(scope="session")
def rectangles_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A `folder` data set of 24 training and 6 validation images of coloured rectangles."""
    root = tmp_path_factory.mktemp("rectangles")
    write_rectangles(root, {"training": 24, "validation": 6})
    return root


@pytest.fixture(scope="session")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the same run in `one` and in `two` processes, and more results of two."""
    from tests.pair import run_pair

    folder = tmp_path_factory.mktemp("pair")
    # Two processes share 5 images unevenly.
    write_rectangles(folder / "data", {"training": 24, "validation": 5})
    (folder / "run.yaml").write_text(
        f"""
data: {{kind: folder, root: {folder / "data"}}}
model: {{width: 8, normalization: group}}
transform: {{size: 32, flip: 0.5}}
optimizer: {{kind: adam, lr: 0.003}}
training: {{batch_size: 4, precision: fp32, device: cpu, threads: 1}}
inference: {{size: 32}}
report: {{images: 1}}
"""
    )
    run_pair(folder)
    return folder


@pytest.fixture
def real_root() -> Path:
    """ADE20K images beside the project; without them, the test is skipped."""
    root = SHARED / "ade20k"
    if not root.is_dir():
        pytest.skip("../shared/ade20k is absent")
    return root


@pytest.fixture
def official_root() -> Path:
    """Three published validation pairs; without them, the test is skipped."""
    root = SHARED / "ade20k_official3"
    if not root.is_dir():
        pytest.skip("../shared/ade20k_official3 is absent")
    return root


@pytest.fixture(scope="session")
def rectangles_config(rectangles_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A config that trains on the rectangles in seconds."""
    path = tmp_path_factory.mktemp("config") / "rectangles.yaml"
    path.write_text(
        f"""
data: {{kind: folder, root: {rectangles_root}}}
model: {{kind: unet, width: 8}}
transform: {{size: 32}}
optimizer: {{kind: adam, lr: 0.01}}
schedule: {{kind: constant}}
training:
  {{epochs: 4, batch_size: 4, threads: 2,
    precision: fp32, memory_format: channels_last, device: cpu}}
inference: {{resize: stretch, size: 32}}
report: {{images: 1, every: 2}}
"""
    )
    return path


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Import files of `benchmarks/` as its scripts do, and forget them afterwards."""
    monkeypatch.syspath_prepend(BENCHMARKS)
    known = set(sys.modules)

    def imported(name: str) -> ModuleType:
        return importlib.import_module(name)

    yield imported
    for name in set(sys.modules) - known:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(BENCHMARKS)):
            del sys.modules[name]
