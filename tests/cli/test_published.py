"""Published data sets on the command line, one of them with more than 255 classes."""

import json
from pathlib import Path

import numpy as np
from PIL import Image

from tests.cli.conftest import Cli
from tests.published import OBJECTS, write_ade20k_full, write_cityscapes

RUN = """
data: {{kind: {kind}, root: data}}
model: {{kind: unet, width: 4}}
transform: {{size: 32, crop: 0.7, flip: 0.5}}
optimizer: {{kind: adam, lr: 0.003}}
training:
  {{epochs: 1, batch_size: {batch}, threads: 2,
    precision: fp32, memory_format: channels_last, device: cpu}}
inference: {{size: 32}}
report: {{images: 2}}
"""


def done(cli: Cli, *arguments: str) -> str:
    result = cli(*arguments)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def test_cityscapes_is_inspected_cached_trained_and_predicted(cli: Cli, tmp_path: Path) -> None:
    write_cityscapes(tmp_path / "data")
    (tmp_path / "run.yaml").write_text(RUN.format(kind="cityscapes", batch=3))
    assert "19 of 19 classes occur" in done(cli, "data", "check", "data")
    assert "training: 3 images" in done(cli, "data", "cache", "data")
    done(cli, "train", "run.yaml", "--out", "run")
    done(cli, "predict", "data/leftImg8bit/val/munster", "--model", "run", "--out", "predicted")
    mask = np.array(Image.open(tmp_path / "predicted" / "munster_000001_000019_leftImg8bit.png"))
    official = [7, 8, 11, 12, 13, 17, *range(19, 29), 31, 32, 33]
    assert np.isin(mask, official).all()


def test_two_byte_ids_pass_through_all_commands(cli: Cli, tmp_path: Path) -> None:
    target = write_ade20k_full(tmp_path / "data")
    (tmp_path / "run.yaml").write_text(RUN.format(kind="ade20k_full", batch=5))
    done(cli, "train", "run.yaml", "--out", "run")
    done(cli, "evaluate", "run", "--json", "evaluated.json")
    scenes = tmp_path / "data" / "images" / "ADE" / "validation" / "urban"
    images = sorted(map(str, scenes.glob("*/*.jpg")))
    done(cli, "predict", *images, "--model", "run", "--out", "predicted")
    (tmp_path / "plain").mkdir()
    for name, ids in target["validation"].items():
        mask = Image.open(tmp_path / "predicted" / f"{name}.png")
        assert mask.mode == "I;16"
        assert np.isin(np.array(mask), OBJECTS).all()
        Image.fromarray(ids).save(tmp_path / "plain" / f"{name}.png")
    # The scores of the written predictions equal those of the network.
    labels = ("--labels", "run/labels.json")
    done(cli, "score", "predicted", "plain", *labels, "--json", "scored.json")
    evaluated, scored = (
        json.loads((tmp_path / f"{name}.json").read_text()) for name in ("evaluated", "scored")
    )
    assert scored["per_class"] == evaluated["per_class"]
    assert len(evaluated["per_class"]) == len(OBJECTS) > 255
    assert evaluated["classes_absent"] == 0
    assert evaluated["loss"] > 0
