"""Export a model to one file: for other programs, or for sharing."""

import os
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

from sceneparse.artifacts.onnx_file import StoredPrecision
from sceneparse.errors import InputError
from sceneparse.factory.model_files import graph_file, is_onnx
from sceneparse.recording.events import Callback, Message, ignore
from sceneparse.system.files import create_folder
from sceneparse.system.paths import expand_user

if TYPE_CHECKING:
    from sceneparse.exporters.html_export import HtmlFile

ExportFormat = Literal["onnx", "safetensors", "html"]
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
    precision: StoredPrecision | None = None,
    images: str | Path | None = None,
    overrides: Sequence[str] = (),
    license_text: str | None = None,
    runtime: str | Path | None = None,
    max_bytes: int | None = None,
    overwrite: bool = False,
    callback: Callback = ignore,
) -> Exported:
    """Write a model to one file: ONNX for other programs, a page, or safetensors for sharing.

    The ONNX file takes the pixels of images of any size, and contains sizing, normalisation,
    network and decision. It is kept only if its labels agree with PyTorch's. The page, `html`,
    holds the same and a runtime: it opens in a browser, without a network, and computes there.

    Args:
        model: A run folder, a weights file, `bundled`, or `hf://owner/name`; for a page also an
            exported ONNX file, which needs no PyTorch, as `bundled` alone does not.
        to: The format; none for that of the suffix of `out`, and ONNX for other suffixes.
        out: The file; none for the name of the model in the current folder.
        precision: How weights are stored: `fp16` halves the file, and is computed in fp32; `int8`
            is computed in integers, and needs images. None: fp16 for a page, fp32 else.
        images: What an ONNX file is compared on: an image, a folder of images, or a data set whose
            validation masks also compare scores; none for generated scenes in odd sizes. For int8,
            the training images of the data set, or every second image, are calibrated on, and
            mIoU may fall by half a point.
        overrides: Settings of inference to store in the file, such as `inference.flip=true`.
        license_text: Terms of the weights, for the metadata of an ONNX file, and for a page.
        runtime: For a page, the folder of the unpacked npm package `onnxruntime-web`; none to take
            it from the user's cache, or to get it with npm.
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
    to = _format_of(to, out)
    is_ready = _is_ready(model, to, is_changed=bool(precision or images or overrides))
    precision = precision or ("fp16" if to == "html" else "fp32")
    _check_precision(precision, to, images)
    name = Path(model).resolve().name.removesuffix(".safetensors").removesuffix(".onnx")
    path = expand_user(out) if out is not None else Path(f"{name}.{to}")
    _check_target(path, overwrite=overwrite)
    if is_ready:
        graph = graph_file(model)
        page = _page_writer(path, name, runtime, max_bytes, callback)(graph, license_text)
        return Exported(path, page.size, page.notes)
    from sceneparse.artifacts.weights import write_weights
    from sceneparse.tasks.export_onnx import OnnxOptions, stored_model, write_onnx

    stored = stored_model(model, overrides)
    if to == "safetensors":
        half = precision == "fp16"
        return Exported(path, write_weights(path, stored, half=half, max_bytes=max_bytes))
    if license_text is None:
        license_text = BUNDLED_LICENSE if model == "bundled" else UNKNOWN_LICENSE
    images = None if images is None else expand_user(images)
    options = OnnxOptions(precision, images, license_text, max_bytes, callback)
    if to == "onnx":
        checked = write_onnx(stored, path, options)
        return Exported(path, checked.size, tuple(checked.notes()))
    write_page = _page_writer(path, name, runtime, max_bytes, callback)
    with tempfile.TemporaryDirectory() as folder:
        graph = Path(folder) / "model.onnx"
        checked = write_onnx(stored, graph, replace(options, max_bytes=None))
        page = write_page(graph, license_text)
    # The page has notes of its own on what it does not compute.
    return Exported(path, page.size, (*checked._replace(outside=[]).notes(), *page.notes))


def _is_ready(model: str | Path, to: ExportFormat, *, is_changed: bool) -> bool:
    """Return whether a model is an ONNX file as it shall be.

    Raises:
        InputError: If it is an ONNX file, and shall be another.
    """
    if not is_onnx(model):
        return to == "html" and model == "bundled" and not is_changed
    if to == "html" and not is_changed:
        return True
    kept = "; its precision and settings stay, and nothing is compared" if to == "html" else ""
    raise InputError(
        f"{model}: is an ONNX file already{kept}; export the run or weights file that it came from",
        *(("precision", "images") if to == "html" else ()),
    )


def _page_writer(
    path: Path, name: str, runtime: str | Path | None, max_bytes: int | None, callback: Callback
) -> "Callable[[Path, str | None], HtmlFile]":
    """Find the runtime of a page, and return what writes a page with an ONNX file inside."""
    missing = [module for module in ("onnx", "onnxruntime") if find_spec(module) is None]
    if missing:
        raise InputError(
            f'exporting to HTML needs {", ".join(missing)}: `pip install "sceneparse[onnx]"`'
        )
    from sceneparse.exporters.html_export import export_html
    from sceneparse.exporters.web_runtime import find_runtime

    folder = None if runtime is None else expand_user(runtime)
    found = find_runtime(folder, lambda text: callback(Message(text)))
    return lambda graph, license_text: export_html(
        graph, path, name=name, runtime=found, license_text=license_text, max_bytes=max_bytes
    )


def _format_of(to: ExportFormat | None, out: str | Path | None) -> ExportFormat:
    """Return the format that was asked for, or that the suffix of the file means."""
    names = get_args(ExportFormat)
    if to is not None and to not in names:
        raise InputError(f"format {to}: unknown, expected one of {', '.join(names)}", "to")
    formats: dict[str, ExportFormat] = {f".{name}": name for name in names}
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
    if precision == "int8" and to == "safetensors":
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
