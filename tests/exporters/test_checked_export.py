"""ONNX files: what they contain, and the parity gate."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from numpy.typing import NDArray
from onnx import numpy_helper
from PIL import Image

from sceneparse.artifacts.onnx_file import read_metadata
from sceneparse.artifacts.weights import StoredModel, write_weights
from sceneparse.config.reading import parse_config
from sceneparse.data.io.resizing import resized_pixels
from sceneparse.errors import InputError
from sceneparse.exporters import checked_export
from sceneparse.exporters.checked_export import export_checked
from sceneparse.exporters.parity import compare_labels, require_parity
from sceneparse.exporters.samples import ParitySample
from sceneparse.factory.loading import load
from sceneparse.factory.model_files import BUNDLED
from sceneparse.inference.prediction import Prediction
from sceneparse.labels import Labels
from sceneparse.models.segmenter import Segmenter
from sceneparse.tasks.export import export
from tests.exporters.test_graphs import ODD_SIZES

LABELS = Labels(
    ("void", "red", "green", "blue"), ((0, 0, 0), (9, 0, 0), (0, 9, 0), (0, 0, 9)), (0, 10, 20, 30)
)
# The one that is translated in a second or two.
FASTEST = "separable, levels, windows"
NETWORKS = {
    FASTEST: """
model: {kind: encoder_unet, encoder: test_resnet, weights: none, decoder_channels: [16, 8],
        output_stride: 4, block: separable, head_levels: 2}
inference: {resize: window, size: 64, flip: true}
""",
    "classic, group norm, bands, stretched to no multiple": """
data: {kind: folder, root: nowhere, bands: [3, 1, 2, 5]}
model: {kind: unet, width: 8, normalization: group}
inference: {size: 70, scales: [1.0, 0.75]}
""",
    "SAME padding": """
model: {kind: encoder_unet, encoder: tf_efficientnet_lite0, weights: none,
        decoder_channels: [16, 8]}
inference: {resize: keep_ratio, size: 96, refine: {kind: guided_filter}}
""",
}


def trained(text: str) -> StoredModel:
    """Make weights as a run of this config would write them, with statistics that differ."""
    config = parse_config(text + "training: {precision: fp32}\n", "test")
    torch.manual_seed(0)
    segmenter = config.model.untrained.build(4, config.channels)
    segmenter.train()
    with torch.no_grad():
        for _ in range(3):
            segmenter(torch.randint(0, 256, (2, config.channels, 64, 96), dtype=torch.uint8))
        segmenter.network.head.weight.mul_(10)
    return StoredModel(segmenter.state_dict(), config, LABELS)


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(text, id=name, marks=() if name == FASTEST else pytest.mark.slow)
        for name, text in NETWORKS.items()
    ],
)
def exported(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a weights file and the ONNX file that was exported from it."""
    folder = tmp_path_factory.mktemp("exported")
    write_weights(folder / "model.safetensors", trained(request.param))
    if request.param == NETWORKS[FASTEST] and torch.__version__.startswith("2.6."):
        with pytest.raises(InputError, match=r"PyTorch 2\.6\S* cannot translate this network"):
            export(folder / "model.safetensors", out=folder / "model.onnx")
        pytest.skip("PyTorch 2.6 cannot translate this network")
    export(folder / "model.safetensors", out=folder / "model.onnx", license_text="mine")
    return folder


def images(channels: int) -> list[NDArray[np.uint8]]:
    """Smooth images of random colours, in odd sizes."""
    rng = np.random.default_rng(0)
    found: list[NDArray[np.uint8]] = []
    for size in ODD_SIZES:
        coarse = rng.integers(0, 256, (5, 7, channels), dtype=np.uint8)
        found.append(resized_pixels(coarse, size, Image.Resampling.BICUBIC))
    return found


def agreement(pairs: list[tuple[Prediction, Prediction]]) -> float:
    same = [one.mask == other.mask for one, other in pairs]
    return sum(map(np.count_nonzero, same)) / sum(found.size for found in same)


@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino:fp32"])
def test_exported_models_agree_with_pytorch_on_thirty_odd_sizes(
    exported: Path, runtime: str
) -> None:
    torch_model = load(exported / "model.safetensors", "cpu", runtime="torch:fp32")
    onnx_model = load(exported / "model.onnx", runtime=runtime)
    assert str(onnx_model) == str(torch_model)
    channels = 4 if torch_model.reading.bands else 3
    pairs = [(torch_model.segment(image), onnx_model.segment(image)) for image in images(channels)]
    assert agreement(pairs) >= 0.999
    for one, other in pairs:
        np.testing.assert_allclose(one.confidence, other.confidence, atol=2e-3)


def test_the_metadata_say_what_another_program_needs(exported: Path) -> None:
    metadata = read_metadata(exported / "model.onnx")
    assert metadata["license"] == "mine"
    assert json.loads(metadata["class_names"]) == list(LABELS.class_names)
    assert json.loads(metadata["ids"]) == list(LABELS.raw_ids)
    assert json.loads(metadata["palette"]) == [list(color) for color in LABELS.colors]
    outside = json.loads(metadata["not_in_graph"])
    described = metadata["inference"]
    assert ("windows" in outside) == ("windows" in described)
    assert ("test-time augmentation" in outside) == ("mean over" in described)
    assert ("refinement" in outside) == ("guided" in described)
    # The runtime reports the same.
    session = onnxruntime.InferenceSession(exported / "model.onnx")
    assert session.get_modelmeta().custom_metadata_map == metadata


def test_the_file_holds_no_path_of_this_machine(exported: Path) -> None:
    content = (exported / "model.onnx").read_bytes()
    assert str(Path(torch.__file__).parent).encode() not in content
    assert str(Path(checked_export.__file__).parents[2]).encode() not in content


def test_logits_alone_cost_no_decision(exported: Path) -> None:
    session = onnxruntime.InferenceSession(exported / "model.onnx")
    channels = session.get_inputs()[0].shape[3]
    image = np.zeros((1, 30, 40, channels), np.uint8)
    outputs = [output.name for output in session.get_outputs()]
    assert outputs == ["labels", "confidence", "logits"]
    labels, confidence, logits = (
        np.asarray(found) for found in session.run(None, {"images": image})
    )
    assert labels.shape == confidence.shape == (1, 30, 40)
    assert logits.shape[1] == 4
    skipped = {"images": image, "decide": np.array(False)}
    labels, confidence, alone = (np.asarray(found) for found in session.run(None, skipped))
    assert labels.size == confidence.size == 0
    np.testing.assert_array_equal(alone, logits)


def damaged(path: Path) -> Path:
    """Change the weights of the head in an ONNX file."""
    model = onnx.load(path)
    (head,) = (each for each in model.graph.initializer if each.name == "network.head.weight")
    head.CopyFrom(numpy_helper.from_array(-numpy_helper.to_array(head), head.name))
    target = path.with_name("damaged.onnx")
    onnx.save(model, target)
    return target


def test_the_gate_says_where_labels_differ(exported: Path) -> None:
    torch_model = load(exported / "model.safetensors", "cpu")
    wrong = load(damaged(exported / "model.onnx"), runtime="onnxruntime")
    channels = 4 if torch_model.reading.bands else 3
    samples = [ParitySample(f"image {i}", image) for i, image in enumerate(images(channels)[18:22])]
    parity = compare_labels(
        lambda image: torch_model.segment(image).mask,
        lambda image: wrong.segment(image).mask,
        samples,
        LABELS,
    )
    with pytest.raises(InputError, match=r"they differ most in image \d \(\d+×\d+\): \d+ pixels"):
        require_parity(parity, "the graph")


@pytest.mark.slow
def test_a_model_that_fails_the_gate_leaves_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The graph gets the weights of another network, as after a mistake of the exporter."""
    stored = trained(NETWORKS[FASTEST])
    original = checked_export.onnx_model

    def wrong(segmenter: Segmenter, *arguments: Any) -> onnx.ModelProto:
        with torch.no_grad():
            segmenter.network.head.weight.mul_(-1)
        return original(segmenter, *arguments)

    monkeypatch.setattr(checked_export, "onnx_model", wrong)
    with pytest.raises(InputError, match="expected at least"):
        export_checked(stored, tmp_path / "model.onnx", precision="fp32", license_text="")
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_fp16_halves_the_file_and_is_reported(tmp_path: Path) -> None:
    stored = trained(NETWORKS[FASTEST])
    write_weights(tmp_path / "model.safetensors", stored)
    exported = export(tmp_path / "model.safetensors", out=tmp_path / "half.onnx", precision="fp16")
    whole = (tmp_path / "model.safetensors").stat().st_size
    assert "weights in fp16 instead of fp32" in str(exported)
    overhead = 250_000  # the graph itself
    assert exported.size < 0.55 * whole + overhead
    assert exported.size == (tmp_path / "half.onnx").stat().st_size
    with pytest.raises(InputError, match=r"more than 0\.1 MB"):
        export(tmp_path / "model.safetensors", out=tmp_path / "small.onnx", max_bytes=100_000)
    assert not (tmp_path / "small.onnx").exists()


@pytest.mark.parametrize(
    "runtime", ["onnxruntime", pytest.param("openvino:fp32", marks=pytest.mark.slow)]
)
def test_the_bundled_graph_agrees_with_the_bundled_weights(runtime: str) -> None:
    assert BUNDLED.is_file()
    torch_model = load("bundled", "cpu", runtime="torch:fp32", flip=False)
    onnx_model = load("bundled", "cpu", runtime=runtime, flip=False)
    pairs = [(torch_model.segment(image), onnx_model.segment(image)) for image in images(3)[14:24]]
    assert agreement(pairs) >= 0.999
