"""The graph of an exported ONNX file, changed for ONNX Runtime in a browser."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

_DEFAULTS = frozenset({"size", "decide"})
_WIDTH_AXIS = 3


def browser_graph(model: onnx.ModelProto) -> onnx.ModelProto:
    """Make the optional inputs required, and add the input `views` and the mirrored view.

    The runtime for browsers does not take inputs that have defaults. `views` is int64 `(1,)`: 1 for
    the image alone; 2 for the mean of its probabilities and those of the mirrored image, as
    `inference.views` computes it. The logits are then its logarithm, or log-probabilities.

    Args:
        model: An exported model; it is changed.

    Returns:
        The same model.
    """
    graph = model.graph
    kept = [tensor for tensor in graph.initializer if tensor.name not in _DEFAULTS]
    network_output = "views/logits"
    nodes: list[onnx.NodeProto] = []
    for node in graph.node:
        is_sizing = "sized" in node.output
        is_last = "logits" in node.output
        _rename(node.input, "sized", "views/sized")
        _rename(node.output, "logits", network_output)
        nodes.append(node)
        if is_sizing:
            nodes += _before_network()
        if is_last:
            nodes += _after_network(network_output)
    del graph.initializer[:], graph.node[:]
    graph.initializer.extend([*kept, *_constants()])
    graph.node.extend(nodes)
    graph.input.append(helper.make_tensor_value_info("views", TensorProto.INT64, [1]))
    onnx.checker.check_model(model)
    return model


def _rename(names: "onnx.NodeProto.input", old: str, new: str) -> None:  # pyright: ignore
    for index, name in enumerate(names):
        if name == old:
            names[index] = new


def _before_network() -> list[onnx.NodeProto]:
    """Let the network see the image, and the mirrored one if there are two views."""
    return [
        *_mirrored("sized", "views/mirrored"),
        helper.make_node("Concat", ["sized", "views/mirrored"], ["views/both"], axis=0),
        helper.make_node(
            "Slice", ["views/both", "views/zero", "views", "views/zero"], ["views/sized"]
        ),
    ]


def _after_network(logits: str) -> list[onnx.NodeProto]:
    """Take the logarithm of the mean of the probabilities."""
    first = ["views/probabilities", "views/zero", "views/one", "views/zero"]
    others = ["views/probabilities", "views/one", "views/two", "views/zero"]
    make = helper.make_node
    return [
        make("Softmax", [logits], ["views/probabilities"], axis=1),
        make("Slice", first, ["views/first"]),
        # No rows if there is one view.
        make("Slice", others, ["views/second"]),
        *_mirrored("views/second", "views/turned"),
        make("Concat", ["views/first", "views/turned"], ["views/all"], axis=0),
        make("ReduceMean", ["views/all", "views/zero"], ["views/mean"], keepdims=1),
        make("Max", ["views/mean", "views/tiny"], ["views/positive"]),
        make("Log", ["views/positive"], ["logits"]),
    ]


def _mirrored(name: str, result: str) -> list[onnx.NodeProto]:
    slices = [name, "views/last", "views/before_first", "views/width", "views/last"]
    return [helper.make_node("Slice", slices, [result])]


def _constants() -> list[TensorProto]:
    integers = {
        "zero": 0,
        "one": 1,
        "two": 2,
        "last": -1,
        "before_first": np.iinfo(np.int64).min,
        "width": _WIDTH_AXIS,
    }
    tensors = [
        numpy_helper.from_array(np.array([value], np.int64), f"views/{name}")
        for name, value in integers.items()
    ]
    tiny = np.array(np.finfo(np.float32).tiny)
    return [*tensors, numpy_helper.from_array(tiny, "views/tiny")]
