"""A trained model as one ONNX file, from the pixels of images to labels."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

import sceneparse
from sceneparse.artifacts.onnx_file import FORMAT, StoredPrecision
from sceneparse.config import RunConfig
from sceneparse.config.reading import config_document
from sceneparse.errors import InputError
from sceneparse.exporters.decision_graph import decision_graph, label_type_of
from sceneparse.exporters.network_graph import network_graph
from sceneparse.exporters.script_graphs import IR_VERSION, OPSET
from sceneparse.exporters.sizing_graph import sizing_graph
from sceneparse.inference.predictor import Predictor
from sceneparse.labels import Labels
from sceneparse.models.segmenter import Segmenter

# Protobuf's limit for one message.
_MAX_BYTES = 2**31 - 1


def onnx_model(
    segmenter: Segmenter,
    config: RunConfig,
    predictor: Predictor,
    stored: dict[str, NDArray[Any]],
    license_text: str,
    precision: StoredPrecision = "fp32",
    graph_of_network: onnx.ModelProto | None = None,
) -> onnx.ModelProto:
    """Build the ONNX model of a segmenter and its way from pixels to labels.

    Inputs: `images`, uint8 `(B, H, W, D)`, and optionally `size`, the height and width at which the
    network sees them, and `decide`, whether labels are computed. Outputs, at the size of the
    images: `labels` and `confidence`, `(B, H, W)`; and `logits`, `(B, C, h, w)` at the decoder's
    stride.

    Args:
        segmenter: The network, on the CPU and in fp32.
        config: Config of its run, with the settings of inference to store.
        predictor: Its predictor, whose sizing goes into the graph, and whose classes into the
            metadata.
        stored: The weights as they shall be stored, by their names in the state dict: fp16 is
            converted to fp32 when the model is loaded.
        license_text: Terms of the weights.
        precision: How the weights are stored, for the metadata.
        graph_of_network: The graph from `sized` to `logits`; none to translate the segmenter.
    """
    network = segmenter.network
    inner = network_graph(segmenter) if graph_of_network is None else graph_of_network
    graphs = [
        sizing_graph(predictor.resize, network.input_stride, segmenter.channels).graph,
        inner.graph,
        decision_graph(predictor.labels.num_classes, network.output_stride).graph,
    ]
    nodes = [node for graph in graphs for node in graph.node]
    initializers = [tensor for graph in graphs for tensor in graph.initializer]
    conversions, initializers = _as_stored(initializers, stored)
    # An input with an initializer has it as default.
    initializers.append(numpy_helper.from_array(np.zeros(2, np.int64), "size"))
    initializers.append(numpy_helper.from_array(np.array(True), "decide"))
    value = helper.make_tensor_value_info
    shape = ["B", "H", "W"]
    num_classes = predictor.labels.num_classes
    graph = helper.make_graph(
        [*conversions, *nodes],
        "sceneparse",
        [
            value("images", TensorProto.UINT8, [*shape, segmenter.channels]),
            value("size", TensorProto.INT64, [2]),
            value("decide", TensorProto.BOOL, []),
        ],
        [
            value("labels", label_type_of(num_classes), shape),
            value("confidence", TensorProto.FLOAT, shape),
            value("logits", TensorProto.FLOAT, ["B", num_classes, "h", "w"]),
        ],
        initializers,
    )
    model = helper.make_model(
        graph,
        producer_name="sceneparse",
        producer_version=sceneparse.__version__,
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
    )
    strides = {"input": network.input_stride, "output": network.output_stride}
    metadata = _metadata(config, predictor, license_text)
    metadata |= {"strides": json.dumps(strides), "precision": precision}
    helper.set_model_props(model, metadata)
    onnx.checker.check_model(model)
    return model


def encoded_model(model: onnx.ModelProto, path: Path, max_bytes: int | None = None) -> bytes:
    """Return the content of a model's file.

    Raises:
        InputError: If it would be too large.
    """
    limit = _MAX_BYTES if max_bytes is None else min(max_bytes, _MAX_BYTES)
    size = model.ByteSize()
    if size > limit:
        raise InputError(
            f"{path}: the file would have {size / 1e6:.2f} MB, more than {limit / 1e6:g} MB; "
            "nothing was written; store it in fp16, or train a smaller network"
        )
    return model.SerializeToString()


def not_in_graph(predictor: Predictor) -> list[str]:
    """List the parts of a predictor that the graph does not hold, such as views and windows."""
    return [
        name
        for name, is_used in (
            ("windows", predictor.resize.kind == "window"),
            ("test-time augmentation", len(predictor.views) > 1),
            ("refinement", predictor.refinement is not None),
        )
        if is_used
    ]


def _metadata(config: RunConfig, predictor: Predictor, license_text: str) -> dict[str, str]:
    """Describe a model, for sceneparse and for other programs."""
    labels: Labels = predictor.labels
    return {
        "format": FORMAT,
        "config": json.dumps(config_document(config)),
        "labels": labels.to_json(),
        "class_names": json.dumps(labels.class_names, ensure_ascii=False),
        "palette": json.dumps(labels.colors),
        "ids": json.dumps(labels.raw_ids),
        "inference": str(predictor),
        "not_in_graph": json.dumps(not_in_graph(predictor)),
        "license": license_text,
    }


def _as_stored(
    initializers: list[TensorProto], stored: dict[str, NDArray[Any]]
) -> tuple[list[onnx.NodeProto], list[TensorProto]]:
    """Replace weights by those of the same name in fp16, and list the nodes that convert them."""
    nodes: list[onnx.NodeProto] = []
    tensors: list[TensorProto] = []
    for tensor in initializers:
        values = stored.get(tensor.name)
        if values is None or values.dtype != np.float16:
            tensors.append(tensor)
            continue
        name = f"{tensor.name}/fp16"
        tensors.append(numpy_helper.from_array(values, name))
        nodes.append(helper.make_node("Cast", [name], [tensor.name], to=TensorProto.FLOAT))
    return nodes, tensors
