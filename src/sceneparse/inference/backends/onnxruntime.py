"""Networks that ONNX Runtime runs, from the ONNX files that sceneparse exports."""

import os
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from sceneparse.errors import InputError
from sceneparse.system.memory_advice import cannot_compute
from sceneparse.system.processor import usable_cores

CPU, CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"


class OnnxRuntimeNetwork:
    """The network of an exported model; sizing and decision of the file are not run."""

    def __init__(
        self,
        path: Path,
        *,
        num_classes: int,
        input_stride: int,
        output_stride: int,
        device: str = "cpu",
        precision: Literal["fp32", "int8"] = "fp32",
    ) -> None:
        """Load a file.

        Args:
            path: An ONNX file that sceneparse exported.
            num_classes: Number of classes, C.
            input_stride: Sizes that are multiples of this need no padding.
            output_stride: Pixels of the input per row or column of the logits.
            device: `cpu`, or `cuda` with a build of ONNX Runtime for it.
            precision: That of the file, for messages.

        Raises:
            InputError: If the file or the device cannot be used.
        """
        self.num_classes = num_classes
        self.input_stride = input_stride
        self.output_stride = output_stride
        self._path = path
        self._device = device
        self._precision = precision
        kind = device.partition(":")[0]
        if kind not in ("cpu", "cuda"):
            raise InputError(f"device {device}: not one of ONNX Runtime; use auto, cpu or cuda")
        provider = CPU if device == "cpu" else CUDA
        if provider not in onnxruntime.get_available_providers():
            raise InputError(
                f"device {device}: this ONNX Runtime has no support for it; install "
                "onnxruntime-gpu, or use cpu"
            )
        try:
            self._session = onnxruntime.InferenceSession(
                path, session_options(), providers=[provider]
            )
        except Exception as error:  # its exceptions have no common class
            raise InputError(
                f"{path}: ONNX Runtime cannot load it ({error}); export the model again"
            ) from None

    def __str__(self) -> str:
        """Return what computes the logits, for messages."""
        return f"ONNX Runtime, {self._precision} on {self._device}"

    def logits(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Compute the logits `(B, C, h, w)` of images `(B, H, W, D)`, which are sized already.

        Raises:
            InputError: If the graph cannot be computed, or memory runs out.
        """
        feeds = {"images": images, "size": np.array(images.shape[1:3], np.int64)}
        # Otherwise the decision would be computed too, only to be dropped.
        feeds["decide"] = np.array(False)
        try:
            (logits,) = self._session.run(["logits"], feeds)
        except Exception as error:  # its exceptions have no common class
            raise InputError(cannot_compute(self._path, "ONNX Runtime", error)) from None
        return np.asarray(logits)


def session_options() -> Any:
    """Return the options of a session on this machine."""
    options = onnxruntime.SessionOptions()
    # A number of its own makes ONNX Runtime pin threads to cores, which containers forbid.
    options.intra_op_num_threads = int(os.environ.get("OMP_NUM_THREADS", usable_cores()))
    options.log_severity_level = 3  # errors, not warnings about fused weights
    return options
