"""The installation steps of the README work in an empty environment."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).parents[1]
# CI tests the versions of constraints.txt.
CONSTRAINED = {"PIP_CONSTRAINT": str(ROOT / "constraints.txt")}

Completed = subprocess.CompletedProcess[str]


class Environment:
    """An empty virtual environment whose commands run in an empty folder."""

    def __init__(self, folder: Path) -> None:
        subprocess.run([sys.executable, "-m", "venv", folder / "venv"], check=True)
        self.bin, self.home = folder / "venv" / "bin", folder / "home"
        self.home.mkdir()
        hidden = ("PYTHONPATH", "VIRTUAL_ENV", "SCENEPARSE_CACHE")
        inherited = {name: value for name, value in os.environ.items() if name not in hidden}
        self.variables = {**inherited, **CONSTRAINED, "HOME": str(self.home), "COLUMNS": "200"}

    def run(self, command: str, *arguments: str | Path, code: int = 0) -> Completed:
        done = subprocess.run(
            [self.bin / command, *map(str, arguments)],
            cwd=self.home,
            env=self.variables,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done


@pytest.mark.install
@pytest.mark.timeout(1200)
def test_a_wheel_works_without_pytorch_and_says_how_to_install_it(tmp_path: Path) -> None:
    env = Environment(tmp_path)
    env.run("pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", tmp_path / "dist", ROOT)
    (wheel,) = (tmp_path / "dist").iterdir()
    env.run("pip", "install", "--quiet", wheel)
    env.run("pip", "check")
    env.run("sceneparse", "data", "synth", "scenes", "--images", "5", "--validation", "1")
    masks = env.home / "scenes" / "annotations" / "validation"
    assert "1.0000" in env.run("sceneparse", "score", masks, masks).stdout

    image = env.home / "scenes" / "images" / "validation"
    predict = ("predict", image, "--out", "predictions")
    (advice,) = re.findall("`pip (install .*)`", env.run("sceneparse", *predict, code=2).stderr)
    # Run the exact command of the message; pip keeps the installed sceneparse.
    env.run("pip", *advice.replace('"', "").split())
    env.run("pip", "check")
    env.run("sceneparse", *predict)
    (source,) = image.iterdir()
    mask = env.home / "predictions" / f"{source.stem}.png"
    with Image.open(mask) as predicted, Image.open(source) as original:
        assert predicted.size == original.size
        assert np.unique(np.asarray(predicted)).size > 1
