"""Result files say what made them, so that they are not made twice and nothing else is replaced."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sceneparse.errors import InputError
from sceneparse.inference.prediction import Prediction
from sceneparse.inference.prediction_files import (
    SUFFIXES,
    WRITING_ORDER,
    PredictionFiles,
    checked_formats,
    read_record,
)
from tests.inference.networks import labels_of, random_image

RECORD = {"image": 'bäd "name".jpg', "model": "runs/mine", "only": ""}


def save(folder: Path, formats: tuple[str, ...], record: dict[str, str] = RECORD) -> None:
    mask = np.arange(70, dtype=np.uint8).reshape(7, 10) % 3
    confidence = np.ones((7, 10), np.float32)
    more = {key: value for key, value in record.items() if key != "image"}
    Prediction(random_image(7, 10), mask, confidence, labels_of(3)).save(
        folder, "a", formats=formats, image_name=record["image"], more=more, overwrite=True
    )


def test_formats_are_listed_once_in_one_order_and_all_can_be_written() -> None:
    assert checked_formats(["json", "mask", "json"]) == ("mask", "json")
    assert sorted(WRITING_ORDER) == sorted(SUFFIXES)
    assert WRITING_ORDER[-1] == "json"


@pytest.mark.parametrize(
    ("formats", "message"),
    [
        (["masks"], r"'masks' is no format of results; did you mean mask\?"),
        (["xml"], r"'xml' is no format of results; choose from mask, color, overlay, json"),
        ([], r"no format of results; choose from mask"),
    ],
)
def test_other_formats_are_refused(formats: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        checked_formats(formats)


@pytest.mark.parametrize("kind", SUFFIXES)
def test_each_format_alone_says_what_made_it(kind: str, tmp_path: Path) -> None:
    files = PredictionFiles(tmp_path, "a", (kind,))
    assert not files.are_done(RECORD)
    save(tmp_path, (kind,))
    assert [path.name for path in tmp_path.iterdir()] == [f"a{SUFFIXES[kind]}"]
    found = read_record(files.path(kind))
    assert {key: found[key] for key in RECORD} == RECORD
    assert files.are_done(RECORD)
    with pytest.raises(InputError, match=r"no result of this model, its settings and bäd") as error:
        files.are_done({**RECORD, "only": "wall"})
    assert error.value.parameters == ("overwrite", "out")


@pytest.mark.parametrize("kind", SUFFIXES)
@pytest.mark.parametrize("content", [b"mine", b"{}", b"[1]", b"\xff\xd8", b""])
def test_a_foreign_file_is_no_result(kind: str, content: bytes, tmp_path: Path) -> None:
    files = PredictionFiles(tmp_path, "a", (kind,))
    files.path(kind).write_bytes(content)
    assert not read_record(files.path(kind))
    with pytest.raises(InputError, match="exists already, and is no result"):
        files.are_done(RECORD)


def test_results_are_done_when_every_format_is_there(tmp_path: Path) -> None:
    both = PredictionFiles(tmp_path, "a", ("mask", "json"))
    save(tmp_path, ("mask",))
    assert not both.are_done(RECORD)
    save(tmp_path, ("json",))
    assert both.are_done(RECORD)
    # The mask of other settings counts no more, whatever the JSON says.
    save(tmp_path, ("mask",), {**RECORD, "model": "another"})
    with pytest.raises(InputError, match=r"a\.png: exists already"):
        both.are_done(RECORD)


def test_the_metadata_of_an_image_are_no_part_of_its_pixels(tmp_path: Path) -> None:
    save(tmp_path, ("mask",))
    with Image.open(tmp_path / "a.png") as image:
        assert (image.mode, image.size) == ("L", (10, 7))
