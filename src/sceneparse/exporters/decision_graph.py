"""The part of an exported model that turns logits into labels, as `inference.decision` does.

The functions below are ONNX, written as onnxscript: their bodies are translated, not run.
"""

# onnxscript's types describe Python values, not those of a graph.
# pyright: basic, reportArgumentType=false, reportOperatorIssue=false, reportOptionalSubscript=false
# pyright: reportIndexIssue=false, reportOptionalOperand=false, reportCallIssue=false
# pyright: reportAttributeAccessIssue=false, reportReturnType=false, reportGeneralTypeIssues=false

from functools import cache

import onnx
from onnx import TensorProto
from onnxscript import BOOL, INT64, graph, script
from onnxscript import opset18 as op

from sceneparse.exporters.script_graphs import graph_of

# Upsampled logits of a band of rows.
_BAND_VALUES = 2**19
_MAX_UINT8_CLASSES = 256


@script()
def interpolated(points, size, covered, source_size):
    """Locate pixels `(N,)` between two rows or columns of the feature map.

    Returns:
        The index of either, and the share of the second one.
    """
    center = (op.Cast(points, to=1) + 0.5) * (covered / op.Cast(size, to=1)) - 0.5
    position = op.Clip(center, 0.0, op.Cast(source_size - 1, to=1))
    floor = op.Floor(position)
    first = op.Cast(floor, to=7)
    second = op.Min(first + 1, source_size - 1)
    return first, second, position - floor


def label_type_of(num_classes: int) -> int:
    """Return the type of labels in ONNX: uint8 up to 256 classes, else uint16."""
    return TensorProto.UINT8 if num_classes <= _MAX_UINT8_CLASSES else TensorProto.UINT16


@cache
def decision_graph(num_classes: int, output_stride: int) -> onnx.ModelProto:
    """Build the graph that upsamples logits and chooses the most probable class of each pixel.

    It goes from band to band, so that no tensor of all classes has the size of the image. Its
    inputs are `logits` `(B, C, h, w)`, `image_size` and `network_size` of the sizing, and `decide`,
    a bool: if it is false, the outputs are empty and cost nothing. Its
    outputs are `labels` `(B, H, W)`, train ids in uint8 or uint16, and `confidence` `(B, H, W)`,
    the softmax probability of the label, float in 0..1.

    It takes a second, so the model is kept: do not change it.

    Args:
        num_classes: Number of classes, C.
        output_stride: Pixels of the network's input per row or column of the logits.
    """
    stride = float(output_stride)
    label_type = label_type_of(num_classes)

    @script()
    def decision(logits, image_size, network_size, decide):
        shape = op.Shape(logits)
        label_zero = op.Cast(0, to=label_type)
        covered = op.Cast(network_size, to=1) / stride
        height, width = image_size[0], image_size[1]
        features = op.Transpose(logits, perm=[2, 0, 3, 1])
        left, right, share = interpolated(op.Range(0, width, 1), width, covered[1], shape[3])
        share = op.Unsqueeze(share, [0, 1, 3])
        band_rows = op.Min(op.Max(_BAND_VALUES / (width * shape[0] * shape[1]), 1), height)
        bands = op.Where(decide, (height + band_rows - 1) / band_rows, 0)
        offsets = op.Range(0, band_rows, 1)

        @graph()
        def decided(i: INT64, proceed: BOOL):
            rows = op.Min(offsets + i * band_rows, height - 1)
            upper, lower, row_share = interpolated(rows, height, covered[0], shape[2])
            above = op.Gather(features, upper, axis=0)
            below = op.Gather(features, lower, axis=0)
            tall = above + (below - above) * op.Unsqueeze(row_share, [1, 2, 3])
            before = op.Gather(tall, left, axis=2)
            values = before + (op.Gather(tall, right, axis=2) - before) * share
            label = op.CastLike(op.ArgMax(values, axis=-1, keepdims=0), label_zero)
            best = op.ReduceMax(values, [-1], keepdims=1)
            probability = op.Reciprocal(op.ReduceSum(op.Exp(values - best), [-1], keepdims=0))
            still = op.Identity(proceed)
            return still, label, probability

        label_bands, confidence_bands = op.Loop(bands, True, body=decided)
        whole = op.Concat(
            op.Slice(shape, [0], [1]),
            op.Reshape(bands * band_rows, [1]),
            op.Slice(image_size, [1], [2]),
            axis=0,
        )
        last = op.Slice(image_size, [0], [1])
        padded_labels = op.Reshape(op.Transpose(label_bands, perm=[2, 0, 1, 3]), whole)
        labels = op.Slice(padded_labels, [0], last, [1])
        padded_confidence = op.Reshape(op.Transpose(confidence_bands, perm=[2, 0, 1, 3]), whole)
        confidence = op.Slice(padded_confidence, [0], last, [1])
        return labels, confidence

    size_type = (TensorProto.INT64, [2])
    return graph_of(
        decision,
        "decision",
        {
            "logits": (TensorProto.FLOAT, ["B", num_classes, "h", "w"]),
            "image_size": size_type,
            "network_size": size_type,
            "decide": (TensorProto.BOOL, []),
        },
        {
            "labels": (label_type, ["B", "H", "W"]),
            "confidence": (TensorProto.FLOAT, ["B", "H", "W"]),
        },
    )
