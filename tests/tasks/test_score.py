"""`score` agrees with slow references and refuses wrong files."""

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from sceneparse.data.io.masks import read_mask
from sceneparse.errors import InputError
from sceneparse.tasks.score import score


def slow_ade20k(
    targets: list[NDArray[np.uint8]], predictions: list[NDArray[np.uint8]]
) -> dict[str, float]:
    """Score raw ids 1..150, one class after the other."""
    ious: list[float] = []
    accuracies: list[float] = []
    weighted = right = valid = 0.0
    for raw in range(1, 151):
        hit = union = pixels = 0
        for target, prediction in zip(targets, predictions, strict=True):
            labelled = target != 0
            true, predicted = target == raw, (prediction == raw) & labelled
            hit += int(np.count_nonzero(true & predicted))
            union += int(np.count_nonzero(true | predicted))
            pixels += int(np.count_nonzero(true))
        right, valid = right + hit, valid + pixels
        if union:
            ious.append(hit / union)
            weighted += pixels * hit / union
        if pixels:
            accuracies.append(hit / pixels)
    return {
        "miou": sum(ious) / len(ious),
        "pixel_accuracy": right / valid,
        "mean_accuracy": sum(accuracies) / len(accuracies),
        "fwiou": weighted / valid,
        "classes_absent": 150 - len(ious),
    }


def write(folder: Path, images: dict[str, NDArray[np.uint8]]) -> Path:
    folder.mkdir(parents=True)
    for name, pixels in images.items():
        Image.fromarray(pixels).save(folder / f"{name}.png")
    return folder


@pytest.mark.real
def test_score_agrees_with_a_slow_reference_on_official_images(
    official_root: Path, tmp_path: Path
) -> None:
    annotations = official_root / "annotations" / "validation"
    targets = {path.stem: read_mask(path) for path in sorted(annotations.glob("*.png"))}
    shifted = {name: np.roll(target, 8, axis=1) for name, target in targets.items()}
    report = score(write(tmp_path / "shifted", shifted), annotations)
    names = sorted(targets)
    expected = slow_ade20k([targets[n] for n in names], [shifted[n] for n in names])
    assert report.images == 3
    summary = report.scores.summary()
    assert summary.keys() == expected.keys()
    for name, value in expected.items():
        assert summary[name] == pytest.approx(value, abs=1e-9), name


def test_the_ground_truth_scores_one(tmp_path: Path) -> None:
    target = np.random.default_rng(0).integers(0, 151, (40, 50)).astype(np.uint8)
    folder = write(tmp_path / "masks", {"a": target})
    report = score(folder, folder)
    assert report.scores.miou == 1.0
    assert report.warnings == ()


def test_score_resizes_predictions_by_nearest_neighbour(tmp_path: Path) -> None:
    target = np.repeat(np.repeat(np.array([[1, 2], [3, 4]], np.uint8), 10, 0), 10, 1)
    annotations = write(tmp_path / "masks", {"a": target})
    predictions = write(tmp_path / "small", {"a": target[::5, ::5]})
    report = score(predictions, annotations)
    assert report.scores.miou == 1.0
    assert "by nearest neighbour: a.png" in report.warnings[0]


def test_score_counts_unknown_predicted_ids_as_wrong(tmp_path: Path) -> None:
    target = np.full((4, 4), 5, np.uint8)
    prediction = target.copy()
    prediction[0] = 0
    prediction[1] = 200
    folders = write(tmp_path / "p", {"a": prediction}), write(tmp_path / "t", {"a": target})
    report = score(*folders, unknown_ids="wrong")
    assert report.scores.pixel_accuracy == 0.5
    (warning,) = report.warnings
    assert warning.startswith("predictions hold ids 200 in 25.0% of their pixels")


def test_unknown_predicted_ids_are_refused_with_the_class_they_lie_on(tmp_path: Path) -> None:
    target = np.random.default_rng(0).integers(1, 4, (20, 30)).astype(np.uint8)
    folders = write(tmp_path / "p", {"a": target * 80}), write(tmp_path / "t", {"a": target})
    with pytest.raises(
        InputError, match=r"in \d+\.\d% .* 160=2 \(building\), 240=3 \(sky\)"
    ) as caught:
        score(*folders)
    assert "80=1" not in str(caught.value), "80 is a class of ADE20K"
    report = score(*folders, map_ids={80: 1, 160: 2, 240: 3})
    assert report.scores.miou == 1.0
    with pytest.raises(InputError, match=r"map_ids: found 70000=1; expected ids in 0\.\.65535"):
        score(*folders, map_ids={70000: 1})


def test_score_names_the_mask_with_unknown_ids(tmp_path: Path) -> None:
    folder = write(tmp_path / "t", {"a": np.full((4, 4), 200, np.uint8)})
    with pytest.raises(InputError, match=r"a\.png: values 200 are neither"):
        score(folder, folder)


def test_score_reports_a_missing_prediction(tmp_path: Path) -> None:
    target = np.ones((4, 4), np.uint8)
    annotations = write(tmp_path / "t", {"a": target, "b": target})
    predictions = write(tmp_path / "p", {"a": target})
    with pytest.raises(InputError, match=r"b\.png: no prediction with this name"):
        score(predictions, annotations)


def test_score_reads_the_folder_that_predict_wrote(tmp_path: Path) -> None:
    target = np.ones((4, 4), np.uint8)
    annotations = write(tmp_path / "t", {"a": target})
    color = np.zeros((4, 4, 3), np.uint8)
    predictions = write(tmp_path / "p", {"a": target, "a_color": color})
    assert score(predictions, annotations).scores.miou == 1.0


def test_report_writes_all_documented_keys(tmp_path: Path) -> None:
    folder = write(tmp_path / "t", {"a": np.ones((4, 4), np.uint8)})
    report = score(folder, folder)
    report.write(tmp_path / "scores.json")
    document = json.loads((tmp_path / "scores.json").read_text())
    keys = ("miou", "pixel_accuracy", "mean_accuracy", "fwiou", "classes_absent", "per_class")
    assert all(key in document for key in keys)
    assert document["classes_absent"] == 149
    assert isinstance(document["classes_absent"], int)
    assert document["per_class"][0] == {
        "id": 1,
        "name": "wall",
        "iou": 1.0,
        "accuracy": 1.0,
        "share": 1.0,
    }
    assert document["per_class"][1]["iou"] is None
