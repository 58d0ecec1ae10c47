"""A prediction says what it holds, shows itself and saves itself."""

import json
import re
from base64 import b64decode
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sceneparse import drawing
from sceneparse.errors import InputError
from sceneparse.inference.figure import MAX_HTML_SIDE
from sceneparse.inference.prediction import Prediction
from sceneparse.labels import Labels
from tests.inference.networks import random_image

LABELS = Labels(
    ("wall", "floor & <rug>", "_hidden", "costs $5 or $6", "never"),
    ((120, 120, 120), (200, 30, 30), (30, 200, 30), (30, 30, 200), (1, 2, 3)),
    (11, 12, 13, 14, 15),
)


def prediction_of(height: int = 60, width: int = 80, classes: int = 4) -> Prediction:
    """Four stripes of 40, 30, 20 and 10 percent, or fewer of them."""
    shares = np.searchsorted([0.4, 0.7, 0.9], (np.arange(width) + 0.5) / width)
    mask = np.broadcast_to(shares.clip(max=classes - 1), (height, width)).astype(np.uint8)
    confidence = np.where(mask == 0, 0.75, 0.5).astype(np.float32)
    return Prediction(random_image(height, width), mask, confidence, LABELS)


def test_it_is_written_as_size_and_largest_classes() -> None:
    text = "Prediction(80×60, 4 classes: wall 40%, floor & <rug> 30%, _hidden 20%, …)"
    assert repr(prediction_of()) == text
    assert repr(prediction_of(classes=1)) == "Prediction(80×60, 1 class: wall 100%)"
    text = "Prediction(80×60, 2 classes: floor & <rug> 60%, wall 40%)"
    assert repr(prediction_of(classes=2)) == text


def test_its_plain_data_are_json_and_classes_are_ordered_by_share() -> None:
    document = json.loads(json.dumps(prediction_of().to_dict()))
    assert (document["width"], document["height"]) == (80, 60)
    wall = {"id": 11, "name": "wall", "share": 0.4, "confidence": 0.75}
    assert document["classes"][0] == pytest.approx(wall)
    assert [each["id"] for each in document["classes"]] == [11, 12, 13, 14]


def test_overlay_and_colours_are_those_of_drawing() -> None:
    prediction = prediction_of(200, 300)
    image, mask = prediction.image, prediction.mask
    expected = drawing.overlay(image, mask, LABELS, 0.3)
    np.testing.assert_array_equal(prediction.overlay(0.3), expected)
    np.testing.assert_array_equal(prediction.color_mask(), drawing.color_mask(mask, LABELS))
    with_legend = prediction.overlay(0.3, legend=True)
    np.testing.assert_array_equal(with_legend[:200, :300], expected)
    assert with_legend.shape[0] > 200
    with pytest.raises(InputError, match=r"opacity 1\.5; expected 0\.\.1"):
        prediction.overlay(1.5)


@pytest.mark.parametrize("size", [(60, 80), (1500, 40), (700, 1900), (1, 1)])
def test_a_notebook_shows_a_small_overlay_and_an_escaped_legend(size: tuple[int, int]) -> None:
    html: str = getattr(prediction_of(*size), "_repr_html_")()  # noqa: B009 - as notebooks call it
    found = re.search('base64,([^"]+)"', html)
    assert found
    shown = Image.open(BytesIO(b64decode(found[1])))
    assert max(shown.size) == min(MAX_HTML_SIDE, max(size))
    assert shown.width / shown.height == pytest.approx(size[1] / size[0], rel=0.05)
    assert "<rug>" not in html
    assert "floor &amp; &lt;rug&gt;" in html
    assert "#c81e1e" in html


@pytest.mark.parametrize("size", [(60, 80), (900, 60), (40, 2400)])
def test_a_plot_has_image_mask_overlay_and_legend(size: tuple[int, int]) -> None:
    figure = prediction_of(*size).plot()
    assert [axes.get_title() for axes in figure.axes] == ["image", "mask", "overlay"]
    (legend,) = figure.legends
    texts = [text.get_text() for text in legend.get_texts()]
    assert texts[:2] == ["wall 40%", "floor & <rug> 30%"]
    assert len(texts) == 4
    file = BytesIO()
    figure.savefig(file, format="png")
    assert len(file.getvalue()) > 1000


def test_saved_files_hold_the_ids_of_annotations_and_what_was_found(tmp_path: Path) -> None:
    prediction = prediction_of()
    files = prediction.save(tmp_path / "new" / "folder", "room.1")
    assert [path.name for path in files] == [
        "room.1.png",
        "room.1_color.png",
        "room.1_overlay.jpg",
        "room.1.json",
    ]
    ids = np.asarray(Image.open(files.mask))
    np.testing.assert_array_equal(ids, LABELS.decode(prediction.mask))
    np.testing.assert_array_equal(np.asarray(Image.open(files.color)), prediction.color_mask())
    drawn = np.asarray(Image.open(files.overlay)).astype(float)
    assert np.abs(drawn - prediction.overlay(legend=True)).mean() < 12  # JPEG of noise
    document = json.loads(files.summary.read_text(encoding="utf-8"))
    assert document == {"image": "room.1", **prediction.to_dict()}


@pytest.mark.parametrize("existing", [".png", "_color.png", "_overlay.jpg", ".json"])
def test_saving_replaces_nothing_unless_told_to(existing: str, tmp_path: Path) -> None:
    (tmp_path / f"a{existing}").write_text("mine")
    with pytest.raises(InputError, match=r"exists already; choose another .* allow overwriting"):
        prediction_of().save(tmp_path, "a")
    assert [path.name for path in tmp_path.iterdir()] == [f"a{existing}"]
    prediction_of().save(tmp_path, "a", overwrite=True)
    assert len(list(tmp_path.iterdir())) == 4


def test_a_name_is_no_path_and_a_folder_no_file(tmp_path: Path) -> None:
    for name in ("", "folder/a"):
        with pytest.raises(InputError, match="not a file name"):
            prediction_of().save(tmp_path, name)
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="file: the prediction cannot be written"):
        prediction_of().save(tmp_path / "file", "a")


def test_other_classes_than_those_asked_for_become_void() -> None:
    prediction = prediction_of(150, 200)
    only = prediction.only("_hidden", 11)
    kept = np.isin(prediction.mask, [0, 2])
    np.testing.assert_array_equal(only.mask, np.where(kept, prediction.mask, 255))
    assert [each["name"] for each in only.classes()] == ["wall", "_hidden"]
    assert only.classes()[0] == prediction.classes()[0]
    np.testing.assert_array_equal(only.overlay()[~kept], prediction.image[~kept])
    assert (only.color_mask()[~kept] == 0).all()
    assert repr(prediction.only("never")) == "Prediction(200×150, 0 classes)"
    assert prediction.only("never").overlay(legend=True).shape == (150, 200, 3)


def test_void_has_the_first_ignored_id_in_files(tmp_path: Path) -> None:
    prediction = prediction_of()
    for ignored, expected in (((), 255), ((7, 0), 7)):
        labels = replace(LABELS, ignored_ids=ignored)
        files = replace(prediction, labels=labels).only("wall").save(tmp_path, f"{expected}")
        ids = np.asarray(Image.open(files.mask))
        assert set(np.unique(ids)) == {11, expected}


def test_what_is_encoded_is_what_is_saved(tmp_path: Path) -> None:
    prediction = prediction_of()
    kinds = ("mask", "color", "overlay", "json", "coco", "geojson")
    files = prediction.save(tmp_path, "a", formats=kinds, image_name="a.jpg", more={"model": "m"})
    assert len(files) == len(list(tmp_path.iterdir())) == 6
    for kind in kinds:
        content = prediction.encode(kind, image_name="a.jpg", more={"model": "m"})
        assert files.path(kind).read_bytes() == content
    with pytest.raises(InputError, match="did you mean mask"):
        prediction.encode("masks")


@pytest.mark.parametrize("classes", [4, 255, 256, 300])
def test_saved_colours_are_those_of_the_coloured_mask(classes: int, tmp_path: Path) -> None:
    labels = Labels(
        tuple(map(str, range(classes))),
        tuple((number % 256, 7, number // 2) for number in range(classes)),
        tuple(range(classes)),
    )
    mask = np.random.default_rng(0).integers(0, classes, (30, 40)).astype(labels.dtype)
    mask[:3] = labels.ignore_index
    confidence = np.ones((30, 40), np.float32)
    prediction = Prediction(random_image(30, 40), mask, confidence, labels)
    files = prediction.save(tmp_path, formats=["color"])
    with Image.open(files.color) as image:
        assert image.mode == "RGB"
        np.testing.assert_array_equal(np.asarray(image), prediction.color_mask())


def test_many_pixels_are_counted_as_few(monkeypatch: pytest.MonkeyPatch) -> None:
    prediction = prediction_of(70, 90)
    expected = prediction.classes()
    monkeypatch.setattr(drawing, "_COUNTED_AT_ONCE", 100)
    assert [each["share"] for each in prediction.classes()] == [each["share"] for each in expected]
    for found, each in zip(prediction.classes(), expected, strict=True):
        assert found == pytest.approx(each)
