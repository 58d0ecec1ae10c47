"""The part of an exported model that sizes images for the network, as `inference.resize` does.

The functions below are ONNX, written as onnxscript: their bodies are translated, not run. All
numbers are scalars unless a shape is given. Sizes and weights are computed in integers, and
sums in float64, in which they are exact, so that every runtime computes the same.
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
from sceneparse.inference.resize import Resize

# Values that the taps of a band of rows may have: they stay in the cache of a processor core.
_BAND_VALUES = 2**15
_UNIT = 2**22


@script()
def triangle_filter(n_in, n_out):
    """Compute indices and weights of the inputs of each output, `(n_out, taps)` each.

    Output i lies at (i + 1/2) * n_in / n_out, input j at j + 1/2; both times 2 * n_out are
    integers. The weight of an input falls linearly to 0 at a distance of max(1, n_in / n_out).
    Weights are whole multiples of 2**-22, as in Pillow, so that sums are exact.
    """
    reach = 2 * op.Max(n_in, n_out)
    taps = op.Min(2 * ((reach + 2 * n_out - 1) / (2 * n_out)) + 1, n_in)
    center = (2 * op.Range(0, n_out, 1) + 1) * n_in
    first = op.Min(op.Max(center / (2 * n_out) - taps / 2, 0), n_in - taps)
    index = op.Unsqueeze(first, [1]) + op.Range(0, taps, 1)
    distance = op.Abs((2 * index + 1) * n_out - op.Unsqueeze(center, [1]))
    weight = op.Max(reach - distance, 0)
    total = op.ReduceSum(weight, [1])
    return index, op.Cast((2 * _UNIT * weight + total) / (2 * total), to=11)


@script()
def resized(image, size):
    """Resize images `(B, H, W, D)` uint8 to a size `(2,)`: `(B, D, h, w)` in whole floats.

    First along the height, a band of output rows at a time, then along the width.
    """
    unit = op.Cast(_UNIT, to=11)
    shape = op.Shape(image)
    batch = op.Slice(shape, [0], [1])
    rows, row_weights = triangle_filter(shape[1], size[0])
    columns, column_weights = triangle_filter(shape[2], size[1])
    flat = op.Reshape(image, op.Concat(op.Slice(shape, [0], [2]), [-1], axis=0))
    row_values = shape[2] * shape[3] * op.Shape(rows)[1]
    band_rows = op.Min(op.Max(_BAND_VALUES / row_values, 1), size[0])
    bands = (size[0] + band_rows - 1) / band_rows
    offsets = op.Range(0, band_rows, 1)

    @graph()
    def low_band(i: INT64, proceed: BOOL):
        own = op.Min(offsets + i * band_rows, size[0] - 1)
        taps = op.Cast(op.Gather(flat, op.Gather(rows, own), axis=1), to=11)
        weights = op.Unsqueeze(op.Gather(row_weights, own), [1])
        rounded = op.Floor(op.MatMul(weights, taps) / unit + 0.5)
        still = op.Identity(proceed)
        return still, rounded

    lows = op.Loop(bands, True, body=low_band)
    low_shape = op.Concat(batch, [-1], op.Slice(shape, [2], [4]), axis=0)
    low = op.Reshape(op.Transpose(lows, perm=[1, 0, 2, 3, 4]), low_shape)
    low = op.Slice(low, [0], op.Slice(size, [0], [1]), [1])
    # The same for columns, which become the rows of a transposed image.
    turned = op.Reshape(
        op.Transpose(low, perm=[0, 2, 1, 3]),
        op.Concat(batch, op.Slice(shape, [2], [3]), [-1], axis=0),
    )
    taps = op.Gather(turned, columns, axis=1)
    sums = op.MatMul(op.Unsqueeze(column_weights, [1]), taps)
    narrow = op.Cast(op.Floor(sums / unit + 0.5), to=1)
    narrow_shape = op.Concat(
        batch, op.Slice(size, [1], [2]), op.Slice(size, [0], [1]), op.Slice(shape, [3], [4]), axis=0
    )
    return op.Transpose(op.Reshape(narrow, narrow_shape), perm=[0, 3, 2, 1])


@cache
def sizing_graph(resize: Resize, stride: int, channels: int) -> onnx.ModelProto:
    """Build the graph that turns images into the input of the network.

    Its inputs are `images`, `(B, H, W, D)` uint8, and `size`, `(2,)` int64: the height and width
    for the network, or zeros for those of `resize`. Its outputs are `sized`, `(B, D, h, w)` float
    in 0..255, padded to a multiple of the stride; `image_size` `(2,)` int64, H and W; and
    `network_size` `(2,)` int64, h and w without padding.

    It takes a second, so the model is kept: do not change it.

    Args:
        resize: The rule for sizes; of windows, the size of the whole image.
        stride: Input stride of the network.
        channels: Channels of the images, D.
    """
    side = resize.size

    @script()
    def stretched(_height, _width):
        return op.Constant(value_ints=[side, side])

    @script()
    def ratio_kept(height, width):
        short = op.Min(height, width)
        lengths = op.Concat(op.Unsqueeze(height, [0]), op.Unsqueeze(width, [0]), axis=0)
        # Rounded half up: (length * side / short) / stride.
        rounded = (2 * lengths * side + short * stride) / (2 * short * stride)
        return op.Max(rounded, 1) * stride

    rule = stretched if resize.kind == "stretch" else ratio_kept

    @script()
    def sizing(images, size):
        image_size = op.Slice(op.Shape(images), [1], [3])
        network_size = op.Where(size > 0, size, rule(image_size[0], image_size[1]))
        same = op.ReduceMin(op.Cast(op.Equal(image_size, network_size), to=6), keepdims=0)
        if op.Cast(same, to=9):
            plain = op.Transpose(op.Cast(images, to=1), perm=[0, 3, 1, 2])
        else:
            plain = resized(images, network_size)
        missing = (network_size + stride - 1) / stride * stride - network_size
        pads = op.Concat([0, 0, 0, 0, 0, 0], missing, axis=0)
        sized = op.Pad(plain, pads, mode="edge")
        return sized, image_size, network_size

    size_type = (TensorProto.INT64, [2])
    return graph_of(
        sizing,
        "sizing",
        {"images": (TensorProto.UINT8, ["B", "H", "W", channels]), "size": size_type},
        {
            "sized": (TensorProto.FLOAT, ["B", channels, "h", "w"]),
            "image_size": size_type,
            "network_size": size_type,
        },
    )
