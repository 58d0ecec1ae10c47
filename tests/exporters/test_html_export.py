"""Export to HTML: what goes in, what is offered, and what is refused."""

import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import onnx
import pytest

from sceneparse.artifacts.onnx_file import OnnxModel, read_onnx
from sceneparse.artifacts.weights import write_weights
from sceneparse.errors import InputError
from sceneparse.exporters.html_export import export_html, page_settings
from sceneparse.exporters.web_runtime import WebRuntime
from sceneparse.factory.model_files import bundled_graph
from sceneparse.inference.settings import InferenceSettings
from sceneparse.tasks.export import export
from tests.exporters.test_checked_export import trained
from tests.local_page import html_of_bundled, require_npm

EMPTY = WebRuntime(b"", b"", b"")
NETWORK = """
model: {kind: encoder_unet, encoder: test_resnet, weights: none, decoder_channels: [16, 8],
        output_stride: 4}
"""


def bundled_with(**inference: Any) -> OnnxModel:
    contents = read_onnx(bundled_graph())
    settings = replace(InferenceSettings(), **inference)
    return contents._replace(config=replace(contents.config, inference=settings))


def facts_of(path: Path) -> dict[str, Any]:
    (text,) = re.findall('id="model-facts">(.*?)</script>', path.read_text("utf-8"))
    return json.loads(text)


@pytest.mark.parametrize(
    ("inference", "views"),
    [
        ({"flip": True}, [("trained", 2), ("plain", 1), ("larger", 2)]),
        ({"resize": "keep_ratio"}, [("trained", 1), ("mirrored", 2), ("larger", 1)]),
        # Padding would lie on the other side of a mirrored image.
        ({"size": 250, "flip": True}, [("trained", 1), ("larger", 1)]),
    ],
)
def test_a_page_offers_the_settings_that_it_computes_exactly(
    inference: dict[str, Any], views: list[tuple[str, int]]
) -> None:
    settings = page_settings(bundled_with(**inference))
    assert [(setting.id, setting.views) for setting in settings] == views
    assert [setting.scale for setting in settings] == [1] * (len(views) - 1) + [1.5]


@pytest.mark.slow
def test_the_bundled_page_is_small_and_holds_all_terms(tmp_path: Path) -> None:
    path = html_of_bundled(tmp_path / "bundled.html")
    assert path.stat().st_size <= 22e6
    facts = facts_of(path)
    notices = {notice["title"]: notice["text"] for notice in facts["notices"]}
    assert "non-commercial research" in notices["The weights of the model"]
    assert "Apache License" in notices["sceneparse: Apache License 2.0"]
    (runtime,) = (text for title, text in notices.items() if title.startswith("ONNX Runtime"))
    assert "Permission is hereby granted, free of charge" in runtime
    assert "protobuf" in notices["Parts of ONNX Runtime"]


def test_an_onnx_file_becomes_a_page_without_torch(tmp_path: Path) -> None:
    require_npm()
    file = tmp_path / "mine.onnx"
    onnx.save(onnx.load(bundled_graph()), file)
    code = """
import sys
sys.modules["torch"] = None
import sceneparse
print(sceneparse.export("mine.onnx", to="html", license_text="mine alone"))
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=os.environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert re.match(r"mine\.html: [\d.]+ MB\n", done.stdout)
    assert facts_of(tmp_path / "mine.html")["notices"][0]["text"] == "mine alone"


def test_a_ready_file_is_not_changed(tmp_path: Path) -> None:
    message = r"ONNX file already; its precision and settings stay"
    with pytest.raises(InputError, match=message):
        export("mine.onnx", out=tmp_path / "mine.html", precision="fp16")
    with pytest.raises(InputError, match=message):
        export("mine.onnx", out=tmp_path / "mine.html", overrides=["inference.flip=true"])


def test_a_model_for_other_images_is_refused(tmp_path: Path) -> None:
    contents = bundled_graph()
    model = onnx.load(contents)
    for entry in model.metadata_props:
        if entry.key == "config":
            config = json.loads(entry.value)
            config["data"]["image_range"] = [0, 4095]
            entry.value = json.dumps(config)
    onnx.save(model, tmp_path / "deep.onnx")
    with pytest.raises(InputError, match="its images have a range of values"):
        export_html(tmp_path / "deep.onnx", tmp_path / "deep.html", name="deep", runtime=EMPTY)
    assert not (tmp_path / "deep.html").exists()


def test_a_page_that_is_too_large_is_not_written(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    with pytest.raises(InputError, match=r"would have \d+\.\d\d MB, more than 10 MB"):
        export_html(bundled_graph(), path, name="page", runtime=EMPTY, max_bytes=10_000_000)
    assert not path.exists()


@pytest.mark.slow
def test_a_run_is_compared_and_then_written(tmp_path: Path) -> None:
    require_npm()
    weights = tmp_path / "mine.safetensors"
    write_weights(
        weights, trained(f"{NETWORK}inference: {{resize: window, size: 64, flip: true}}\n")
    )
    exported = export(weights, to="html", out=tmp_path / "page")
    first, *others = exported.notes
    assert re.match(r"the graph: [\d.]+% of the labels agree with PyTorch", first)
    assert others[-1] == "the page computes without windows"
    facts = facts_of(tmp_path / "page")
    assert facts["resize"] == {"kind": "window", "size": 64, "stride": 32}
    assert facts["classes"][1] == {"id": 10, "name": "red", "color": [9, 0, 0]}
