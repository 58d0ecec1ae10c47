"""`predict` writes results for folders, goes on where it was, and survives broken files."""

import errno
import json
import os
import sys
import threading
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sceneparse.errors import InputError
from sceneparse.factory.model_files import BUNDLED
from sceneparse.recording.events import Event, Message
from sceneparse.tasks.predict import predict

FAST = ("inference.size=64", "inference.flip=false")


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """Three images, one of them in a subfolder, and a file that is none."""
    random = np.random.default_rng(0)
    for name in ("a.png", "b.jpg", "day 2/a.png"):
        path = tmp_path / "images" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.integers(0, 255, (40, 50, 3)).astype(np.uint8)).save(path)
    (tmp_path / "images" / "notes.txt").write_text("mine")
    return tmp_path / "images"


def results(out: Path) -> dict[str, int]:
    files = (path for path in out.rglob("*") if path.is_file())
    return {path.relative_to(out).as_posix(): path.stat().st_mtime_ns for path in files}


def test_subfolders_are_segmented_and_other_files_named(images: Path, tmp_path: Path) -> None:
    said: list[Event] = []
    records = predict(images, out=tmp_path / "out", overrides=FAST, callback=said.append)
    assert [record.image.name for record in records] == ["a.png", "b.jpg", "a.png"]
    masks = {name for name in results(tmp_path / "out") if name.endswith((".png", ".json"))}
    for name in ("a", "b", "day 2/a"):
        assert {f"{name}.png", f"{name}_color.png", f"{name}.json"} <= masks
    assert Message("1 files are no images and are left out: notes.txt") in said


def test_the_same_command_again_does_only_what_is_missing(images: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    predict(images, out=out, overrides=FAST)
    before = results(out)
    # As if the program was stopped between two files of an image.
    for name in ("b.json", "b.png", "day 2/a.json", "day 2/a.png", "day 2/a_color.png"):
        (out / name).unlink()
    records = predict(images, out=out, overrides=FAST)
    assert [record.image for record in records] == [images / "b.jpg", images / "day 2" / "a.png"]
    after = results(out)
    assert after.keys() == before.keys()
    assert {name for name in after if after[name] == before[name]} == {
        name for name in before if name.startswith("a")
    }
    assert predict(images, out=out, overrides=FAST) == []


def test_a_foreign_file_is_not_replaced(images: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "b.png").write_bytes(b"precious")
    with pytest.raises(InputError, match=r"b\.png: exists already, and is no result of this"):
        predict(images, out=tmp_path / "out", overrides=FAST)
    assert (tmp_path / "out" / "b.png").read_bytes() == b"precious"
    assert list(results(tmp_path / "out")) == ["b.png"]


def test_results_of_other_settings_are_neither_kept_nor_replaced(
    images: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    predict(images / "a.png", out=out, overrides=FAST)
    before = results(out)
    with pytest.raises(InputError, match="is no result of this model, its settings and") as caught:
        predict(images / "a.png", out=out, overrides=("inference.size=96", "inference.flip=false"))
    assert caught.value.parameters == ("overwrite", "out")
    assert results(out) == before
    (record,) = predict(
        images / "a.png",
        out=out,
        overrides=("inference.size=96", "inference.flip=false"),
        overwrite=True,
    )
    assert json.loads(record.results.summary.read_text())["inference"] == "stretched to 96×96"


def test_a_broken_image_does_not_stop_the_others(images: Path, tmp_path: Path) -> None:
    content = (images / "b.jpg").read_bytes()
    (images / "b.jpg").write_bytes(content[: len(content) // 2])
    records = predict(images, out=tmp_path / "out", overrides=FAST)
    assert [bool(record.error) for record in records] == [False, True, False]
    assert records[1].error.startswith(f"{images / 'b.jpg'}: broken or truncated")
    assert not list((tmp_path / "out").glob("b*"))
    (images / "b.jpg").write_bytes(content)
    (record,) = predict(images, out=tmp_path / "out", overrides=FAST)
    assert record.image.name == "b.jpg"


def test_results_may_lie_in_the_folder_of_the_images(images: Path) -> None:
    assert len(predict(images, out=images / "out", overrides=FAST)) == 3
    assert predict(images, out=images / "out", overrides=FAST) == []
    with pytest.raises(InputError, match="would replace an input image"):
        predict(images / "a.png", out=images, overrides=FAST)


@pytest.mark.parametrize(
    "formats",
    [
        "mask",
        pytest.param("coco", marks=pytest.mark.slow),
        "geojson,overlay",
        pytest.param(["color", "json"], marks=pytest.mark.slow),
    ],
)
def test_results_in_any_formats_are_made_once(
    formats: str | list[str], images: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    assert len(predict(images, out=out, overrides=FAST, formats=formats)) == 3
    before = results(out)
    assert len(before) == 3 * (2 if "," in formats or isinstance(formats, list) else 1)
    assert predict(images, out=out, overrides=FAST, formats=formats) == []
    # A format more, and all are written again, by the same model.
    more = ["mask", "color", "overlay", "json", "coco", "geojson"]
    assert len(predict(images, out=out, overrides=FAST, formats=more)) == 3
    assert len(results(out)) == 18
    assert predict(images, out=out, overrides=FAST, formats=formats) == []


@pytest.mark.slow
def test_results_of_some_classes_are_not_those_of_all(images: Path, tmp_path: Path) -> None:
    out, image = tmp_path / "out", images / "a.png"
    (all_classes,) = predict(image, out=out, overrides=FAST)
    largest = all_classes.classes[0]
    with pytest.raises(InputError, match="is no result of this model, its settings and"):
        predict(image, out=out, overrides=FAST, classes=[largest["id"]])
    (one,) = predict(image, out=out, overrides=FAST, classes=largest["name"], overwrite=True)
    assert one.classes == [largest]
    assert set(np.unique(np.asarray(Image.open(one.results.mask)))) <= {0, largest["id"]}
    assert predict(image, out=out, overrides=FAST, classes=[largest["id"]]) == []
    with pytest.raises(InputError, match="is no result of this model, its settings and"):
        predict(image, out=out, overrides=FAST)
    (again,) = predict(image, out=out, overrides=FAST, classes=None, overwrite=True)
    assert again.classes == all_classes.classes


def test_results_are_those_of_a_model_however_its_path_is_written(
    images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine.safetensors").write_bytes(BUNDLED.read_bytes())
    monkeypatch.chdir(tmp_path)
    (record, *_) = predict(images, out="out", model="mine.safetensors", overrides=FAST)
    assert json.loads(record.results.summary.read_text())["model"] == "mine.safetensors"
    assert predict(images, out="out", model=tmp_path / "mine.safetensors", overrides=FAST) == []


class FailingStream(BytesIO):
    """A stream that fails as one does on a full disk, or whose reader is gone."""

    def __init__(self, code: int) -> None:
        super().__init__()
        self.code = code

    def flush(self) -> None:
        raise OSError(self.code, os.strerror(self.code))


def test_a_stream_that_takes_no_result_is_refused(images: Path) -> None:
    image, formats = images / "a.png", "json"
    with pytest.raises(InputError, match="cannot be written to the stream") as found:
        predict(image, out=FailingStream(errno.ENOSPC), formats=formats, overrides=FAST)
    assert found.value.parameters == ("out",)
    with pytest.raises(BrokenPipeError):
        predict(image, out=FailingStream(errno.EPIPE), formats=formats, overrides=FAST)


def test_an_image_given_twice_is_segmented_once(images: Path, tmp_path: Path) -> None:
    records = predict([images, images / "a.png"], out=tmp_path / "out", overrides=FAST)
    assert [record.image.name for record in records] == ["a.png", "b.jpg", "a.png"]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells the usable cores")
def test_no_more_threads_than_usable_cores_are_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0})
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    for index in range(4):  # which take long enough to read for each thread to get one
        Image.new("RGB", (1000, 1000)).save(tmp_path / f"{index}.png")
    threads: set[str] = set()

    def note(_: Event) -> None:
        threads.update(thread.name for thread in threading.enumerate())

    predict(tmp_path, out=tmp_path / "out", overrides=FAST, formats="json", callback=note)
    assert len([name for name in threads if name.startswith("ThreadPoolExecutor")]) <= 2


def test_one_image_in_one_format_goes_to_a_stream(images: Path, tmp_path: Path) -> None:
    content, stream = (images / "a.png").read_bytes(), BytesIO()
    (record,) = predict(content, out=stream, formats="mask", overrides=FAST)
    assert (record.image, list(record.results)) == (Path("-"), [])
    predict(images / "a.png", out=tmp_path, formats="mask", overrides=FAST)
    stream.seek(0)
    with Image.open(stream) as found, Image.open(tmp_path / "a.png") as expected:
        np.testing.assert_array_equal(np.asarray(found), np.asarray(expected))
    with pytest.raises(InputError, match=r"found 3 images and 1 format \(mask\); expected one"):
        predict(images, out=stream, formats="mask", overrides=FAST)
    with pytest.raises(InputError, match="found 0 jobs, expected at least 1"):
        predict(content, out=stream, jobs=0)
    with pytest.raises(InputError, match="found 1 image and 4 formats"):
        predict(content, out=stream, overrides=FAST)


def test_bytes_are_saved_under_a_name_and_known_by_their_content(
    images: Path, tmp_path: Path
) -> None:
    first, second = ((images / name).read_bytes() for name in ("a.png", "b.jpg"))
    out = tmp_path / "out"
    (record,) = predict(first, out=out, overrides=FAST)
    assert record.results.mask == out / "image.png"
    assert predict(first, out=out, overrides=FAST) == []
    with pytest.raises(InputError, match="is no result of this model, its settings and sha256:"):
        predict(second, out=out, overrides=FAST)


def test_an_unknown_class_is_refused_before_anything_is_written(
    images: Path, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="'floors': no class of this model; did you mean floor"):
        predict(images, out=tmp_path / "out", overrides=FAST, classes="wall,floors")
    assert not (tmp_path / "out").exists()
