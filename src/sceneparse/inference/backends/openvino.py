"""Networks that OpenVINO runs, from the ONNX files that sceneparse exports."""

from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from sceneparse.errors import InputError
from sceneparse.inference.backends.openvino_import import openvino
from sceneparse.inference.network import network_input
from sceneparse.system.memory_advice import cannot_compute
from sceneparse.system.processor import usable_cores


class OpenVinoNetwork:
    """The network of an exported model; sizing and decision of the file are not run."""

    def __init__(
        self,
        path: Path,
        *,
        num_classes: int,
        input_stride: int,
        output_stride: int,
        channels: int,
        precision: Literal["fp32", "bf16", "int8"] = "fp32",
    ) -> None:
        """Load a file and compile its network for the CPU.

        Args:
            path: An ONNX file that sceneparse exported.
            num_classes: Number of classes, C.
            input_stride: Sizes that are multiples of this need no padding.
            output_stride: Pixels of the input per row or column of the logits.
            channels: Channels of the images, D.
            precision: Precision of the network; `bf16` needs a processor that has it, and `int8` a
                file with quantised weights, whose other layers are computed in fp32.

        Raises:
            InputError: If the file cannot be used.
        """
        self.num_classes = num_classes
        self.input_stride = input_stride
        self.output_stride = output_stride
        self._path = path
        self._precision = precision
        core = openvino.Core()
        try:
            network = _network(core.read_model(path), channels)
            self._compiled = core.compile_model(
                network,
                "CPU",
                {
                    "INFERENCE_PRECISION_HINT": "bf16" if precision == "bf16" else "f32",
                    "PERFORMANCE_HINT": "LATENCY",
                    "INFERENCE_NUM_THREADS": usable_cores(),
                },
            )
        except (RuntimeError, KeyError) as error:
            raise InputError(
                f"{path}: OpenVINO cannot load it ({error}); export the model again"
            ) from None

    def __str__(self) -> str:
        """Return what computes the logits, for messages."""
        return f"OpenVINO, {self._precision} on cpu"

    def logits(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Compute the logits `(B, C, h, w)` of images `(B, H, W, D)`, which are sized already.

        Raises:
            InputError: If the graph cannot be computed, or memory runs out.
        """
        batch = network_input(images, self.input_stride)
        try:
            # The result lives in memory that the next call overwrites.
            return np.array(self._compiled([batch])[0])
        except RuntimeError as error:
            raise InputError(cannot_compute(self._path, "OpenVINO", error)) from None


def _network(model: Any, channels: int) -> Any:
    """Cut the part from sized images to logits out of an exported model."""
    values: dict[str, Any] = {
        name: output
        for operation in model.get_ordered_ops()
        for output in operation.outputs()
        for name in output.get_names()
    }
    sized = openvino.opset13.parameter([-1, channels, -1, -1], np.float32)
    for target in values["sized"].get_target_inputs():
        target.replace_source_output(sized.output(0))
    make: Any = openvino.Model
    return make([values["logits"]], [sized], "network")
