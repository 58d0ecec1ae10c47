"""The main commands on real images, and the demo."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sceneparse.data.datasets.ade20k import ade20k
from tests.cli.conftest import Cli

CONFIGS = Path(__file__).parents[2] / "configs" / "ade20k"


@pytest.mark.slow
@pytest.mark.real
def test_real_images_are_trained_scored_and_segmented(
    real_root: Path, official_root: Path, cli: Cli, tmp_path: Path
) -> None:
    done = cli(
        "train", CONFIGS / "unet_narrow.yaml", f"data.root={real_root}", "data.training_limit=32",
        "data.validation_limit=2", "training.epochs=2", "training.batch_size=4",
        "model.width=8", "report.images=1", "--out", "run",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    done = cli("evaluate", "run", "--data", official_root, "--json", "scores.json")
    assert done.returncode == 0, done.stderr
    scores = json.loads((tmp_path / "scores.json").read_text())
    assert scores["images"] == 3
    assert 0 < scores["pixel_accuracy"] < 1
    images = official_root / "images" / "validation"
    assert cli("predict", images, "--model", "run", "--out", "out").returncode == 0
    for path in images.iterdir():
        with Image.open(path) as image, Image.open(tmp_path / "out" / f"{path.stem}.png") as mask:
            assert mask.size == image.size
            ids = np.array(mask)
        assert ids.dtype == np.uint8
        assert ids.min() >= 1
        assert ids.max() <= 150
    # `score` on the written predictions gives the score of `evaluate`.
    done = cli("score", "out", official_root / "annotations" / "validation", "--json", "s.json")
    assert json.loads((tmp_path / "s.json").read_text())["miou"] == scores["miou"]


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_the_demo_writes_scores_animation_and_predictions(cli: Cli, tmp_path: Path) -> None:
    done = cli("demo")
    assert done.returncode == 0, done.stderr
    scores = json.loads((tmp_path / "demo" / "run" / "scores.json").read_text())
    assert scores["pixel_accuracy"] > 0.5
    assert (tmp_path / "demo" / "run" / "model_progress.gif").is_file()
    assert len(list((tmp_path / "demo" / "predictions").glob("*_overlay.jpg"))) == 4


@pytest.mark.real
def test_real_masks_hold_only_classes_and_void(real_root: Path) -> None:
    dataset = ade20k(real_root, "training")
    seen = np.zeros(256, bool)
    for index in range(0, len(dataset), 8):
        seen[np.unique(dataset[index].mask)] = True
    assert len(dataset) == 1600
    assert seen[:150].sum() > 100
    assert not seen[150:255].any()
