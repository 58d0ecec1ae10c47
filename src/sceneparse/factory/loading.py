"""Load a trained model as a predictor, with whatever runtime suits it and the machine."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from sceneparse import factory
from sceneparse.artifacts.hub import is_hub_address
from sceneparse.artifacts.onnx_file import OnnxModel, read_onnx
from sceneparse.config import RunConfig
from sceneparse.config.reading import config_document, config_of
from sceneparse.errors import InputError
from sceneparse.factory.model_files import graph_file, is_onnx
from sceneparse.factory.runtime_choice import (
    RequestedPrecision,
    Runtime,
    choose_runtime,
    pinned_model,
)
from sceneparse.inference.predictor import Predictor
from sceneparse.labels import Labels
from sceneparse.system.paths import expand_user
from sceneparse.system.processor import processor

if TYPE_CHECKING:
    from sceneparse.artifacts.weights import StoredModel


def load(
    model: str | Path = "bundled",
    device: str = "auto",
    overrides: Sequence[str] = (),
    *,
    runtime: str = "auto",
    **inference: Any,
) -> Predictor:
    """Load a trained model as a predictor.

    Args:
        model: A run folder, a weights file, an ONNX file that was exported from one, `bundled`
            for the bundled model, or `hf://owner/name` for one on the Hugging Face Hub.
        device: `auto`, or a device such as `cpu` or `cuda:1`.
        overrides: Changed settings of inference, as `inference.field=value`.
        runtime: What computes the network: `torch`, `onnxruntime` or `openvino`, or `auto` for the
            fastest that is installed and can read the model. A precision may follow: as in
            `torch:fp32` or `openvino:bf16`; else it is bf16 where device and runtime compute it
            natively and the model was not trained in fp32, and otherwise fp32 (on older GPUs fp16).
            An ONNX file that was exported in int8 is always computed so.
        **inference: Changed settings of inference by name, such as `flip=True` or `size=512`.

    Raises:
        InputError: If the model does not exist or cannot be read, a setting is wrong, or a package
            is missing.

    Example:
        >>> model = sceneparse.load()
        >>> model("image.jpg")
        Prediction(320×240, ... classes: ...)
        >>> print(sceneparse.load(flip=False))
        stretched to 416×416
    """
    opened = open_model(model, device, runtime, overrides)
    if inference:
        document = config_document(opened.config)
        document["inference"] |= inference
        opened = opened._replace(config=config_of(document, "load"))
    return opened.predictor()


class OpenedModel(NamedTuple):
    """A model whose config and labels are read, and what shall compute it.

    Attributes:
        contents: What its file holds.
        config: The config of its run, with changed settings of inference.
        labels: The classes that it predicts.
        runtime: What computes its network.
        device: `auto`, or a device.
        precision: Precision of the network.
    """

    contents: "StoredModel | OnnxModel"
    config: RunConfig
    labels: Labels
    runtime: Runtime
    device: str = "auto"
    precision: RequestedPrecision = "auto"

    def predictor(self) -> Predictor:
        """Build the predictor.

        Raises:
            InputError: If the device or the precision is not available, or the file is damaged.
        """
        if isinstance(self.contents, OnnxModel):
            return _onnx_predictor(self, self.contents)
        if self.precision == "int8":
            raise InputError(
                f"runtime {self.runtime}: it does not compute in int8; choose another precision, "
                "or export the model to ONNX in int8",
                "runtime",
            )
        from sceneparse.factory.torch_loading import predictor_of
        from sceneparse.system.device import select_device

        stored = self.contents._replace(config=self.config)
        return predictor_of(stored, select_device(self.device), self.precision)


def open_model(
    model: str | Path,
    device: str = "auto",
    runtime: str = "auto",
    overrides: Sequence[str] = (),
) -> OpenedModel:
    """Choose a runtime and read a model; see `load`.

    Raises:
        InputError: If the model does not exist or cannot be read, an override is wrong, or a
            package is missing.
    """
    model = pinned_model(model, device, runtime)
    is_there = model == "bundled" or is_hub_address(model) or expand_user(model).exists()
    if not is_there and not is_onnx(model):
        raise InputError(f"{model}: no such weights file or run folder; give an existing one")
    chosen, precision = choose_runtime(model, device, runtime)
    if chosen == "torch":
        from sceneparse.factory.torch_loading import find_weights

        contents = find_weights(model)
    else:
        contents = read_onnx(graph_file(model))
    config = with_overrides(contents.config, overrides)
    return OpenedModel(contents, config, contents.labels, chosen, device, precision)


def with_overrides(config: RunConfig, overrides: Sequence[str]) -> RunConfig:
    """Return the config of a trained model with changed settings of inference.

    Raises:
        InputError: If an override is wrong, or changes another section of the config.
    """
    wrong = [override for override in overrides if not override.startswith("inference.")]
    if wrong:
        raise InputError(
            f"{wrong[0]}: a trained model only takes overrides of `inference`, such as "
            "inference.resize=window"
        )
    return config_of(config_document(config), "the model's config", overrides)


def _onnx_predictor(model: OpenedModel, file: OnnxModel) -> Predictor:
    """Build the predictor of an exported model."""
    device = "cpu" if model.device == "auto" else model.device
    facts = {
        "num_classes": model.labels.num_classes,
        "input_stride": file.input_stride,
        "output_stride": file.output_stride,
    }
    is_int8 = _is_int8(model, file)
    if model.runtime == "openvino":
        precision = "int8" if is_int8 else _openvino_precision(model, device)
        from sceneparse.inference.backends.openvino import OpenVinoNetwork

        channels = model.config.channels
        network = OpenVinoNetwork(file.path, **facts, channels=channels, precision=precision)
    else:
        from sceneparse.inference.backends.onnxruntime import OnnxRuntimeNetwork

        network = OnnxRuntimeNetwork(
            file.path, **facts, device=device, precision="int8" if is_int8 else "fp32"
        )
    reading = factory.image_reading(model.config)
    return factory.predictor_around(network, model.labels, model.config.inference, reading)


def _is_int8(model: OpenedModel, file: OnnxModel) -> bool:
    """Return whether a file is computed in int8.

    Raises:
        InputError: If another precision was asked for than the file has.
    """
    is_int8 = file.precision == "int8"
    if model.precision not in ("auto", "int8") if is_int8 else model.precision == "int8":
        raise InputError(
            f"{file.path}: its weights are stored in {file.precision}, so that {model.runtime} "
            f"cannot compute it in {model.precision}; use auto, or export the model in another "
            "precision",
            "runtime",
        )
    return is_int8


def _openvino_precision(model: OpenedModel, device: str) -> Literal["fp32", "bf16"]:
    """Return the precision in which OpenVINO computes a model.

    Raises:
        InputError: If it cannot compute on the device or in the precision.
    """
    if device != "cpu":
        raise InputError(f"device {device}: OpenVINO is used on the CPU only; use cpu or auto")
    has_bf16, wanted = processor().has_bf16, model.precision
    if wanted == "fp16" or (wanted == "bf16" and not has_bf16):
        raise InputError(
            f"precision {wanted}: this processor does not compute it natively; use auto or fp32",
            "precision",
        )
    is_fp32 = wanted == "fp32" or model.config.training.precision == "fp32"
    return "bf16" if wanted == "bf16" or (has_bf16 and not is_fp32) else "fp32"
