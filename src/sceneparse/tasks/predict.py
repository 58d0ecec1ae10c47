"""Segment image files and write the results to files."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sceneparse.data.io.decode import IMAGE_SUFFIXES, read_image
from sceneparse.data.loader import prefetch
from sceneparse.errors import InputError
from sceneparse.inference.prediction import Prediction, PredictionFiles
from sceneparse.inference.predictor import Predictor
from sceneparse.recording.events import Callback, Message, ignore
from sceneparse.system.paths import expand_user


@dataclass(frozen=True)
class SegmentedFile:
    """An image file and its result files.

    Attributes:
        image: Path of the image.
        results: Paths of the result files.
        classes: The predicted classes, largest first: id, name, share of pixels, mean confidence.
    """

    image: Path
    results: PredictionFiles
    classes: list[dict[str, Any]]

    def __str__(self) -> str:
        """Write the overlay's path and the four largest classes."""
        largest = [f"{found['name']} {found['share']:.0%}" for found in self.classes[:4]]
        return f"{self.results.overlay}: {', '.join(largest)}"


def predict(
    images: Sequence[str | Path] | str | Path,
    *,
    out: str | Path,
    model: str | Path = "bundled",
    overwrite: bool = False,
    overrides: Sequence[str] = (),
    device: str = "auto",
    callback: Callback = ignore,
) -> list[SegmentedFile]:
    """Segment image files: write label map, coloured map, overlay with legend, and JSON.

    To segment images in memory, call the predictor that `sceneparse.load` returns.

    Args:
        images: Image files, or folders of them.
        out: Folder for the results.
        model: A run folder, a weights file, or `bundled` for the bundled model.
        overwrite: Whether existing results may be replaced.
        overrides: Changed settings of inference, as `inference.field=value`.
        device: `auto`, or a torch device.
        callback: Called with each event: a message for each image.

    Raises:
        InputError: If an image or the model cannot be read, or a result would replace a file.
    """
    from sceneparse.factory.loading import load
    from sceneparse.training.memory import PREDICTION, advice_on_memory

    given = [images] if isinstance(images, str | Path) else images
    files = find_images([expand_user(path) for path in given])
    results = result_paths(files, expand_user(out), overwrite=overwrite)
    predictor = load(model, device, overrides)
    segmented: list[SegmentedFile] = []
    with advice_on_memory(PREDICTION):
        pairs = predict_files(predictor, files, results)
        for file, (written, prediction) in zip(files, pairs, strict=True):
            segmented.append(SegmentedFile(file, written, prediction.classes()))
            callback(Message(str(segmented[-1])))
    return segmented


def find_images(paths: Sequence[Path]) -> list[Path]:
    """List the given image files and the images in the given folders.

    Raises:
        InputError: If a path does not exist, or a folder holds no images.
    """
    files: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(
                file
                for file in path.iterdir()
                if file.suffix.lower() in IMAGE_SUFFIXES and not file.name.startswith(".")
            )
            if not inside:
                raise InputError(
                    f"{path}: no images in this folder, expected files with one of the suffixes "
                    f"{', '.join(sorted(IMAGE_SUFFIXES))}; choose another folder"
                )
            files += inside
        elif path.is_file():
            files.append(path)
        else:
            raise InputError(f"{path}: no such file or folder; give an image or a folder of images")
    return files


def result_paths(files: Sequence[Path], out: Path, *, overwrite: bool) -> list[PredictionFiles]:
    """Return the result paths of images, and check that writing them loses no file.

    Args:
        files: Paths of the images.
        out: Folder for the results.
        overwrite: Whether existing results may be replaced.

    Raises:
        InputError: If a result would replace an image, another result, or an existing file.
    """
    results = [PredictionFiles.in_folder(out, file.stem) for file in files]
    images = {file.resolve() for file in files}
    source: dict[Path, Path] = {}
    for file, paths in zip(files, results, strict=True):
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
            if path.exists() and not overwrite:
                raise InputError(
                    f"{path}: exists already; allow overwriting, or choose another folder",
                    "overwrite",
                    "out",
                )
            source[path] = file
    return results


def predict_files(
    predictor: Predictor, files: Sequence[Path], results: Sequence[PredictionFiles]
) -> Iterator[tuple[PredictionFiles, Prediction]]:
    """Segment images one by one, and write the results of each.

    Raises:
        InputError: If an image cannot be read, or its results cannot be written.
    """
    images = prefetch(read_image, files, threads=1, ahead=2)
    for file, image, paths in zip(files, images, results, strict=True):
        prediction = predictor(image)
        folder, name = paths.mask.parent, paths.mask.stem
        # `result_paths` has checked which files this replaces.
        prediction.save(folder, name, image_name=file.name, overwrite=True)
        yield paths, prediction
