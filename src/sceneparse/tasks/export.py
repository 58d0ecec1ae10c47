"""Export a model to one file: for other programs, or for sharing."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from sceneparse import factory
from sceneparse.artifacts.weights import StoredModel, write_weights
from sceneparse.config import RunConfig
from sceneparse.data.datasets.ade20k_full import Ade20kFullData
from sceneparse.data.datasets.recognise import recognise
from sceneparse.data.datasets.synthetic import SyntheticData
from sceneparse.data.io.decode import read_image
from sceneparse.errors import InputError
from sceneparse.factory.loading import with_overrides
from sceneparse.factory.torch_loading import deployed, find_weights
from sceneparse.recording.events import Callback, Message, ignore
from sceneparse.system.files import create_folder
from sceneparse.system.paths import expand_user
from sceneparse.tasks.evaluate import check_same_classes
from sceneparse.tasks.image_files import find_images

if TYPE_CHECKING:
    from sceneparse.exporters.parity import ParitySample

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
    to: ExportFormat = "onnx",
    out: str | Path | None = None,
    half: bool = False,
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
        model: A run folder, a weights file, or `bundled`.
        to: The format.
        out: The file; none for the name of the model in the current folder.
        half: Store weights in fp16: half the size; they are computed in fp32.
        images: What an ONNX file is compared on: an image, a folder of images, or a data set whose
            validation masks also compare scores; none for generated scenes in odd sizes.
        overrides: Settings of inference to store in the file, such as `inference.flip=true`.
        license_text: Terms of the weights, for the metadata of an ONNX file.
        max_bytes: Maximum size of the file; none for no limit.
        overwrite: Whether an existing file may be replaced.
        callback: Called with each event.

    Raises:
        InputError: If the model does not exist, an override is wrong, a package is missing, the
            labels differ too much, or the file exists, would be too large, or cannot be written.

    Example:
        >>> exported = sceneparse.export("bundled", out="model.onnx")  # doctest: +SKIP
        >>> print(exported)  # doctest: +SKIP
        model.onnx: 23.70 MB
        ...
    """
    name = f"{Path(model).resolve().name.removesuffix('.safetensors')}.{to}"
    path = expand_user(out) if out is not None else Path(name)
    if path.is_dir() or (path.exists() and not overwrite):
        raise InputError(
            f"{path}: exists already; allow overwriting, or choose another file",
            "overwrite",
            "out",
        )
    found = find_weights(model)
    stored = deployed(found._replace(config=with_overrides(found.config, overrides)))
    stored = stored._replace(config=_without_local_paths(stored.config))
    create_folder(path.parent, "out")
    if to == "safetensors":
        return Exported(path, write_weights(path, stored, half=half, max_bytes=max_bytes))
    if license_text is None:
        license_text = BUNDLED_LICENSE if model == "bundled" else UNKNOWN_LICENSE
    return _export_onnx(
        stored,
        path,
        half=half,
        images=None if images is None else expand_user(images),
        license_text=license_text,
        max_bytes=max_bytes,
        callback=callback,
    )


def _export_onnx(
    stored: StoredModel,
    path: Path,
    *,
    half: bool,
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

    checked = export_checked(
        stored,
        path,
        half=half,
        license_text=license_text,
        samples=[] if images is None else _samples(stored, images),
        max_bytes=max_bytes,
        on_step=lambda text: callback(Message(text)),
    )
    return Exported(path, checked.size, tuple(checked.notes()))


def _samples(stored: StoredModel, path: Path) -> "list[ParitySample]":
    """Read images, or the validation images and masks of a data set."""
    from sceneparse.exporters.parity import ParitySample

    data = recognise(path) if path.is_dir() else None
    if data is not None:
        dataset = factory.dataset(data, "validation")
        check_same_classes(stored.labels.class_names, dataset.labels.class_names)
        samples = (dataset[index] for index in range(len(dataset)))
        return [ParitySample(sample.name, sample.image, sample.mask) for sample in samples]
    reading = factory.image_reading(stored.config)
    files = find_images([path], None).sources
    return [ParitySample(str(file), read_image(file, reading=reading)) for file in files]


def _without_local_paths(config: RunConfig) -> RunConfig:
    """Reduce the data paths of this machine to their last component."""
    data = config.data
    if isinstance(data, SyntheticData):
        return config
    changes: dict[str, object] = {"root": Path(data.root.name), "cache": "auto"}
    if isinstance(data, Ade20kFullData) and data.labels:
        changes["labels"] = Path(data.labels.name)
    return replace(config, data=replace(data, **changes))
