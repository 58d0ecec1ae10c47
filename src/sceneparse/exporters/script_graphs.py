"""From functions in onnxscript to graphs that can be joined."""

from collections.abc import Mapping, Sequence
from typing import Any

import onnx
import onnx.inliner
import onnx_ir
import onnxscript.optimizer
from onnx import helper

# That of `onnxscript.opset18`, in which sizing and decision are written.
OPSET = 18
# The oldest that has opset 18 is 8; 10 is what current runtimes of phones and browsers read.
IR_VERSION = 10

# Type in ONNX, and shape.
Value = tuple[int, Sequence[str | int]]


def graph_of(
    function: Any, prefix: str, inputs: Mapping[str, Value], outputs: Mapping[str, Value]
) -> onnx.ModelProto:
    """Make a model of a function in onnxscript: functions inlined, constants folded.

    Args:
        function: The function, decorated with `script`.
        prefix: Goes before the names of inner values, so that graphs can be joined.
        inputs: Type and shape of each parameter, in their order.
        outputs: Type and shape of each result; the variables that it returns have these names.
    """
    model = function.to_model_proto()
    for values, found in ((inputs, model.graph.input), (outputs, model.graph.output)):
        if [value.name for value in found] != list(values):
            raise ValueError(f"{prefix}: found other names than {', '.join(values)}")
        del found[:]
        found.extend(helper.make_tensor_value_info(name, *value) for name, value in values.items())
    del model.graph.value_info[:]
    simple = onnxscript.optimizer.optimize(onnx.inliner.inline_local_functions(model))
    simple.graph.CopyFrom(_with_prefix(simple.graph, prefix))
    simple.ir_version = IR_VERSION
    return simple


def _with_prefix(graph: onnx.GraphProto, prefix: str) -> onnx.GraphProto:
    """Put a prefix before the names of inner values and nodes."""
    whole = onnx_ir.from_proto(graph)
    public = {value.name for value in (*whole.inputs, *whole.outputs)}
    for own in (whole, *whole.subgraphs()):
        values = [*own.inputs, *own.initializers.values()]
        values += [value for node in own for value in node.outputs]
        for value in values:
            if value.name not in public:
                value.name = f"{prefix}/{value.name}"
        for node in own:
            node.name = f"{prefix}/{node.name}"
    return onnx_ir.to_proto(whole)
