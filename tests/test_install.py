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
    advice = re.findall("`pip (install [^`]*)`", env.run("sceneparse", *predict, code=2).stderr)
    (pytorch,) = [command for command in advice if "[train]" in command]
    # Run the exact command of the message; pip keeps the installed sceneparse.
    env.run("pip", *pytorch.replace('"', "").split())
    env.run("pip", "check")
    env.run("sceneparse", *predict)
    (source,) = image.iterdir()
    mask = env.home / "predictions" / f"{source.stem}.png"
    with Image.open(mask) as predicted, Image.open(source) as original:
        assert predicted.size == original.size
        assert np.unique(np.asarray(predicted)).size > 1


@pytest.mark.install
@pytest.mark.timeout(600)
def test_the_runtime_extra_predicts_and_scores_without_pytorch(tmp_path: Path) -> None:
    env = Environment(tmp_path)
    packages = tmp_path / "venv" / "lib"
    before = _megabytes(packages)
    env.run("pip", "install", "--quiet", f"{ROOT}[runtime]")
    env.run("pip", "check")
    assert _megabytes(packages) - before <= 250
    installed = env.run("pip", "list", "--format", "freeze").stdout
    assert not re.search(r"^(torch|opencv)", installed, re.MULTILINE)

    env.run("sceneparse", "data", "synth", "scenes", "--images", "1", "--validation", "3")
    images = env.home / "scenes" / "images" / "validation"
    shown = env.run("sceneparse", "predict", images, "--out", "predictions")
    assert "ONNX Runtime, fp32 on cpu" in shown.stdout + shown.stderr
    assert len(list((env.home / "predictions").glob("*.json"))) == 3
    scores = env.run("sceneparse", "evaluate", "bundled", "--data", "scenes").stdout
    assert "mIoU" in scores
    # An exported file is another way to the same model, here with its weights beside it.
    code = "from sceneparse.factory.model_files import bundled_graph; print(bundled_graph())"
    graph = env.run("python", "-c", code).stdout.strip()
    assert env.run("sceneparse", "evaluate", graph, "--data", "scenes").stdout == scores
    for settings in ("inference.resize=window", "inference.scales=[1,1.5]"):
        env.run("sceneparse", "predict", images, settings, "--out", "more", "--overwrite")
    env.run("sceneparse", "tta", "bundled", "--data", "scenes", "--images", "2")
    # What needs PyTorch says so.
    failed = env.run("sceneparse", "export", "bundled", "--out", "model.onnx", code=2)
    assert 'pip install "sceneparse[train' in failed.stderr
    assert "Traceback" not in failed.stderr


def _megabytes(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6
