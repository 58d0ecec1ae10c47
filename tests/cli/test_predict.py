"""`predict` in a pipe, with patterns, and interrupted."""

import io
import json
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.cli.command import COMMAND
from tests.cli.conftest import Cli

FAST = ("inference.size=64", "inference.flip=false")


@pytest.fixture
def images(tmp_path: Path) -> Path:
    random = np.random.default_rng(0)
    for name in ("a.png", "b.jpg", "day 2/c.png"):
        path = tmp_path / "images" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.integers(0, 255, (40, 50, 3)).astype(np.uint8)).save(path)
    return tmp_path / "images"


def piped(
    arguments: list[str], content: bytes, folder: Path
) -> "subprocess.CompletedProcess[bytes]":
    return subprocess.run(
        [COMMAND, "predict", *arguments, *FAST],
        cwd=folder,
        input=content,
        capture_output=True,
        check=False,
    )


def test_an_image_goes_through_a_pipe(images: Path, cli: Cli, tmp_path: Path) -> None:
    content = (images / "a.png").read_bytes()
    done = piped(["-", "--out", "-", "--format", "mask"], content, tmp_path)
    assert done.returncode == 0, done.stderr
    assert cli("predict", images / "a.png", "--out", "out", *FAST).returncode == 0
    with (
        Image.open(io.BytesIO(done.stdout)) as found,
        Image.open(tmp_path / "out" / "a.png") as expected,
    ):
        np.testing.assert_array_equal(np.asarray(found), np.asarray(expected))
    assert b"-: " in done.stderr
    assert not (tmp_path / "image.png").exists()


def test_json_goes_to_standard_output_and_messages_do_not(
    images: Path, cli: Cli, tmp_path: Path
) -> None:
    done = cli("predict", images / "a.png", "--out", "-", "--format", "json", *FAST)
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert (document["image"], document["width"]) == ("a.png", 50)
    assert "a.png: " in done.stderr


def test_a_broken_image_leaves_standard_output_empty(tmp_path: Path) -> None:
    done = piped(["-", "--out", "-", "--format", "json"], b"broken", tmp_path)
    assert (done.returncode, done.stdout) == (1, b"")
    assert b"not an image of a known format" in done.stderr


def test_patterns_are_expanded_by_the_program(images: Path, cli: Cli, tmp_path: Path) -> None:
    done = cli("predict", "images/**/*.png", "--out", "out", "--format", "mask,coco", *FAST)
    assert done.returncode == 0, done.stderr
    found = sorted(path.relative_to(tmp_path / "out") for path in (tmp_path / "out").rglob("*.*"))
    names = ["a.png", "a_coco.json", "day 2/c.png", "day 2/c_coco.json"]
    assert [path.as_posix() for path in found] == names


def test_mistakes_are_explained_with_their_options(images: Path, fails: Callable[..., str]) -> None:
    assert "no image matches this pattern" in fails("predict", "images/*.gif", "--out", "out")
    assert "give it alone" in fails("predict", "-", "images", "--out", "out")
    assert "did you mean color?" in fails("predict", "images", "--out", "o", "--format", "colour")
    message = fails("predict", "images", "--out", "out", "--classes", "wall,floors")
    assert "did you mean floor" in message
    assert "(--classes)" in message
    assert "(--jobs)" in fails("predict", "images", "--out", "out", "--jobs", "0")
    assert "3 images and 1 format (mask)" in fails(
        "predict", "images", "--out", "-", "--format", "mask"
    )


@pytest.mark.parametrize("large", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_an_interrupt_ends_it_without_half_files(*, large: bool, tmp_path: Path, cli: Cli) -> None:
    size = (5200, 5000) if large else (500, 600)
    folder = tmp_path / "images"
    folder.mkdir()
    for index in range(2 if large else 40):
        Image.new("RGB", size, (index, 90, 200)).save(folder / f"{index:02}.jpg")
    with subprocess.Popen(
        [COMMAND, "predict", "images", "--out", "out", "--format", "mask,json", *FAST],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        deadline = time.monotonic() + 120
        while not list((tmp_path / "out").glob("*.json")):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        _, message = process.communicate(timeout=60)
    assert process.returncode == 130, message
    assert "Traceback" not in message
    files = list((tmp_path / "out").iterdir())
    assert not [path for path in files if path.name.endswith(".part")]
    for path in files:
        if path.suffix in (".png", ".jpg"):
            with Image.open(path) as image:
                image.load()
        else:
            json.loads(path.read_text())
    done = len([path for path in files if path.suffix == ".json"])
    again = cli("predict", "images", "--out", "out", "--format", "mask,json", *FAST)
    assert again.returncode == 0, again.stderr
    assert f"{done} images have results already" in again.stdout
