"""The ONNX file of a trained model: what goes into it, and how it is checked."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from sceneparse.artifacts.onnx_file import StoredPrecision
from sceneparse.artifacts.weights import StoredModel
from sceneparse.config import RunConfig
from sceneparse.data.datasets.ade20k_full import Ade20kFullData
from sceneparse.data.datasets.synthetic import SyntheticData
from sceneparse.errors import InputError
from sceneparse.factory.loading import with_overrides
from sceneparse.factory.torch_loading import deployed, find_weights
from sceneparse.recording.events import Callback, Message, Progress
from sceneparse.tasks.export_images import calibration_and_comparison, comparison

if TYPE_CHECKING:
    from sceneparse.exporters.checked_export import CheckedFile
    from sceneparse.exporters.int8_export import QuantizedFile


@dataclass(frozen=True)
class OnnxOptions:
    """How an ONNX file is made.

    Attributes:
        precision: How weights are stored.
        images: What it is compared on; none for generated scenes.
        license_text: Terms of the weights.
        max_bytes: Maximum size of the file; none for no limit.
        callback: Called with each event.
    """

    precision: StoredPrecision
    images: Path | None
    license_text: str
    max_bytes: int | None
    callback: Callback


def stored_model(model: str | Path, overrides: Sequence[str]) -> StoredModel:
    """Read a model as it is given away: with changed settings of inference, without local paths.

    Raises:
        InputError: If the model does not exist, or an override is wrong.
    """
    found = find_weights(model)
    stored = deployed(found._replace(config=with_overrides(found.config, overrides)))
    return stored._replace(config=without_local_paths(stored.config))


def write_onnx(
    stored: StoredModel, path: Path, options: OnnxOptions
) -> "CheckedFile | QuantizedFile":
    """Write the ONNX file of a model, if it passes its gate.

    Raises:
        InputError: If a package is missing, the labels differ or the scores fall too much, or the
            file would be too large or cannot be written.
    """
    missing = [name for name in ("onnx", "onnxscript", "onnxruntime") if find_spec(name) is None]
    if missing:
        raise InputError(
            f'exporting to ONNX needs {", ".join(missing)}: `pip install "sceneparse[train,onnx]"`'
        )
    from sceneparse.exporters.checked_export import export_checked
    from sceneparse.exporters.int8_export import export_int8

    callback, images = options.callback, options.images
    if options.precision == "int8" and images is not None:
        calibration, samples = calibration_and_comparison(stored, images)
        return export_int8(
            stored,
            path,
            license_text=options.license_text,
            calibration=calibration,
            samples=samples,
            max_bytes=options.max_bytes,
            on_step=lambda text: callback(Message(text)),
            on_progress=lambda task, done, total: callback(Progress(task, done, total)),
        )
    return export_checked(
        stored,
        path,
        precision="fp16" if options.precision == "fp16" else "fp32",
        license_text=options.license_text,
        samples=None if images is None else comparison(stored, images),
        max_bytes=options.max_bytes,
        on_step=lambda text: callback(Message(text)),
    )


def without_local_paths(config: RunConfig) -> RunConfig:
    """Reduce the paths of this machine in a config to their last component."""
    start = config.model.weights
    if isinstance(start, Path):
        config = replace(config, model=replace(config.model, weights=Path(start.name)))
    data = config.data
    if isinstance(data, SyntheticData):
        return config
    changes: dict[str, object] = {"root": Path(data.root.name), "cache": "auto"}
    if isinstance(data, Ade20kFullData) and data.labels:
        changes["labels"] = Path(data.labels.name)
    return replace(config, data=replace(data, **changes))
