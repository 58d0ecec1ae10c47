"""Quantised layers, on a small graph that is written here."""

import logging
from collections.abc import Generator

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from sceneparse.exporters.quantization import (
    Quantizer,
    inputs_of,
    logit_errors,
    run_network,
    session_of,
)
from sceneparse.exporters.samples import ParitySample, Samples
from sceneparse.exporters.script_graphs import IR_VERSION, OPSET
from sceneparse.factory.loading import load


def network(outlier: float = 1.0) -> onnx.ModelProto:
    """Three convolutions with a skip connection, and a head; one weight of the second is scaled."""
    rng = np.random.default_rng(0)
    nodes: list[onnx.NodeProto] = []
    weights: list[onnx.TensorProto] = []
    before = "sized"
    for name, outputs in (("first", 4), ("second", 4), ("third", 4), ("head", 3)):
        inputs = 3 if name == "first" else 4
        values = rng.normal(size=(outputs, inputs, 3, 3)).astype(np.float32)
        if name == "second":
            values[:, 0, 0, 0] *= outlier
        weights += [
            numpy_helper.from_array(values, f"network.{name}.weight"),
            numpy_helper.from_array(np.ones(outputs, np.float32), f"network.{name}.bias"),
        ]
        after = "logits" if name == "head" else f"{name}_features"
        given = [before, f"network.{name}.weight", f"network.{name}.bias"]
        nodes.append(helper.make_node("Conv", given, [after], pads=[1, 1, 1, 1]))
        before = after
        if name != "head":
            nodes.append(helper.make_node("Relu", [after], [f"{name}_relu"]))
            before = f"{name}_relu"
        if name == "third":
            nodes.append(helper.make_node("Add", [before, "first_relu"], ["sum"]))
            before = "sum"
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes,
        "network",
        [value("sized", TensorProto.FLOAT, ["B", 3, "h", "w"])],
        [value("logits", TensorProto.FLOAT, ["B", 3, "h", "w"])],
        weights,
    )
    return helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION
    )


def inputs(count: int) -> list[NDArray[np.float32]]:
    rng = np.random.default_rng(1)
    return [rng.uniform(0, 255, (1, 3, 16, 24)).astype(np.float32) for _ in range(count)]


def kinds(model: onnx.ModelProto) -> list[str]:
    return [node.op_type for node in model.graph.node]


def test_integers_come_close_to_floats() -> None:
    quantizer = Quantizer(network(), iter(inputs(3)))
    assert quantizer.layers == ["first", "second", "third"]
    (sized,) = inputs(1)
    expected = run_network(session_of(network()), sized)
    found = run_network(session_of(quantizer.quantized([])), sized)
    # Seven bits of weights and eight of activations, in three layers.
    assert np.abs(found - expected).max() < 0.1 * np.abs(expected).max()
    assert not np.array_equal(found, expected)


def test_kept_layers_and_the_head_stay_as_they_are() -> None:
    quantizer = Quantizer(network(), inputs(1))
    untouched = quantizer.quantized(quantizer.layers)
    assert "QuantizeLinear" not in kinds(untouched)
    names = {tensor.name for tensor in quantizer.quantized(["second"]).graph.initializer}
    assert {"network.second.weight", "network.head.weight"} <= names
    assert {"network.first.weight_quantized", "network.third.weight_quantized"} <= names
    (sized,) = inputs(1)
    np.testing.assert_array_equal(
        run_network(session_of(untouched), sized), run_network(session_of(network()), sized)
    )


def test_the_layer_with_the_largest_effect_comes_first() -> None:
    """One weight is so large that 127 steps leave nothing of the others."""
    quantizer = Quantizer(network(outlier=300.0), inputs(2))
    seen: list[tuple[str, int, int]] = []
    errors = logit_errors(quantizer, inputs(1), lambda *progress: seen.append(progress))
    assert list(errors.values()) == sorted(errors.values(), reverse=True)
    assert next(iter(errors)) == "second"
    assert [done for _, done, _ in seen] == [0, 1, 2, 3]


class Handler(logging.Handler):
    """Keeps messages."""

    def __init__(self) -> None:
        super().__init__()
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())


def test_loggers_are_left_as_they_were(capfd: pytest.CaptureFixture[str]) -> None:
    root = logging.getLogger()
    handlers, filters = list(root.handlers), list(root.filters)
    ours = Handler()
    root.addHandler(ours)

    def talking() -> Generator[NDArray[np.float32]]:
        logging.getLogger().warning("a record of ours")
        yield from inputs(1)

    try:
        Quantizer(network(), talking()).quantized([])
    finally:
        root.removeHandler(ours)
    assert ours.messages == ["a record of ours"]
    assert (root.handlers, root.filters) == (handlers, filters)
    assert capfd.readouterr() == ("", "")


def test_calibration_sees_what_the_network_sees() -> None:
    """Sized, padded, in each view."""
    predictor = load("bundled", "cpu", runtime="onnxruntime", size=64, flip=True)
    image = np.zeros((30, 50, 3), np.uint8)
    image[:, 25:] = 200
    plain, flipped = inputs_of(predictor, [image])
    assert plain.shape == (1, 3, 64, 64)
    assert plain.dtype == np.float32
    np.testing.assert_array_equal(plain[..., ::-1], flipped)
    assert (plain[0, :, 0, [0, -1]] == [[0] * 3, [200] * 3]).all()


def test_samples_are_spread_and_read_when_needed() -> None:
    read: list[int] = []

    def sample(index: int) -> ParitySample:
        read.append(index)
        return ParitySample(str(index), np.zeros((1, 1, 3), np.uint8))

    samples = Samples(sample, tuple(range(10)))
    assert not read
    assert [each.name for each in samples.every_second(1)] == ["1", "3", "5", "7", "9"]
    assert [each.name for each in samples.spread(4)] == ["0", "2", "5", "7"]
    assert len(samples.spread(100)) == 10
