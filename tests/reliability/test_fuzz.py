"""No file, whatever it holds, causes another error than the project's own."""

import os
import shutil
import sys
import time
import warnings
import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from PIL import Image, PngImagePlugin

from sceneparse.artifacts.checkpoint import read_checkpoint
from sceneparse.artifacts.onnx_file import read_onnx
from sceneparse.artifacts.run_folder import RunFolder
from sceneparse.artifacts.weights import read_weights
from sceneparse.config.reading import read_config
from sceneparse.data.cache.format import read_index
from sceneparse.data.download.archives import Limits, unpack
from sceneparse.data.io.decode import image_header, read_image
from sceneparse.data.io.image_reading import ImageReading
from sceneparse.data.io.masks import read_mask
from sceneparse.errors import InputError
from sceneparse.factory.torch_loading import segmenter_of
from sceneparse.inference.prediction_files import read_record
from sceneparse.labels.label_files import read_labels
from sceneparse.metrics.comparison import read_score_file
from tests.reliability import untrusted_files as files
from tests.reliability.test_untrusted import graph_with

# All kinds of files together.
TORTURE_MINUTES = float(os.environ.get("FUZZ_MINUTES", "20"))
EXAMPLES = 30
_UNCHECKED = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example]


def _read_weights(path: Path) -> None:
    segmenter_of(read_weights(path))


def _read_run(path: Path) -> None:
    folder = RunFolder(path.parent / "run")
    folder.path.mkdir(exist_ok=True)
    folder.config.write_text("seed: 1\n")
    for each in (folder.environment, folder.metrics):
        shutil.copy(path, each)
    folder.read_metrics()
    folder.read_config()


def _read_image(path: Path) -> None:
    for read in (read_image, image_header, read_mask, _read_band):
        # Each must be tried, whatever the one before says.
        try:
            read(path)
        except InputError:
            continue
    read_image(path.read_bytes(), (4, 4))


def _read_band(path: Path) -> object:
    return read_image(path, reading=ImageReading(bands=(0, 1)))


def _unpack(path: Path) -> None:
    out = path.parent / "unpacked"
    shutil.rmtree(out, ignore_errors=True)
    before = set(path.parent.iterdir())
    try:
        unpack(path, PurePosixPath("data"), out, Limits(100, 10**6), lambda *_: None)
    finally:
        assert set(path.parent.iterdir()) - before <= {out}


def archive() -> bytes:
    """Return a zip archive of three files."""
    content = BytesIO()
    with zipfile.ZipFile(content, "w") as file:
        for name in ("data/a.txt", "data/b/c.txt", "other.txt"):
            file.writestr(name, name * 20, zipfile.ZIP_DEFLATED)
    return content.getvalue()


def environments() -> SearchStrategy[bytes]:
    """Draw files in the place of `environment.json` and `metrics.csv`."""
    document = {"format": 2, "seed": 0, "versions": {"torch": "2"}}
    table = b"epoch,step,validation_miou\n1,10,0.5\n2,20,\n"
    return st.one_of(files.texts_of(document), files.changed_bytes(table))


def indices() -> SearchStrategy[bytes]:
    """Draw files in the place of the index of a cache."""
    lines = (
        b'{"root": "/data", "recipe": {"format": "sceneparse packed 1"}}\n'
        b'["a.png", 0, 4, 5, 123, [[1, 2], [3, 4]]]\n'
    )
    return st.one_of(files.changed_bytes(lines), st.sampled_from(files.NASTY_TEXTS).map(str.encode))


def scores() -> SearchStrategy[bytes]:
    """Draw files in the place of scores per image."""
    image = {"name": "a", "ids": [1], "right": [5], "predicted": [6], "true": [7]}
    return files.texts_of({"per_class": [{"id": 1, "name": "a"}], "per_image": [image]})


def results() -> SearchStrategy[bytes]:
    """Draw files in the place of a result that names what made it."""
    content = BytesIO()
    info = PngImagePlugin.PngInfo()
    info.add_text("sceneparse", '{"model": "bundled"}', zip=True)
    Image.new("L", (4, 4)).save(content, "PNG", pnginfo=info)
    return files.changed_bytes(content.getvalue())


def checkpoints(folder: Path) -> SearchStrategy[bytes]:
    """Draw checkpoints: damaged, or of a right checksum with another content."""
    whole = files.checkpoint_file(folder)
    payload = whole[len(b"sceneparse checkpoint\n") + 32 :]
    return st.one_of(
        files.changed_bytes(whole), files.changed_bytes(payload).map(files.with_digest)
    )


Kind = tuple[Callable[[Path], SearchStrategy[bytes]], str, Callable[[Path], Any]]
KINDS: dict[str, Kind] = {
    "config": (lambda _: files.config_texts(), "config.yaml", read_config),
    "labels": (lambda _: files.label_texts(), "labels.yaml", lambda path: read_labels(str(path))),
    "weights": (
        lambda _: files.weights_files(files.small_weights()),
        "model.safetensors",
        _read_weights,
    ),
    "checkpoint": (checkpoints, "step_000000003.pt", read_checkpoint),
    "onnx": (
        lambda _: files.changed_bytes(graph_with("weights", nested=True)),
        "model.onnx",
        read_onnx,
    ),
    "image": (
        lambda _: st.sampled_from(sorted(files.image_files().values())).flatmap(
            files.changed_bytes
        ),
        "image.png",
        _read_image,
    ),
    "archive": (lambda _: files.changed_bytes(archive()), "data.zip", _unpack),
    "run folder": (lambda _: environments(), "file", _read_run),
    "scores": (lambda _: scores(), "scores.json", read_score_file),
    "result": (lambda _: results(), "result.png", read_record),
    "cache index": (lambda _: indices(), "index.jsonl", read_index),
}


def check(kind: str, folder: Path, examples: int, number: int) -> int:
    """Read files of a kind, and return how many of them were not refused."""
    strategy, name, read = KINDS[kind]
    path = folder / name
    accepted = 0

    @seed(number)
    @settings(max_examples=examples, deadline=None, database=None, suppress_health_check=_UNCHECKED)
    @given(strategy(folder))
    def attempt(content: bytes) -> None:
        nonlocal accepted
        path.write_bytes(content)
        with warnings.catch_warnings():
            # Those of Pillow about damaged files are of no interest here.
            warnings.simplefilter("ignore")
            try:
                read(path)
            except InputError:
                return
        accepted += 1

    attempt()
    return accepted


@pytest.mark.parametrize("kind", KINDS)
def test_a_strange_file_is_read_or_refused(kind: str, tmp_path: Path) -> None:
    check(kind, tmp_path, EXAMPLES, 0)


@pytest.mark.parametrize("text", files.NASTY_TEXTS, ids=range(len(files.NASTY_TEXTS)))
def test_a_nasty_text_is_read_or_refused_everywhere(text: str, tmp_path: Path) -> None:
    path = tmp_path / "file.yaml"
    path.write_bytes(text.encode())
    for read in (read_config, lambda path: read_labels(str(path)), _read_run, read_index):
        message = ""
        try:
            read(path)
        except InputError as error:
            message = str(error)
        assert len(message) < 2000


@pytest.mark.torture
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("kind", KINDS)
def test_no_strange_file_causes_another_error(kind: str, tmp_path: Path) -> None:
    end = time.monotonic() + 60 * TORTURE_MINUTES / len(KINDS)
    rounds = accepted = 0
    while time.monotonic() < end:
        rounds += 1
        accepted += check(kind, tmp_path, 200, rounds)
    sys.stdout.write(f"{kind}: {200 * rounds} files, {accepted} of them read\n")
