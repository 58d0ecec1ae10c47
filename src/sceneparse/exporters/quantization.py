"""Int8: weights and activations as integers of eight bits with scales, by ONNX Runtime's tools.

Only the network is quantised, layer by layer, never sizing and decision. A scale covers the
activations of a tensor, or the weights of an output channel, as they were measured on images
(Jacob et al., 2018, section 2).
"""

import copy
import logging
import tempfile
from collections.abc import Collection, Generator, Iterable, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx.shape_inference
import onnxruntime
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationMethod, QuantType
from onnxruntime.quantization.calibrate import CalibrationDataReader, create_calibrator
from onnxruntime.quantization.qdq_quantizer import QDQQuantizer

from sceneparse.exporters.samples import OnProgress, tracked
from sceneparse.inference.backends.onnxruntime import session_options
from sceneparse.inference.network import network_input
from sceneparse.inference.predictor import Predictor
from sceneparse.inference.views import logits_over_views

Inputs = Sequence[NDArray[np.float32]]

# Operations with weights, each of which starts a layer, and those that can follow in integers.
_WITH_WEIGHTS = ("Conv", "ConvTranspose", "Gemm", "MatMul")
_FOLLOWING = (
    *("Add", "AveragePool", "Clip", "Concat", "GlobalAveragePool", "LeakyRelu", "MaxPool", "Mul"),
    *("Relu", "Resize", "Sigmoid"),
)


class Quantizer:
    """Quantises layers of a network, with scales from images.

    The last layer stays in fp32: 256 steps are few for logits that are compared with each other, it
    is small, and ONNX Runtime 1.32 aborts when it moves the scales of logits into the loop of the
    decision.
    """

    def __init__(self, network: onnx.ModelProto, inputs: Iterable[NDArray[np.float32]]) -> None:
        """Fold batch normalisations into convolutions, and measure the ranges of activations.

        Args:
            network: From `sized` to `logits`.
            inputs: Inputs of the network, at least one.
        """
        with tempfile.TemporaryDirectory() as folder, _without_advice():
            simple = Path(folder) / "network.onnx"
            self.network = _simplified(network, simple)
            calibrator = create_calibrator(
                simple,
                [*_WITH_WEIGHTS, *_FOLLOWING],
                augmented_model_path=str(Path(folder) / "augmented.onnx"),
                calibrate_method=CalibrationMethod.MinMax,
            )
            calibrator.collect_data(_Reader(inputs))
            self._ranges = calibrator.compute_data()
        self._described = onnx.shape_inference.infer_shapes(self.network)
        self._nodes_of = _layers(self.network)
        _, self._last = self._nodes_of.popitem()

    @property
    def layers(self) -> list[str]:
        """The layers in their order, by the names of their modules, without the last one."""
        return list(self._nodes_of)

    def quantized(self, kept: Collection[str]) -> onnx.ModelProto:
        """Quantise all layers but some.

        Weights have seven bits: with eight, processors without VNNI overflow when they add
        products, and would give other labels than those that were checked.

        Args:
            kept: Layers to keep in fp32.
        """
        excluded = [*self._last, *(node for layer in kept for node in self._nodes_of[layer])]
        with _without_advice():
            quantizer = QDQQuantizer(
                copy.deepcopy(self._described),
                per_channel=True,
                reduce_range=True,
                weight_qType=QuantType.QInt8,
                activation_qType=QuantType.QUInt8,
                tensors_range=self._ranges,
                nodes_to_quantize=[],
                nodes_to_exclude=excluded,
                op_types_to_quantize=[*_WITH_WEIGHTS, *_FOLLOWING],
                extra_options={},
            )
            quantizer.quantize_model()
            quantizer.model.topological_sort()
        return quantizer.model.model


def inputs_of(
    predictor: Predictor, images: Iterable[NDArray[np.uint8]]
) -> Generator[NDArray[np.float32]]:
    """Yield what a network sees of images: sized, in all views and windows."""
    for image in images:
        recorder = _InputRecorder(predictor)
        logits_over_views([image], recorder, predictor.resize, predictor.views)
        yield from recorder.inputs


def logit_errors(quantizer: Quantizer, inputs: Inputs, on_progress: OnProgress) -> dict[str, float]:
    """Measure the effect of each layer on the logits when it alone is quantised.

    Args:
        quantizer: The layers.
        inputs: A few inputs of the network.
        on_progress: Called with the number of layers done.

    Returns:
        The norm of the change of the logits, as a share of the norm of the logits, by layer, the
        largest first.
    """
    plain = session_of(quantizer.network)
    expected = [run_network(plain, each) for each in inputs]
    square = sum(float(np.square(each, dtype=np.float64).sum()) for each in expected)
    errors: dict[str, float] = {}
    layers = quantizer.layers
    for layer in tracked(layers, len(layers), on_progress, "measuring layers"):
        others = [each for each in layers if each != layer]
        session = session_of(quantizer.quantized(others))
        change = sum(
            float(np.square(run_network(session, each) - own, dtype=np.float64).sum())
            for each, own in zip(inputs, expected, strict=True)
        )
        errors[layer] = (change / square) ** 0.5
    return dict(sorted(errors.items(), key=lambda item: -item[1]))


def session_of(network: onnx.ModelProto) -> Any:
    """Load a network into ONNX Runtime, on the CPU."""
    return onnxruntime.InferenceSession(
        network.SerializeToString(), session_options(), providers=["CPUExecutionProvider"]
    )


def run_network(session: Any, sized: NDArray[np.float32]) -> NDArray[np.float32]:
    """Compute the logits of an input."""
    (logits,) = session.run(["logits"], {"sized": sized})
    return np.asarray(logits)


class _InputRecorder:
    """A network that keeps its inputs and computes nothing."""

    def __init__(self, predictor: Predictor) -> None:
        network = predictor.network
        self.num_classes = network.num_classes
        self.input_stride = network.input_stride
        self.output_stride = network.output_stride
        self.inputs: list[NDArray[np.float32]] = []

    def logits(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        batch = network_input(images, self.input_stride)
        self.inputs.append(batch)
        height, width = (side // self.output_stride for side in batch.shape[2:])
        return np.zeros((len(batch), self.num_classes, height, width), np.float32)


class _Reader(CalibrationDataReader):
    """Gives inputs to ONNX Runtime's calibration."""

    def __init__(self, inputs: Iterable[NDArray[np.float32]]) -> None:
        self._inputs = iter(inputs)

    def get_next(self) -> Any:  # its annotation forgets None, for the end
        sized = next(self._inputs, None)
        return None if sized is None else {"sized": sized}


def _simplified(network: onnx.ModelProto, path: Path) -> onnx.ModelProto:
    """Let ONNX Runtime fold batch normalisations; its result is ONNX again, at the path."""
    options = session_options()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = str(path)
    onnxruntime.InferenceSession(
        network.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    model = onnx.load(path)
    for index, node in enumerate(model.graph.node):
        # The quantizer chooses nodes by their names.
        node.name = f"{index} {node.op_type}"
    onnx.save(model, path)
    return model


def _layers(network: onnx.ModelProto) -> dict[str, list[str]]:
    """Divide a network into layers: an operation with weights, and what follows until the next."""
    weights = {tensor.name for tensor in network.graph.initializer}
    layers: dict[str, list[str]] = {}
    layer, before = "", list[str]()
    for node in network.graph.node:
        own = [name for name in node.input if name in weights]
        if node.op_type in _WITH_WEIGHTS and own:
            # Folding puts words before the names of the state dict.
            name = own[0].removesuffix(".weight")
            layer = name[max(name.find("network."), 0) :].removeprefix("network.")
        if layer:
            layers.setdefault(layer, []).extend([*before, node.name])
            before = []
        else:
            before.append(node.name)
    return layers


@contextmanager
def _without_advice() -> Generator[None]:
    """Drop what ONNX Runtime's tools log to the root logger; other records pass as before."""

    def is_foreign(record: logging.LogRecord) -> bool:
        return "onnxruntime" not in Path(record.pathname).parts

    root = logging.getLogger()
    # Their calls would give a root logger without handlers one of its own, for good.
    handlers = [] if root.handlers or logging.lastResort is None else [logging.lastResort]
    root.addFilter(is_foreign)
    for handler in handlers:
        root.addHandler(handler)
    try:
        yield
    finally:
        root.removeFilter(is_foreign)
        for handler in handlers:
            root.removeHandler(handler)
