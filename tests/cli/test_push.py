"""Models on the Hub from the command line, in a process with its own environment."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from sceneparse.factory.model_files import BUNDLED
from sceneparse.scenes import draw_scene
from tests.fake_hub import FakeHub, Repository


@pytest.mark.slow
def test_a_model_on_the_hub_predicts_without_noise(hub: FakeHub, tmp_path: Path) -> None:
    repository = hub.repositories["me/rooms"] = Repository()
    repository.commit({"model.safetensors": Path(str(BUNDLED)).read_bytes()})
    Image.fromarray(draw_scene(0, 0, 96, 128)[0]).save(tmp_path / "image.png")
    environment = {"HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "hf")}
    arguments = "predict image.png --out out --model hf://me/rooms --device cpu"
    done = subprocess.run(
        [sys.executable, "-m", "sceneparse", *arguments.split()],
        cwd=tmp_path,
        env={**{k: v for k, v in os.environ.items() if k != "HF_TOKEN"}, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    first, *lines = done.stdout.splitlines()
    assert first == "downloading hf://me/rooms/model.safetensors: 11.93 MB"
    assert len(lines) == 2
    assert (tmp_path / "out" / "image.png").is_file()


def test_the_terms_of_a_model_are_asked_for(fails: Callable[..., str]) -> None:
    assert "(--license)" in fails("push", "runs/mine", "me/rooms")
