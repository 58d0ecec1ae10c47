"""The `compare` command on two score files."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sceneparse.metrics.bootstrap import bootstrap_differences
from sceneparse.metrics.comparison import compare, read_score_file
from tests.cli.conftest import Cli
from tests.conftest import rectangles, write_rectangles


def write_predictions(folder: Path, shift: int, count: int = 8) -> None:
    folder.mkdir()
    for index in range(count):
        ids = rectangles(1000 + index)[1]
        Image.fromarray(np.roll(ids, shift, axis=1)).save(folder / f"{index:03d}.png")


@pytest.fixture
def scored(cli: Cli, tmp_path: Path) -> Path:
    """A folder with `near.json` and `far.json`, scores of predictions shifted by 1 and 4 pixels."""
    write_rectangles(tmp_path / "data", {"training": 1, "validation": 8})
    for name, shift in (("near", 1), ("far", 4)):
        write_predictions(tmp_path / name, shift)
        target = tmp_path / "data" / "masks" / "validation"
        labels = tmp_path / "data" / "labels.yaml"
        done = cli("score", name, target, "--labels", labels, "--json", f"{name}.json")
        assert done.returncode == 0, done.stderr
        assert " to " in done.stdout
    return tmp_path


def test_the_comparison_finds_the_better_score_file(scored: Path, cli: Cli) -> None:
    done = cli("compare", "far.json", "near.json", "--json", "compared.json")
    assert done.returncode == 0, done.stderr
    assert "100.0%" in done.stdout
    assert "largest gains" in done.stdout
    assert "largest losses" not in done.stdout
    compared = json.loads((scored / "compared.json").read_text())
    far, near = (json.loads((scored / f"{name}.json").read_text()) for name in ("far", "near"))
    assert compared["images"] == 8
    assert compared["miou"]["difference"] == pytest.approx(near["miou"] - far["miou"])
    low, high = compared["miou"]["interval_95"]
    assert 0 < low < compared["miou"]["difference"] < high
    assert far["interval_95"]["miou"][0] < far["miou"] < far["interval_95"]["miou"][1]


def test_a_score_file_holds_the_counts_of_each_image(scored: Path) -> None:
    far, near = (read_score_file(scored / f"{name}.json") for name in ("far", "near"))
    document = json.loads((scored / "far.json").read_text())
    assert far.names == [f"{index:03d}" for index in range(8)]
    right, predicted, true = far.counts.sum(axis=0)
    ious = [entry["iou"] for entry in document["per_class"]]
    np.testing.assert_allclose(right / (predicted + true - right), ious)
    compared = compare(scored / "far.json", scored / "near.json")
    assert compared.differences == bootstrap_differences(far.counts, near.counts)


def test_images_are_paired_by_name(scored: Path) -> None:
    document = json.loads((scored / "near.json").read_text())
    document["per_image"].reverse()
    (scored / "reversed_order.json").write_text(json.dumps(document))
    plain = compare(scored / "far.json", scored / "near.json")
    reversed_order = compare(scored / "far.json", scored / "reversed_order.json")
    assert plain.differences == reversed_order.differences


def test_score_files_that_do_not_match_are_refused(scored: Path, fails: Callable[..., str]) -> None:
    document = json.loads((scored / "near.json").read_text())
    dropped = document["per_image"].pop(3)
    (scored / "fewer.json").write_text(json.dumps(document))
    assert "such as 003" in fails("compare", "far.json", "fewer.json")
    dropped["true"][0] += 1
    document["per_image"].append(dropped)
    (scored / "other.json").write_text(json.dumps(document))
    assert "different masks" in fails("compare", "far.json", "other.json")
    document["per_class"][0]["name"] = "sky"
    (scored / "classes.json").write_text(json.dumps(document))
    assert "the classes differ" in fails("compare", "far.json", "classes.json")
    del document["per_image"]
    (scored / "old.json").write_text(json.dumps(document))
    assert "no counts per image" in fails("compare", "far.json", "old.json")
    assert "no such file" in fails("compare", "far.json", "nothing.json")
