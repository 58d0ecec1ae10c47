"""From image files to result files."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from sceneparse.data.io.decode import IMAGE_SUFFIXES, read_image
from sceneparse.data.loader import prefetched
from sceneparse.errors import InputError
from sceneparse.inference.prediction import Prediction, PredictionFiles
from sceneparse.inference.predictor import Predictor


def find_images(paths: Sequence[Path]) -> list[Path]:
    """List image files: those named, and those in the folders named.

    Raises:
        InputError: If there are none.
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
                    f"{path}: no images in this folder ({', '.join(sorted(IMAGE_SUFFIXES))})"
                )
            files += inside
        elif path.is_file():
            files.append(path)
        else:
            raise InputError(f"{path}: no such file or folder")
    return files


def results_of(files: Sequence[Path], out: Path, *, overwrite: bool) -> list[PredictionFiles]:
    """Name the results of images, and see that writing them loses nothing.

    Args:
        files: Images.
        out: Folder of the results.
        overwrite: Whether results that are there already may be replaced.

    Raises:
        InputError: If a result would replace an image, another result, or a file that is there.
    """
    results = [PredictionFiles.in_folder(out, file.stem) for file in files]
    images = {file.resolve() for file in files}
    maker: dict[Path, Path] = {}
    for file, paths in zip(files, results, strict=True):
        for path in paths:
            if path.resolve() in images:
                raise InputError(f"{path}: is an image to segment; give another folder with --out")
            if path in maker:
                raise InputError(
                    f"{path}: would be a result of both {maker[path]} and {file}; "
                    "segment them into different folders"
                )
            if path.exists() and not overwrite:
                raise InputError(
                    f"{path}: is there already; add --overwrite, or give another folder with --out"
                )
            maker[path] = file
    return results


def predict_files(
    predictor: Predictor, files: Sequence[Path], results: Sequence[PredictionFiles]
) -> Iterator[tuple[PredictionFiles, Prediction]]:
    """Segment images one after the other, and write the results of each.

    Raises:
        InputError: If an image cannot be read, or its results cannot be written.
    """
    images = prefetched(read_image, files, threads=1, ahead=2)
    for file, image, paths in zip(files, images, results, strict=True):
        prediction = predictor(image)
        folder, name = paths.mask.parent, paths.mask.stem
        # `results_of` has made sure that this replaces nothing that it should not.
        prediction.save(folder, name, image_name=file.name, overwrite=True)
        yield paths, prediction
