"""The commands `data download`, `data synth` and `data check`."""

import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sceneparse.data.download.sources import SOURCES
from sceneparse.data.io.decode import image_size
from sceneparse.data.io.masks import read_mask
from tests.cli.command import run_and_stop
from tests.cli.conftest import Cli
from tests.conftest import write_rectangles
from tests.file_server import Behaviour, FileServer

SMALL = ("--width", "40", "--height", "32")


@pytest.mark.slow
def test_synth_writes_what_check_counts(cli: Cli, tmp_path: Path) -> None:
    made = cli("data", "synth", "new/scenes", "--images", "7", "--validation", "3", *SMALL)
    assert made.returncode == 0, made.stderr
    assert "7 training and 3 validation scenes: new/scenes" in made.stdout
    for kind in ("images", "annotations"):
        for split, count in (("training", 7), ("validation", 3)):
            files = sorted((tmp_path / "new" / "scenes" / kind / split).iterdir())
            assert len(files) == count
            assert {image_size(file) for file in files} == {(32, 40)}

    seen = cli("data", "check", "new/scenes")
    assert seen.returncode == 0, seen.stderr
    assert "training: 7 images, 40×32 to 40×32" in seen.stdout
    assert "validation: 3 images, 40×32 to 40×32" in seen.stdout
    assert "error" not in seen.stdout
    masks = [
        read_mask(file) for file in (tmp_path / "new" / "scenes" / "annotations").rglob("*.png")
    ]
    occur = np.unique(np.concatenate([mask.ravel() for mask in masks]))
    assert f"{np.count_nonzero(occur)} of 150 classes occur" in seen.stdout


def test_synth_holds_out_a_fifth_and_is_reproducible(cli: Cli, tmp_path: Path) -> None:
    for out, seed in (("a", "1"), ("b", "1"), ("c", "2")):
        assert cli("data", "synth", out, "--images", "5", "--seed", seed, *SMALL).returncode == 0
    files = sorted(path.relative_to(tmp_path / "a") for path in (tmp_path / "a").rglob("*.png"))
    assert len(files) == 2 * (5 + 1)
    same = [
        (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()
        for file in files
    ]
    assert all(same)
    images = [file for file in files if file.parts[0] == "images"]
    assert not any(
        (tmp_path / "a" / file).read_bytes() == (tmp_path / "c" / file).read_bytes()
        for file in images
    )


def test_check_names_each_broken_file_and_exits_with_1(cli: Cli, tmp_path: Path) -> None:
    assert cli("data", "synth", "s", "--images", "4", "--validation", "1", *SMALL).returncode == 0
    images, masks = tmp_path / "s" / "images", tmp_path / "s" / "annotations"
    content = (images / "training" / "scene_000000.png").read_bytes()
    (images / "training" / "scene_000000.png").write_bytes(content[:300])
    Image.new("L", (9, 9)).save(masks / "training" / "scene_000001.png")
    Image.new("L", (40, 32), 151).save(masks / "training" / "scene_000002.png")
    Image.new("RGB", (40, 32), (1, 2, 3)).save(masks / "validation" / "scene_000000.png")
    done = cli("data", "check", "s")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    errors = [line for line in done.stdout.splitlines() if line.startswith("error: ")]
    for says in ("broken or truncated", "9×9 pixels", "ids 151 are", "a mask of colours"):
        assert sum(says in line for line in errors) == 1
    assert len(errors) == 4
    assert "training: 2 images" in done.stdout
    assert "4 errors" in done.stdout
    report = json.loads(cli("data", "check", "s", "--json").stdout)
    assert [found["severity"] for found in report["findings"]][:4] == ["error"] * 4
    assert report["findings"][0]["files"] == ["images/training/scene_000000.png"]


def test_warnings_are_errors_only_if_strict(cli: Cli, tmp_path: Path) -> None:
    write_rectangles(tmp_path / "data", {"training": 3, "validation": 1})
    (tmp_path / "data" / "images" / "training" / "notes.txt").write_text("mine")
    done = cli("data", "check", "data")
    assert done.returncode == 0, done.stderr
    assert "warning: 1 files in the folder of the images" in done.stdout
    assert cli("data", "check", "data", "--strict").returncode == 1


@pytest.mark.parametrize("out", ["full", "file", "file/below"])
def test_synth_does_not_change_existing_files(
    out: str, fails: Callable[..., str], tmp_path: Path
) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("precious")
    (tmp_path / "file").write_text("precious")
    message = fails("data", "synth", out, "--images", "1", *SMALL)
    assert message.startswith(f"error: {out}: ")
    assert message.count("\n") == 1
    assert "choose a" in message
    assert (tmp_path / "file").read_text() == "precious"
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["mine.txt"]


def test_synth_accepts_an_empty_folder(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    done = cli("data", "synth", "empty", "--images", "1", *SMALL)
    assert done.returncode == 0, done.stderr


def test_inspect_of_a_missing_folder_fails_with_one_line(fails: Callable[..., str]) -> None:
    message = fails("data", "check", "nowhere")
    assert message.startswith("error: nowhere: no such folder")
    assert message.count("\n") == 1


@pytest.mark.slow
def test_a_data_set_is_exported_imported_and_trained_on_by_its_folder(
    cli: Cli, fails: Callable[..., str], tmp_path: Path
) -> None:
    write_rectangles(tmp_path / "own", {"training": 4, "validation": 2})
    made = cli("data", "export", "own", "labelme", "--to", "labelme")
    assert made.returncode == 0, made.stderr
    assert "labelme: 4 training, 2 validation images, 4 classes" in made.stdout
    assert "set data.uncovered=background" in fails("data", "import", "labelme", "back")
    made = cli("data", "import", "labelme", "back", "data.uncovered=background")
    assert made.returncode == 0, made.stderr
    checked = cli("data", "check", "labelme", "data.uncovered=background", "--json")
    assert json.loads(checked.stdout)["classes"] == [*("background", "red", "green", "blue")]
    (tmp_path / "run.yaml").write_text(
        "data: {kind: folder, root: labelme, uncovered: background}\n"
        "model: {kind: unet, width: 8}\ntransform: {size: 32}\n"
        "training: {epochs: 1, batch_size: 2}\n"
    )
    trained = cli("train", "run.yaml", "--out", "run")
    assert trained.returncode == 0, trained.stdout + trained.stderr
    assert (tmp_path / "run" / "model.safetensors").is_file()


def test_download_tells_what_it_knows_and_what_it_does_not(fails: Callable[..., str]) -> None:
    assert "expected ade20k or voc2012" in fails("data", "download", "cityscapes")
    message = fails("data", "download", "ade20k", "--url", "nowhere.zip")
    assert message.startswith("error: nowhere.zip: no such file; ")
    assert message.endswith("(--url)\n")


def test_download_refuses_another_file_than_the_published_one(
    fails: Callable[..., str], tmp_path: Path
) -> None:
    with FileServer(b"PK, but not much more") as server:
        message = fails("data", "download", "ade20k", "new/ade", "--url", server.url)
    assert f"error: {server.url}: the file has 21 bytes, and the published archive 967,3" in message
    assert list((tmp_path / "new").iterdir()) == []


def test_a_download_that_is_interrupted_says_how_to_go_on(tmp_path: Path) -> None:
    size = SOURCES["ade20k"].archive_bytes
    part = tmp_path / "ade.partial" / "ADEChallengeData2016.zip"

    def interrupt(process: int) -> None:
        while not part.exists() or part.stat().st_size < 2_000_000:
            time.sleep(0.02)
        os.kill(process, signal.SIGINT)

    content = bytes(2_000_000)
    with FileServer(content, Behaviour(length=size, stall_after=len(content))) as server:
        arguments = ["data", "download", "ade20k", "ade", "--url", server.url]
        done = run_and_stop(arguments, tmp_path, interrupt)
    assert done.returncode == 130, done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout.splitlines()[:2] == [
        f"note: {SOURCES['ade20k'].terms}",
        "ade.partial/ADEChallengeData2016.zip: is kept; the same command goes on there",
    ]
