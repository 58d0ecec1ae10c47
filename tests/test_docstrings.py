"""The examples in docstrings run with the bundled model."""

import doctest
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import sceneparse
from sceneparse.data.datasets.synthetic import SyntheticScenes
from sceneparse.data.io.images import image_array

MODULES = (
    "sceneparse.data.io.images",
    "sceneparse.factory.loading",
    "sceneparse.inference.prediction",
    "sceneparse.inference.predictor",
)


@pytest.mark.slow
@pytest.mark.parametrize("module", MODULES)
def test_examples_run(module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    image = SyntheticScenes(1, 240, 320, seed=0)[0].image
    Image.fromarray(image).save("image.jpg")
    names = {"sceneparse": sceneparse, "np": np, "image_array": image_array}
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    for test in doctest.DocTestFinder().find(import_module(module), extraglobs=names):
        runner.run(test)
    found = runner.summarize(verbose=False)
    assert found.attempted
    assert not found.failed
