"""Which runtime computes a model, and what is said if none can."""

from pathlib import Path

import numpy as np
import pytest
from tests.conftest import rectangles

import sceneparse
from sceneparse.errors import InputError
from sceneparse.factory import loading, model_files, runtime_choice
from sceneparse.factory.loading import load
from sceneparse.factory.runtime_choice import choose_runtime
from sceneparse.system.processor import Processor


def on_processor(monkeypatch: pytest.MonkeyPatch, *instructions: str) -> None:
    """Choose as on a processor with these instructions and without a GPU."""
    for module in (loading, runtime_choice):
        monkeypatch.setattr(module, "processor", lambda: Processor("", frozenset(instructions)))
    monkeypatch.setattr(runtime_choice, "_has_gpu", lambda: False)


def installed(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """Choose as if no other runtimes were installed."""
    monkeypatch.setattr(runtime_choice, "find_spec", lambda name: name if name in names else None)


ALL = ("torch", "onnxruntime", "openvino")


@pytest.mark.parametrize(
    ("model", "device", "runtime", "instructions", "present", "expected"),
    [
        ("bundled", "auto", "auto", "", ALL, "onnxruntime"),
        ("bundled", "auto", "auto", "avx512_bf16", ALL, "openvino"),
        ("bundled", "auto", "auto", "avx512_bf16", ("torch", "onnxruntime"), "onnxruntime"),
        ("bundled", "auto", "auto:bf16", "avx512_bf16", ("torch", "onnxruntime"), "torch"),
        ("bundled", "auto", "auto:fp32", "avx512_bf16", ALL, "onnxruntime"),
        ("bundled", "auto", "auto", "", ("torch",), "torch"),
        ("bundled", "cuda", "auto", "", ALL, "torch"),
        ("bundled", "cpu", "torch", "", ALL, "torch"),
        ("runs/mine", "auto", "auto", "", ALL, "torch"),
        ("model.onnx", "auto", "auto", "", ALL, "onnxruntime"),
        ("model.onnx", "auto", "openvino:fp32", "", ALL, "openvino"),
        ("hf://me/rooms", "auto", "auto", "", ALL, "onnxruntime"),
        ("hf://me/rooms", "auto", "auto", "", ("torch",), "torch"),
        ("hf://me/rooms", "cuda", "auto", "", ALL, "torch"),
        ("hf://me/rooms@v1/model.safetensors", "auto", "auto", "", ALL, "torch"),
        ("hf://me/rooms/sub/mine.onnx", "auto", "auto", "", ALL, "onnxruntime"),
    ],
)
def test_the_fastest_installed_runtime_is_chosen(
    model: str,
    device: str,
    runtime: str,
    instructions: str,
    present: tuple[str, ...],
    expected: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    on_processor(monkeypatch, *instructions.split())
    installed(monkeypatch, *present)
    assert choose_runtime(model, device, runtime)[0] == expected


@pytest.mark.parametrize(
    ("model", "runtime", "present", "message"),
    [
        ("runs/mine", "auto", ("onnxruntime",), r"needs PyTorch .*export the model to ONNX where"),
        ("model.onnx", "auto", ("torch",), r"needs ONNX Runtime .* or OpenVINO .*\)$"),
        ("model.onnx", "torch", ALL, "torch cannot compute it, expected onnxruntime or openvino"),
        ("bundled", "tensorflow", ALL, "expected one of auto, torch, onnxruntime, openvino"),
        ("bundled", "torch:int3", ALL, "runtime torch:int3: unknown"),
    ],
)
def test_a_model_that_nothing_can_compute_is_refused(
    model: str,
    runtime: str,
    present: tuple[str, ...],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    on_processor(monkeypatch)
    installed(monkeypatch, *present)
    with pytest.raises(InputError, match=message):
        choose_runtime(model, "auto", runtime)


def test_precisions_that_the_processor_lacks_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    on_processor(monkeypatch)
    with pytest.raises(InputError, match="precision bf16: this processor does not compute it"):
        load(runtime="openvino:bf16")
    with pytest.raises(InputError, match="OpenVINO is used on the CPU only"):
        load(model_files.bundled_graph(), "cuda", runtime="openvino")
    with pytest.raises(InputError, match="this ONNX Runtime has no support for it"):
        load(model_files.bundled_graph(), "cuda", runtime="onnxruntime")


@pytest.mark.slow
def test_every_runtime_says_what_it_is_and_predicts_the_same() -> None:
    image, _ = rectangles(0)
    predictors = [load(runtime=f"{name}:fp32", device="cpu", flip=False) for name in ALL]
    texts = ["PyTorch, fp32 on cpu", "ONNX Runtime, fp32 on cpu", "OpenVINO, fp32 on cpu"]
    assert [str(predictor.network) for predictor in predictors] == texts
    first, *others = (predictor(image) for predictor in predictors)
    for other in others:
        assert np.mean(first.mask == other.mask) > 0.999
        np.testing.assert_allclose(first.confidence, other.confidence, atol=1e-3)


def test_settings_change_an_onnx_file_like_any_model(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    content = model_files.bundled_graph().read_bytes()
    path.write_bytes(content)
    (tmp_path / "model.safetensors").write_bytes(Path(str(model_files.BUNDLED)).read_bytes())
    predictor = sceneparse.load(path, overrides=["inference.size=64"], flip=False)
    assert str(predictor) == "stretched to 64×64"
    path.with_suffix(".safetensors").unlink()
    with pytest.raises(InputError, match=r"model\.onnx: \w+(\ \w+)? cannot load it"):
        sceneparse.load(path)
