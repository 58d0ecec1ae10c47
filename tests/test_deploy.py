"""The examples in docs/deploy.md run, one after the other, in an empty folder."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from sceneparse.scenes import draw_scene

PAGE = Path(__file__).parents[1] / "docs" / "deploy.md"


def examples() -> list[tuple[str, str]]:
    """Return language and text of each block in shell or Python."""
    text = PAGE.read_text(encoding="utf-8")
    return re.findall(r"^```(sh|python)\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


@pytest.mark.slow
def test_the_examples_run(tmp_path: Path) -> None:
    Image.fromarray(draw_scene(0, 0, 120, 160)[0]).save(tmp_path / "image.jpg")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    python = ""
    outputs: list[str] = []
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
    assert len(outputs) == 7
    (agreement,) = re.findall(r"the graph: ([\d.]+)% of the labels agree", outputs[0])
    assert float(agreement) >= 99.9
    assert (tmp_path / "model.html").is_file()
    assert (tmp_path / "from_onnx" / "image.geojson").is_file()
    assert (tmp_path / "from_python" / "image_overlay.jpg").is_file()
    assert re.search(r"\w+ \d+%", outputs[3])
