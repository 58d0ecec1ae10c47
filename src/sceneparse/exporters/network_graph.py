"""The part of an exported model that PyTorch translates: the network, with its normalisation."""

import copy
from typing import Any, cast

import onnx
import onnxscript.optimizer
import torch
import torch.nn.functional as F
from timm.layers.conv2d_same import Conv2dSame
from torch import Tensor, nn

from sceneparse.errors import InputError
from sceneparse.exporters.script_graphs import OPSET
from sceneparse.models.depthwise import DepthwiseConv2d
from sceneparse.models.segmenter import Segmenter


def network_graph(segmenter: Segmenter) -> onnx.ModelProto:
    """Translate a segmenter; the weights keep the names of its state dict.

    Its input is `sized`, `(B, D, h, w)` float in 0..255, both sides multiples of the input stride;
    its output is `logits`, `(B, C, h / stride, w / stride)`.

    Args:
        segmenter: The segmenter, on the CPU and in fp32; it is not changed.

    Raises:
        InputError: If this version of PyTorch cannot translate it.
    """
    network = _ExportedNetwork(segmenter).eval()
    stride = segmenter.network.input_stride
    # Any sides but 0 and 1, for which PyTorch would translate a special case.
    example = torch.zeros(2, segmenter.channels, 2 * stride, 3 * stride)
    dynamic = torch.export.Dim.DYNAMIC  # pyright: ignore[reportAttributeAccessIssue]
    exported = torch.export.export(
        network, (example,), dynamic_shapes={"sized": {0: dynamic, 2: dynamic, 3: dynamic}}
    )
    try:
        program = torch.onnx.export(
            exported,
            dynamo=True,
            opset_version=OPSET,
            input_names=["sized"],
            output_names=["logits"],
            optimize=False,
            verbose=False,
        )
    except torch.onnx.OnnxExporterError as error:
        # PyTorch 2.6 does so where a layer resizes to a size that it does not know.
        reason = str(error.__cause__ or error).strip().partition("\n")[0]
        raise InputError(
            f"PyTorch {torch.__version__} cannot translate this network to ONNX ({reason[:200]}); "
            "export it with a newer PyTorch, or to safetensors"
        ) from error
    # The optimizer of the exporter would also fold batch normalisations into convolutions, as the
    # runtimes do when they load a model; then the weights would not be those of other files.
    model = cast("Any", program).model_proto
    onnxscript.optimizer.fold_constants(model)
    onnxscript.optimizer.remove_unused_nodes(model)
    for described in (*model.graph.node, *model.graph.initializer, *model.graph.value_info):
        # Otherwise the file would hold stack traces, with paths of this machine.
        del described.metadata_props[:]
        described.doc_string = ""
    return model


class _ExportedNetwork(nn.Module):
    """Normalisation and network of a segmenter, without the padding, which is part of sizing."""

    def __init__(self, segmenter: Segmenter) -> None:
        super().__init__()
        self.normalization = _Normalization(segmenter)
        self.network = _with_fixed_padding(copy.deepcopy(segmenter.network))

    def forward(self, sized: Tensor) -> Tensor:
        """Compute logits `(B, C, h, w)` of images `(B, D, H, W)` in 0..255."""
        return self.network.head(self.network.features(self.normalization(sized)))


class _Normalization(nn.Module):
    """A module of its own, because the exporter would also name the result of a mean `mean`."""

    mean: Tensor
    std: Tensor

    def __init__(self, segmenter: Segmenter) -> None:
        super().__init__()
        self.register_buffer("mean", segmenter.mean)
        self.register_buffer("std", segmenter.std)

    def forward(self, image: Tensor) -> Tensor:
        return (image - self.mean) / self.std


def _with_fixed_padding(network: Any) -> Any:
    """Replace TensorFlow's `SAME` padding, which depends on the size, by what it is at the stride.

    At multiples of the input stride each convolution sees a multiple of its own stride.
    """
    for module in list(network.modules()):
        for name, child in module.named_children():
            if type(child) is Conv2dSame or (
                isinstance(child, DepthwiseConv2d) and child.pads_same
            ):
                setattr(module, name, _FixedPadding(cast("nn.Conv2d", child)))
    return network


class _FixedPadding(nn.Module):
    """A convolution with `SAME` padding, of inputs that are multiples of its stride."""

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__()
        self.weight, self.bias = conv.weight, conv.bias
        self._options = conv.stride, 0, conv.dilation, conv.groups
        rows, columns = (
            max(0, (kernel - 1) * dilation + 1 - stride)
            for kernel, dilation, stride in zip(
                conv.kernel_size, conv.dilation, conv.stride, strict=True
            )
        )
        self._padding = (columns // 2, columns - columns // 2, rows // 2, rows - rows // 2)

    def forward(self, features: Tensor) -> Tensor:
        return F.conv2d(F.pad(features, self._padding), self.weight, self.bias, *self._options)
