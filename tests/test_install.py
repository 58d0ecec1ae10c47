"""What the README says about installing is true: in an empty environment, as a stranger does it."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).parents[1]
# Versions of constraints.txt, as CI tests what is tested together.
CONSTRAINED = {"PIP_CONSTRAINT": str(ROOT / "constraints.txt")}

Completed = subprocess.CompletedProcess[str]


class Environment:
    """An empty virtual environment, in which commands run from a folder of their own."""

    def __init__(self, folder: Path) -> None:
        subprocess.run([sys.executable, "-m", "venv", folder / "venv"], check=True)
        self.bin, self.home = folder / "venv" / "bin", folder / "home"
        self.home.mkdir()
        hidden = ("PYTHONPATH", "VIRTUAL_ENV", "SCENEPARSE_CACHE")
        own = {name: value for name, value in os.environ.items() if name not in hidden}
        self.variables = {**own, **CONSTRAINED, "HOME": str(self.home), "COLUMNS": "200"}

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
def test_a_wheel_serves_without_pytorch_and_says_how_to_add_it(tmp_path: Path) -> None:
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
    # Literally what the message says; pip takes the sceneparse that is installed.
    env.run("pip", *advice.replace('"', "").split())
    env.run("pip", "check")
    env.run("sceneparse", *predict)
    (source,) = image.iterdir()
    mask = env.home / "predictions" / f"{source.stem}.png"
    with Image.open(mask) as predicted, Image.open(source) as original:
        assert predicted.size == original.size
        assert np.unique(np.asarray(predicted)).size > 1
