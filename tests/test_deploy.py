"""The examples in docs/deploy.md run, one after the other, in an empty folder."""

import os
import re
import signal
import subprocess
import sys
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest
from PIL import Image

from sceneparse.scenes import draw_scene

PAGE = Path(__file__).parents[1] / "docs" / "deploy.md"


def examples() -> list[tuple[str, str]]:
    """Return language and text of each block in shell or Python."""
    text = PAGE.read_text(encoding="utf-8")
    return re.findall(r"^```(sh|python)\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def end_server(pid: Path) -> None:
    """End the server of the examples, if one of them has failed before its end."""
    with suppress(OSError):
        os.kill(int(pid.read_text()), signal.SIGTERM)


@pytest.mark.slow
def test_the_examples_run(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    Image.fromarray(draw_scene(0, 0, 120, 160)[0]).save(tmp_path / "image.jpg")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    python = ""
    outputs: list[str] = []
    request.addfinalizer(partial(end_server, tmp_path / "serve.pid"))
    for language, code in examples():
        command = ["sh", "-ec", code]
        if language == "python":
            # A block without imports goes on with the one before it.
            python = code if code.startswith("import") else python + code
            command = [sys.executable, "-c", python]
        done = subprocess.run(
            command,
            cwd=tmp_path,
            env={**os.environ, "PATH": path},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{code}\n{done.stdout}{done.stderr}"
        outputs.append(done.stdout)
    assert len(outputs) == 11
    (agreement,) = re.findall(r"the graph: ([\d.]+)% of the labels agree", outputs[0])
    assert float(agreement) >= 99.9
    assert (tmp_path / "model.html").is_file()
    assert (tmp_path / "from_onnx" / "image.geojson").is_file()
    assert (tmp_path / "from_python" / "image_overlay.jpg").is_file()
    assert '"status":"ok"' in outputs[3]
    assert '"classes": [{"id": ' in outputs[4]
    with Image.open(tmp_path / "mask.png") as mask, Image.open(tmp_path / "overlay.jpg") as overlay:
        assert mask.size == (160, 120)
        assert overlay.width == 160
    assert not (tmp_path / "serve.pid").exists()
    assert re.search(r"\w+ \(120, 160\) 0\.\d+", outputs[5])
    assert re.search(r"\w+ \d+%", outputs[7])
