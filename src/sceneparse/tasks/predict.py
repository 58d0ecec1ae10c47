"""Segment image files and write the results to files."""

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from numpy.typing import NDArray

from sceneparse.data.io.decode import IMAGE_SUFFIXES, read_image
from sceneparse.data.io.geotiff import (
    INSTALL,
    Georeference,
    is_georeferenced,
    rasterio_installed,
    read_georeference,
)
from sceneparse.data.loader import prefetch
from sceneparse.errors import InputError
from sceneparse.factory.loading import load
from sceneparse.factory.model_files import model_digest
from sceneparse.inference.prediction import Prediction
from sceneparse.inference.prediction_files import PredictionFiles
from sceneparse.inference.predictor import Predictor
from sceneparse.recording.events import Callback, Message, ignore
from sceneparse.system.memory_advice import PREDICTION, advice_on_memory
from sceneparse.system.paths import expand_user

_LISTED = 3


@dataclass(frozen=True)
class SegmentedFile:
    """An image file and its result files.

    Attributes:
        image: Path of the image.
        results: Paths of the result files.
        classes: The predicted classes, largest first: id, name, share of pixels, mean confidence.
        error: Why the image could not be segmented; empty if it was.
    """

    image: Path
    results: PredictionFiles
    classes: list[dict[str, Any]] = field(default_factory=list)
    error: str = ""

    def __str__(self) -> str:
        """Write the overlay's path and the four largest classes, or the error."""
        if self.error:
            return f"failed: {self.error}"
        largest = [f"{found['name']} {found['share']:.0%}" for found in self.classes[:4]]
        return f"{self.results.overlay}: {', '.join(largest)}"


class FoundImages(NamedTuple):
    """Image files to segment.

    Attributes:
        files: The files.
        names: For each, where its results go: its path below the given folder, without suffix.
        left_out: Other files in the given folders.
    """

    files: list[Path]
    names: list[Path]
    left_out: list[Path]


class ImageToSegment(NamedTuple):
    """An image file to segment.

    Attributes:
        file: The file.
        results: Paths of its result files.
        georeference: Where it lies; none if it does not say it.
    """

    file: Path
    results: PredictionFiles
    georeference: Georeference | None


def predict(
    images: Sequence[str | Path] | str | Path,
    *,
    out: str | Path,
    model: str | Path = "bundled",
    overwrite: bool = False,
    overrides: Sequence[str] = (),
    device: str = "auto",
    runtime: str = "auto",
    callback: Callback = ignore,
) -> list[SegmentedFile]:
    """Segment image files: write label map, coloured map, overlay with legend, and JSON.

    If rasterio is installed, the label map of a GeoTIFF is written as a GeoTIFF too, with the same
    georeference. Images that have results of the same model and settings are not segmented again.
    An image that cannot be read does not stop the others. To segment images in memory, call the
    predictor that `sceneparse.load` returns.

    Args:
        images: Image files, or folders of them, which may have subfolders.
        out: Folder for the results.
        model: A run folder, a weights file, an ONNX file, or `bundled` for the bundled model.
        overwrite: Whether existing results may be replaced.
        overrides: Changed settings of inference, as `inference.field=value`.
        device: `auto`, or a device such as `cpu` or `cuda`.
        runtime: What computes the network; see `sceneparse.load`.
        callback: Called with each event: a message for each image.

    Returns:
        One record for each image that was segmented now, or could not be.

    Raises:
        InputError: If the model cannot be read, results cannot be written, or a result would
            replace another file.
    """
    given = [images] if isinstance(images, str | Path) else images
    found = find_images([expand_user(path) for path in given], expand_user(out))
    if found.left_out:
        names = ", ".join(path.name for path in found.left_out[:_LISTED])
        callback(Message(f"{len(found.left_out)} files are no images and are left out: {names}"))
    places = [read_georeference(file) for file in found.files]
    if not rasterio_installed() and any(map(is_georeferenced, found.files)):
        callback(Message(f"georeferences are not kept; keeping them needs rasterio: `{INSTALL}`"))
    results = result_paths(found, expand_user(out), [place is not None for place in places])
    predictor = load(model, device, overrides, runtime=runtime)
    callback(Message(f"{predictor.network}; {predictor}"))
    made_by = {
        "model": str(model),
        "weights": model_digest(model),
        "inference": str(predictor),
    }
    todo = [
        ImageToSegment(file, paths, place)
        for file, paths, place in zip(found.files, results, places, strict=True)
        if overwrite or not is_done(file, paths, made_by)
    ]
    if len(todo) < len(results):
        callback(Message(f"{len(results) - len(todo)} images have results already"))
    segmented: list[SegmentedFile] = []
    with advice_on_memory(PREDICTION):
        for record in predict_files(predictor, todo, made_by):
            segmented.append(record)
            callback(Message(str(record)))
    failed = [record for record in segmented if record.error]
    if failed:
        callback(Message(f"{len(failed)} of {len(results)} images could not be segmented"))
    return segmented


def find_images(paths: Sequence[Path], out: Path) -> FoundImages:
    """List the given image files, and the images in the given folders and their subfolders.

    Args:
        paths: Image files and folders.
        out: Folder for the results, which is left out where it lies in another one.

    Raises:
        InputError: If a path does not exist, or a folder holds no images.
    """
    found = FoundImages([], [], [])
    for path in paths:
        if path.is_dir():
            inside = list(_files_below(path, out.resolve()))
            images = [file for file in inside if file.suffix.lower() in IMAGE_SUFFIXES]
            if not images:
                raise InputError(
                    f"{path}: no images in this folder, expected files with one of the suffixes "
                    f"{', '.join(sorted(IMAGE_SUFFIXES))}; choose another folder"
                )
            found.files.extend(images)
            found.names.extend(file.relative_to(path).with_suffix("") for file in images)
            found.left_out.extend(file for file in inside if file not in set(images))
        elif path.is_file():
            found.files.append(path)
            found.names.append(Path(path.stem))
        else:
            raise InputError(f"{path}: no such file or folder; give an image or a folder of images")
    return found


def _files_below(folder: Path, out: Path) -> Iterator[Path]:
    """Yield the files below a folder, without hidden ones and those of the results."""
    for directory, folders, names in os.walk(folder):
        folders[:] = sorted(
            name
            for name in folders
            if not name.startswith(".") and Path(directory, name).resolve() != out
        )
        yield from (Path(directory, name) for name in sorted(names) if not name.startswith("."))


def result_paths(
    found: FoundImages, out: Path, have_geotiff: Sequence[bool]
) -> list[PredictionFiles]:
    """Return the result paths of images, and check that no two results have the same.

    Args:
        found: The images.
        out: Folder for the results.
        have_geotiff: Whether the results of each image include a GeoTIFF.

    Raises:
        InputError: If a result would replace an image, or another result.
    """
    results = [
        PredictionFiles.in_folder(out / name.parent, name.name, is_georeferenced=has_geotiff)
        for name, has_geotiff in zip(found.names, have_geotiff, strict=True)
    ]
    images = {file.resolve() for file in found.files}
    source: dict[Path, Path] = {}
    for file, paths in zip(found.files, results, strict=True):
        for path in paths:
            if path.resolve() in images:
                raise InputError(
                    f"{path}: this result would replace an input image; choose another folder for "
                    "the results",
                    "out",
                )
            if path in source:
                raise InputError(
                    f"{path}: would be a result of both {source[path]} and {file}; write their "
                    "results to different folders"
                )
            source[path] = file
    return results


def is_done(image: Path, paths: PredictionFiles, made_by: dict[str, str]) -> bool:
    """Return whether the results of an image exist, made by the same model and settings.

    Raises:
        InputError: If files are in the way that are no such results.
    """
    existing = [path for path in paths if path.exists()]
    # The label map and the summary are written last; without them the program was stopped before.
    if paths.mask not in existing and paths.summary not in existing:
        return False
    try:
        document = json.loads(paths.summary.read_text(encoding="utf-8"))
        same = {"image": image.name, **made_by}
        if all(document.get(key) == value for key, value in same.items()):
            return len(existing) == len(paths)
    except (OSError, ValueError, AttributeError):
        pass
    raise InputError(
        f"{existing[0]}: exists already, and is no result of this model, its settings and "
        f"{image.name}; allow overwriting, or choose another folder",
        "overwrite",
        "out",
    )


def predict_files(
    predictor: Predictor,
    todo: Sequence[ImageToSegment],
    made_by: dict[str, str],
) -> Iterator[SegmentedFile]:
    """Segment images one by one, and write the results of each.

    Raises:
        InputError: If results cannot be written.
    """
    reading = predictor.reading

    def read(image: ImageToSegment) -> NDArray[Any] | str:
        try:
            return read_image(image.file, reading=reading)
        except InputError as error:
            return str(error)

    images = prefetch(read, todo, threads=1, ahead=2)
    for (file, paths, place), image in zip(todo, images, strict=True):
        if isinstance(image, str):
            yield SegmentedFile(file, paths, error=image)
            continue
        prediction: Prediction = predictor.segment(image)
        folder, name = paths.mask.parent, paths.mask.stem
        # `is_done` has checked which files this replaces.
        prediction.save(
            folder,
            name,
            image_name=file.name,
            overwrite=True,
            more=made_by,
            georeference=place,
        )
        yield SegmentedFile(file, paths, prediction.classes())
