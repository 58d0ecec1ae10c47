"""Quantised ONNX files: the gate, the layers that are left out, and what the files say."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from PIL import Image
from playwright.sync_api import Page

from sceneparse.artifacts.onnx_file import read_metadata, read_onnx
from sceneparse.config.reading import parse_config
from sceneparse.errors import InputError
from sceneparse.exporters.int8_export import speed_note
from sceneparse.factory.loading import load
from sceneparse.recording.events import Event, Progress
from sceneparse.tasks.evaluate import evaluate
from sceneparse.tasks.export import export
from sceneparse.tasks.train import train
from tests.conftest import rectangles
from tests.local_page import encoded, require_npm, segment


@pytest.fixture(scope="module")
def model(rectangles_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The weights file of a small network that learned rectangles."""
    text = f"""
model: {{kind: encoder_unet, encoder: test_resnet, weights: none, decoder_channels: [16, 8],
        output_stride: 4, block: separable}}
data: {{kind: folder, root: {rectangles_root}}}
transform: {{size: 32}}
optimizer: {{kind: adam, lr: 0.01}}
training: {{epochs: 8, batch_size: 4, threads: 1, precision: fp32, device: cpu}}
inference: {{size: 32}}
report: {{images: 1}}
"""
    folder = tmp_path_factory.mktemp("model")
    train(parse_config(text, "test"), out=folder / "run")
    return folder / "run" / "model.safetensors"


@pytest.fixture(scope="module")
def quantized(model: Path, rectangles_root: Path) -> Path:
    """The int8 file of the model."""
    file = model.with_name("int8.onnx")
    export(model, out=file, precision="int8", images=rectangles_root)
    return file


@pytest.mark.slow
def test_int8_scores_within_half_a_point_of_fp32(
    model: Path, quantized: Path, rectangles_root: Path
) -> None:
    fp32 = evaluate(model, data=rectangles_root, runtime="torch:fp32", device="cpu")
    assert fp32.scores.miou > 0.5
    int8 = evaluate(quantized, data=rectangles_root, runtime="onnxruntime")
    assert int8.scores.miou >= fp32.scores.miou - 0.005
    # The same integers, and other kernels for what is not in integers: not what the gate checked.
    openvino = evaluate(quantized, data=rectangles_root, runtime="openvino")
    assert openvino.scores.miou >= fp32.scores.miou - 0.02


@pytest.mark.slow
@pytest.mark.browser
def test_a_page_computes_in_int8(page: Page, quantized: Path, tmp_path: Path) -> None:
    require_npm()
    html = export(quantized, out=tmp_path / "int8.html").path
    page.goto(html.as_uri())
    predictor = load(quantized, runtime="onnxruntime")
    for index in range(3):
        image = rectangles(index)[0]
        labels = segment(page, encoded(image), "trained")["labels"]
        # The same integers, and other kernels for what is not in integers.
        assert np.mean(labels == predictor.segment(image).mask) >= 0.98


@pytest.mark.slow
def test_the_file_holds_integers_and_says_so(model: Path, quantized: Path) -> None:
    assert read_onnx(quantized).precision == "int8"
    assert str(load(quantized, runtime="onnxruntime").network) == "ONNX Runtime, int8 on cpu"
    assert str(load(quantized, runtime="openvino:int8").network) == "OpenVINO, int8 on cpu"
    weights = {
        tensor.name: numpy_helper.to_array(tensor)
        for tensor in onnx.load(quantized).graph.initializer
        if tensor.name.endswith("weight_quantized")
    }
    assert len(weights) > 20
    for values in weights.values():
        # Seven bits, so that processors without VNNI compute the same.
        assert values.dtype == np.int8
        assert np.abs(values.astype(int)).max() <= 64
    # Sizing and decision are as in other files.
    assert all("network" in name for name in weights)
    assert quantized.stat().st_size < 0.5 * model.stat().st_size


@pytest.mark.slow
def test_other_precisions_than_that_of_the_file_are_refused(model: Path, quantized: Path) -> None:
    for runtime in ("onnxruntime:fp32", "openvino:fp32"):
        with pytest.raises(InputError, match="its weights are stored in int8"):
            load(quantized, runtime=runtime)
    with pytest.raises(InputError, match="its weights are stored in fp32"):
        load("bundled", runtime="onnxruntime:int8")
    with pytest.raises(InputError, match="it does not compute in int8"):
        load(model, runtime="torch:int8")


@pytest.mark.slow
def test_files_that_do_not_say_their_precision_are_fp32(quantized: Path, tmp_path: Path) -> None:
    graph = onnx.load(quantized)
    (entry,) = (each for each in graph.metadata_props if each.key == "precision")
    entry.value = "int3"
    onnx.save(graph, tmp_path / "future.onnx")
    with pytest.raises(InputError, match="its metadata are damaged"):
        read_onnx(tmp_path / "future.onnx")
    graph.metadata_props.remove(entry)
    onnx.save(graph, tmp_path / "old.onnx")
    assert "precision" not in read_metadata(tmp_path / "old.onnx")
    assert read_onnx(tmp_path / "old.onnx").precision == "fp32"


@pytest.mark.slow
def test_a_model_that_loses_too_much_is_refused_with_its_layers(
    model: Path, tmp_path: Path
) -> None:
    """What is calibrated on black images clips all others."""
    Image.fromarray(np.zeros((48, 64, 3), np.uint8)).save(tmp_path / "black.png")
    Image.fromarray(rectangles(0)[0]).save(tmp_path / "rectangles.png")
    events: list[Event] = []
    out = tmp_path / "out"
    with pytest.raises(InputError) as refused:
        export(
            model,
            out=out / "int8.onnx",
            precision="int8",
            images=tmp_path,
            callback=events.append,
        )
    assert not list(out.iterdir())
    first, head, *rows = str(refused.value).splitlines()
    assert "give a data set with masks" in first
    assert head.split() == ["layer", "changes", "the", "logits", "by", "kept", "in"]
    assert rows.pop() == "and 7 more in int8, each of which changes the logits by less"
    assert [row.split()[2] for row in rows] == ["fp32"] * 13 + ["int8"] * 7
    effects = [float(row.split()[1].rstrip("%")) for row in rows]
    assert effects == sorted(effects, reverse=True)
    tasks = {event.task for event in events if isinstance(event, Progress)}
    assert tasks == {"calibrating", "segmenting in fp32", "segmenting in int8", "measuring layers"}


def test_a_processor_on_which_int8_is_slower_is_told_so() -> None:
    refused = "int8 is not recommended on this processor: "
    assert speed_note(1 / 1.3).startswith(f"{refused}1.3 times as slow as fp32 in alternating runs")
    assert speed_note(1.02).startswith(f"{refused}no faster than fp32")
    assert "int8 is 2.0 times as fast as fp32" in speed_note(2.0)


def test_int8_needs_images_and_onnx(model: Path, rectangles_root: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="needs images to calibrate"):
        export(model, out=tmp_path / "a.onnx", precision="int8")
    with pytest.raises(InputError, match="safetensors files hold fp32 or fp16"):
        export(model, to="safetensors", out=tmp_path / "a", precision="int8", images=tmp_path)
    with pytest.raises(InputError, match="precision int4: unknown"):
        export(model, out=tmp_path / "a.onnx", precision="int4")  # pyright: ignore[reportArgumentType]
    image = next((rectangles_root / "images" / "validation").iterdir())
    with pytest.raises(InputError, match="found one image, expected at least two"):
        export(model, out=tmp_path / "a.onnx", precision="int8", images=image)
    assert not list(tmp_path.iterdir())
