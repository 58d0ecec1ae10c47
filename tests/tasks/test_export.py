"""What `export` refuses before it does anything."""

from pathlib import Path
from typing import Any

import pytest

import sceneparse
from sceneparse.errors import InputError


def test_an_unknown_format_is_refused(tmp_path: Path) -> None:
    unknown: Any = "tflite"
    with pytest.raises(InputError, match="format tflite: unknown, expected one of onnx"):
        sceneparse.export("bundled", to=unknown, out=tmp_path / "model.tflite")
    assert not list(tmp_path.iterdir())
