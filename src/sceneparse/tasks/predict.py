"""Segment image files and write the results to files."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from sceneparse.data.io.geotiff import (
    INSTALL,
    Georeference,
    is_georeferenced,
    rasterio_installed,
    read_georeference,
)
from sceneparse.errors import InputError
from sceneparse.factory.loading import load
from sceneparse.factory.model_files import model_digest
from sceneparse.factory.runtime_choice import pinned_model
from sceneparse.inference.prediction_files import (
    DEFAULT_FORMATS,
    PredictionFiles,
    checked_formats,
)
from sceneparse.recording.events import Callback, Message, ignore
from sceneparse.system.memory_advice import PREDICTION, advice_on_memory
from sceneparse.system.paths import expand_user
from sceneparse.system.processor import usable_cores
from sceneparse.tasks.image_files import FoundImages, find_images
from sceneparse.tasks.segmenting import ImageToSegment, SegmentedFile, Writer, segment_files

_LISTED = 3
# Reading and writing keep up with the network on few threads.
_MAX_JOBS = 4
# The formats that keep the georeference of an image.
_GEOREFERENCED = frozenset({"mask", "geojson"})


def predict(
    images: Sequence[str | Path] | str | Path | bytes,
    *,
    out: str | Path | BinaryIO,
    model: str | Path = "bundled",
    formats: Sequence[str] | str = DEFAULT_FORMATS,
    classes: Sequence[str | int] | str | None = None,
    jobs: int | None = None,
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
        images: Image files, folders of them, which may have subfolders, or patterns such as
            `images/**/*.jpg`; or the bytes of one image file.
        out: Folder for the results; or a binary stream, which takes one image in one format.
        model: A run folder, a weights file, an ONNX file, `bundled` for the bundled model, or
            `hf://owner/name`.
        formats: What is written: `mask`, `color`, `overlay`, `json`, `coco` (run lengths) and
            `geojson` (polygons); as a list, or with commas between them.
        classes: Names or ids of the only classes to show, as a list, or with commas between them;
            all other pixels are void (see `Prediction.only`). None for all classes.
        jobs: Threads that read images, and as many that write results, while the network computes;
            None for the number of cores that this process may use, at most four. Images of more
            than 25 million pixels are segmented one at a time.
        overwrite: Whether existing results may be replaced.
        overrides: Changed settings of inference, as `inference.field=value`.
        device: `auto`, or a device such as `cpu` or `cuda`.
        runtime: What computes the network; see `sceneparse.load`.
        callback: Called with each event: a message for each image.

    Returns:
        One record for each image that was segmented now, or could not be, in the order of the
        images.

    Raises:
        InputError: If the model cannot be read, results cannot be written, a result would
            replace another file, or a format or class is unknown.
        BrokenPipeError: If nobody reads the stream any more.
    """
    chosen = checked_formats(_listed(formats))
    jobs = _checked_jobs(jobs)
    folder = expand_user(out) if isinstance(out, str | Path) else None
    if folder is not None and folder.is_file():
        raise InputError(f"{folder}: is a file; give a folder for the results", "out")
    given = images if isinstance(images, bytes) else _paths(images)
    found = find_images(given, None if folder is None else folder.resolve())
    for text in _about(found):
        callback(Message(text))
    all_images = _images_to_segment(found, folder, chosen, callback)
    model = pinned_model(model, device, runtime, lambda text: callback(Message(text)))
    predictor = load(model, device, overrides, runtime=runtime)
    callback(Message(f"{predictor.network}; {predictor}"))
    shown = predictor.labels.train_ids(_listed(classes))
    if isinstance(classes, str) and not shown:
        raise InputError(
            "found no class in an empty list; name classes, or leave it out", "classes"
        )
    writer = Writer(
        model=str(model),
        made_by={
            "weights": model_digest(model),
            "inference": str(predictor),
            "only": ", ".join(predictor.labels.class_names[index] for index in shown),
        },
        classes=tuple(predictor.labels.raw_ids[index] for index in shown),
        stream=None if isinstance(out, str | Path) else (out, chosen[0]),
    )
    todo = [
        image
        for image in all_images
        if overwrite or folder is None or not image.results.are_done(writer.record(image))
    ]
    if len(todo) < len(all_images):
        callback(Message(f"{len(all_images) - len(todo)} images have results already"))
    segmented: list[SegmentedFile] = []
    with advice_on_memory(PREDICTION):
        for record in segment_files(predictor, todo, writer, jobs):
            segmented.append(record)
            callback(Message(str(record)))
    failed = [record for record in segmented if record.error]
    if failed:
        callback(Message(f"{len(failed)} of {len(all_images)} images could not be segmented"))
    return segmented


def _listed(names: Sequence[Any] | str | None) -> list[Any]:
    """Return a list, empty for None, or what stands between the commas of a text."""
    if isinstance(names, str):
        return [name.strip() for name in names.split(",") if name.strip()]
    return [] if names is None else list(names)


def _paths(given: Sequence[str | Path] | str | Path) -> list[Path]:
    return [expand_user(path) for path in ([given] if isinstance(given, str | Path) else given)]


def _checked_jobs(jobs: int | None) -> int:
    if jobs is not None and jobs < 1:
        raise InputError(f"found {jobs} jobs, expected at least 1", "jobs")
    return jobs or min(_MAX_JOBS, usable_cores())


def _about(found: FoundImages) -> Iterator[str]:
    """Yield messages about what the given folders hold besides images."""
    if found.left_out:
        names = ", ".join(path.name for path in found.left_out[:_LISTED])
        yield f"{len(found.left_out)} files are no images and are left out: {names}"
    if found.unreadable:
        names = ", ".join(map(str, found.unreadable[:_LISTED]))
        yield f"{len(found.unreadable)} folders cannot be read and are left out: {names}"


def _images_to_segment(
    found: FoundImages, folder: Path | None, formats: tuple[str, ...], callback: Callback
) -> list[ImageToSegment]:
    """Return images with where their results go, and say if georeferences are not kept."""
    if folder is None:
        if (len(found.sources), len(formats)) != (1, 1):
            raise InputError(
                f"found {_count(found.sources, 'image')} and {_count(formats, 'format')} "
                f"({', '.join(formats)}); expected one of each for a stream; choose one of each, "
                "or a folder for the results"
            )
        places = [_place(source) for source in found.sources]
        results = PredictionFiles(Path(), found.names[0].name, ())
        return [ImageToSegment(found.sources[0], results, places[0])]
    keep_places = not _GEOREFERENCED.isdisjoint(formats)
    files = [source for source in found.sources if keep_places and isinstance(source, Path)]
    if not rasterio_installed() and any(map(is_georeferenced, files)):
        callback(Message(f"georeferences are not kept; keeping them needs rasterio: `{INSTALL}`"))
    places = [_place(source) if keep_places else None for source in found.sources]
    results = result_paths(found, folder, formats, [place is not None for place in places])
    return [ImageToSegment(*each) for each in zip(found.sources, results, places, strict=True)]


def _count(items: Sequence[object], noun: str) -> str:
    return f"1 {noun}" if len(items) == 1 else f"{len(items)} {noun}s"


def _place(source: Path | bytes) -> Georeference | None:
    return read_georeference(source) if isinstance(source, Path) else None


def result_paths(
    found: FoundImages, out: Path, formats: tuple[str, ...], have_geotiff: Sequence[bool]
) -> list[PredictionFiles]:
    """Return the result paths of images, and check that no two results have the same.

    Args:
        found: The images.
        out: Folder for the results.
        formats: Formats of the results.
        have_geotiff: Whether the results of each image include a GeoTIFF.

    Raises:
        InputError: If a result would replace an image, or another result.
    """
    results = [
        PredictionFiles(out / name.parent, name.name, formats, has_geotiff)
        for name, has_geotiff in zip(found.names, have_geotiff, strict=True)
    ]
    images = {source.resolve() for source in found.sources if isinstance(source, Path)}
    owner: dict[Path, Path | bytes] = {}
    for source, paths in zip(found.sources, results, strict=True):
        for path in paths:
            if path.resolve() in images:
                raise InputError(
                    f"{path}: this result would replace an input image; choose another folder for "
                    "the results",
                    "out",
                )
            if path in owner:
                raise InputError(
                    f"{path}: would be a result of both {owner[path]} and {source}; write their "
                    "results to different folders"
                )
            owner[path] = source
    return results
