"""The `tta` command and its advice."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.cli.conftest import Cli
from tests.conftest import write_rectangles


@pytest.mark.slow
def test_tta_prints_gain_cost_and_advice(
    rectangles_config: Path,
    rectangles_root: Path,
    cli: Cli,
    fails: Callable[..., str],
    tmp_path: Path,
) -> None:
    assert cli("train", rectangles_config, "training.epochs=2", "--out", "run").returncode == 0
    write_rectangles(tmp_path / "small", {"training": 1, "validation": 4}, (24, 32))
    done = cli("tta", "run", "inference.size=48", "--images", "4", "--data", "small")
    assert done.returncode == 0, done.stderr
    assert "all settings, on 2 images" in done.stdout
    assert "on 2 other images" in done.stdout
    for text in ("flip=true", "guided_filter", "dense_crf", "ms per"):
        assert text in done.stdout
    assert (
        "use: " in done.stdout
        or "keep the current settings" in done.stdout
        or ("the best setting is" in done.stdout)
    )
    # The other commands accept the overrides of the advice.
    override = "inference.refine={kind: guided_filter, radius: 2, epsilon: 0.01}"
    done = cli("evaluate", "run", override, "inference.flip=true")
    assert done.returncode == 0, done.stderr
    output = " ".join(done.stdout.replace("│", " ").split())
    assert "also flipped, guided filter of radius 2, epsilon 0.01" in output
    image = rectangles_root / "images" / "validation" / "000.png"
    for name, extra in (("plain", []), ("refined", [override])):
        done = cli("predict", image, "--model", "run", "--out", name, *extra)
        assert done.returncode == 0, done.stderr
    masks = [np.array(Image.open(tmp_path / name / "000.png")) for name in ("plain", "refined")]
    assert masks[0].shape == masks[1].shape
    assert (masks[0] != masks[1]).any()
    write_rectangles(tmp_path / "one", {"training": 1, "validation": 1})
    assert "at least 2" in fails("tta", "run", "--data", "one")
    assert "only takes overrides of `inference`" in fails(
        "predict", image, "--model", "run", "--out", "x", "training.epochs=1"
    )
