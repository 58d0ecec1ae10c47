"""Export a model to one file: for other programs, or for sharing."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Literal, get_args

from sceneparse.artifacts.onnx_file import StoredPrecision
from sceneparse.artifacts.weights import StoredModel, write_weights
from sceneparse.config import RunConfig
from sceneparse.data.datasets.ade20k_full import Ade20kFullData
from sceneparse.data.datasets.synthetic import SyntheticData
from sceneparse.errors import InputError
from sceneparse.factory.loading import with_overrides
from sceneparse.factory.model_files import is_onnx
from sceneparse.factory.torch_loading import deployed, find_weights
from sceneparse.recording.events import Callback, Message, Progress, ignore
from sceneparse.system.files import create_folder
from sceneparse.system.paths import expand_user
from sceneparse.tasks.export_images import calibration_and_comparison, comparison

ExportFormat = Literal["onnx", "safetensors"]
BUNDLED_LICENSE = (
    "Apache-2.0; trained on images of ADE20K, whose licence allows only non-commercial research "
    "and education: see the model card of sceneparse"
)
UNKNOWN_LICENSE = (
    "not stated: it depends on the images of the training and on the weights that it started from"
)


@dataclass(frozen=True)
class Exported:
    """An exported file.

    Attributes:
        path: The file.
        size: Its size in bytes.
        notes: How it was checked, and what it does not contain, one sentence each.
    """

    path: Path
    size: int
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Write path and size, and the notes on lines of their own."""
        return "\n".join([f"{self.path}: {self.size / 1e6:.2f} MB", *self.notes])


def export(
    model: str | Path,
    *,
    to: ExportFormat | None = None,
    out: str | Path | None = None,
    precision: StoredPrecision = "fp32",
    images: str | Path | None = None,
    overrides: Sequence[str] = (),
    license_text: str | None = None,
    max_bytes: int | None = None,
    overwrite: bool = False,
    callback: Callback = ignore,
) -> Exported:
    """Write a model to one file: ONNX for other programs, or safetensors for sharing.

    The ONNX file takes the pixels of images of any size, and contains sizing, normalisation,
    network and decision. It is kept only if its labels agree with PyTorch's.

    Args:
        model: A run folder, a weights file, `bundled`, or `hf://owner/name`.
        to: The format; none for that of the suffix of `out`, and ONNX for other suffixes.
        out: The file; none for the name of the model in the current folder.
        precision: How weights are stored: `fp16` halves the file, and is computed in fp32; `int8`
            is computed in integers, and is only for ONNX and with images.
        images: What an ONNX file is compared on: an image, a folder of images, or a data set whose
            validation masks also compare scores; none for generated scenes in odd sizes. For int8,
            the training images of the data set, or every second image, are calibrated on, and
            mIoU may fall by half a point.
        overrides: Settings of inference to store in the file, such as `inference.flip=true`.
        license_text: Terms of the weights, for the metadata of an ONNX file.
        max_bytes: Maximum size of the file; none for no limit.
        overwrite: Whether an existing file may be replaced.
        callback: Called with each event.

    Raises:
        InputError: If the model does not exist, an override is wrong, a package is missing, the
            labels differ or the scores fall too much, or the file exists, would be too large, or
            cannot be written.

    Example:
        >>> exported = sceneparse.export("bundled", out="model.onnx")  # doctest: +SKIP
        >>> print(exported)  # doctest: +SKIP
        model.onnx: 23.70 MB
        ...
    """
    if is_onnx(model):
        raise InputError(
            f"{model}: is an ONNX file already; export the run or weights file that it came from"
        )
    to = _format_of(to, out)
    _check_precision(precision, to, images)
    name = f"{Path(model).resolve().name.removesuffix('.safetensors')}.{to}"
    path = expand_user(out) if out is not None else Path(name)
    _check_target(path, overwrite=overwrite)
    found = find_weights(model)
    stored = deployed(found._replace(config=with_overrides(found.config, overrides)))
    stored = stored._replace(config=without_local_paths(stored.config))
    if to == "safetensors":
        half = precision == "fp16"
        return Exported(path, write_weights(path, stored, half=half, max_bytes=max_bytes))
    if license_text is None:
        license_text = BUNDLED_LICENSE if model == "bundled" else UNKNOWN_LICENSE
    return _export_onnx(
        stored,
        path,
        precision=precision,
        images=None if images is None else expand_user(images),
        license_text=license_text,
        max_bytes=max_bytes,
        callback=callback,
    )


def _export_onnx(
    stored: StoredModel,
    path: Path,
    *,
    precision: StoredPrecision,
    images: Path | None,
    license_text: str,
    max_bytes: int | None,
    callback: Callback,
) -> Exported:
    missing = [name for name in ("onnx", "onnxscript", "onnxruntime") if find_spec(name) is None]
    if missing:
        raise InputError(
            f'exporting to ONNX needs {", ".join(missing)}: `pip install "sceneparse[train,onnx]"`'
        )
    from sceneparse.exporters.checked_export import export_checked
    from sceneparse.exporters.int8_export import export_int8

    if precision == "int8" and images is not None:
        calibration, samples = calibration_and_comparison(stored, images)
        quantized = export_int8(
            stored,
            path,
            license_text=license_text,
            calibration=calibration,
            samples=samples,
            max_bytes=max_bytes,
            on_step=lambda text: callback(Message(text)),
            on_progress=lambda task, done, total: callback(Progress(task, done, total)),
        )
        return Exported(path, quantized.size, tuple(quantized.notes()))
    checked = export_checked(
        stored,
        path,
        precision="fp16" if precision == "fp16" else "fp32",
        license_text=license_text,
        samples=None if images is None else comparison(stored, images),
        max_bytes=max_bytes,
        on_step=lambda text: callback(Message(text)),
    )
    return Exported(path, checked.size, tuple(checked.notes()))


def _format_of(to: ExportFormat | None, out: str | Path | None) -> ExportFormat:
    """Return the format that was asked for, or that the suffix of the file means."""
    formats: dict[str, ExportFormat] = {f".{name}": name for name in get_args(ExportFormat)}
    meant = None if out is None else formats.get(Path(out).suffix.lower())
    if None not in (to, meant) and to != meant:
        raise InputError(
            f"{out}: this suffix means {meant}, not {to}; choose another file or format",
            "out",
            "to",
        )
    return to or meant or "onnx"


def _check_target(path: Path, *, overwrite: bool) -> None:
    """Refuse a target before the work that a mistake would waste."""
    if path.is_dir():
        raise InputError(f"{path}: is a folder; give a file", "out")
    if path.exists() and not overwrite:
        raise InputError(
            f"{path}: exists already; allow overwriting, or choose another file",
            "overwrite",
            "out",
        )
    create_folder(path.parent, "out")
    if not os.access(path.parent, os.W_OK):
        raise InputError(f"{path.parent}: cannot be written to; choose another folder", "out")


def _check_precision(
    precision: StoredPrecision, to: ExportFormat, images: str | Path | None
) -> None:
    if precision not in get_args(StoredPrecision):
        raise InputError(
            f"precision {precision}: unknown, expected one of "
            f"{', '.join(get_args(StoredPrecision))}; choose one of these",
            "precision",
        )
    if precision == "int8" and to != "onnx":
        raise InputError(
            f"precision int8: {to} files hold fp32 or fp16; choose one of these, or export to ONNX",
            "precision",
            "to",
        )
    if precision == "int8" and images is None:
        raise InputError(
            "precision int8: needs images to calibrate and to compare on; give a data set, or a "
            "folder of images",
            "images",
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
