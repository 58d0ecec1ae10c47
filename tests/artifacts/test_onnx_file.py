"""What ONNX files say about themselves, read without a runtime."""

import json
from pathlib import Path

import numpy as np
import pytest

from sceneparse.artifacts.onnx_file import read_metadata, read_onnx
from sceneparse.errors import InputError
from sceneparse.factory.model_files import bundled_graph


def test_the_bundled_graph_describes_the_bundled_model() -> None:
    model = read_onnx(bundled_graph())
    assert (model.labels.num_classes, model.input_stride, model.output_stride) == (150, 32, 8)
    assert model.config.inference.size == 416
    assert json.loads(read_metadata(bundled_graph())["class_names"])[0] == "wall"


@pytest.mark.parametrize("seed", range(60))
def test_a_damaged_file_is_read_or_refused_with_its_name(seed: int, tmp_path: Path) -> None:
    content = bytearray(bundled_graph().read_bytes())
    rng = np.random.default_rng(seed)
    if seed % 2:
        # Metadata come last, so most of these changes meet them.
        for position in len(content) - rng.integers(1, 40_000, 20):
            content[position] = int(rng.integers(256))
    else:
        content = content[: int(rng.integers(len(content)))]
    path = tmp_path / "damaged.onnx"
    path.write_bytes(content)
    message = "damaged.onnx"
    try:
        read_onnx(path)
    except InputError as error:
        message = str(error)
    assert "damaged.onnx" in message


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "found nothing that sceneparse wrote"),
        (b"not a model", "not an ONNX file, or broken"),
        (b"\x72\xff\xff\xff\xff\x7f", "not an ONNX file, or broken"),  # metadata of 32 GiB
        (b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", "not an ONNX file, or broken"),
    ],
)
def test_other_files_are_refused(content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "other.onnx"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message):
        read_onnx(path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such ONNX file"):
        read_onnx(tmp_path / "gone.onnx")
