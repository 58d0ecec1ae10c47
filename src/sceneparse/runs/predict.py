"""From picture files to result files."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from sceneparse.data.decode import IMAGE_SUFFIXES, read_image
from sceneparse.data.loader import prefetched
from sceneparse.drawing import color_mask, overlay, with_legend
from sceneparse.errors import InputError
from sceneparse.inference.predictor import Prediction, Predictor


@dataclass(frozen=True)
class PredictedFile:
    """What was written for a picture.

    Attributes:
        overlay: The photo under its classes, with a legend.
        classes: The classes found, largest first.
    """

    overlay: Path
    classes: list[dict[str, Any]]


def find_images(paths: Sequence[Path]) -> list[Path]:
    """List picture files: those named, and those in the folders named.

    Raises:
        InputError: If there are none, or two would write the same results.
    """
    files: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(
                file for file in path.iterdir() if file.suffix.lower() in IMAGE_SUFFIXES
            )
            if not inside:
                raise InputError(
                    f"{path}: no pictures in this folder ({', '.join(sorted(IMAGE_SUFFIXES))})"
                )
            files += inside
        elif path.is_file():
            files.append(path)
        else:
            raise InputError(f"{path}: no such file or folder")
    first: dict[str, Path] = {}
    for file in files:
        if file.stem in first:
            raise InputError(
                f"{file}: its results would overwrite those of {first[file.stem]}; "
                "predict them into different folders"
            )
        first[file.stem] = file
    return files


def predict_files(
    predictor: Predictor, files: Sequence[Path], out: Path
) -> Iterator[PredictedFile]:
    """Parse pictures one after the other and write four files for each.

    `NAME.png` holds the ids of the data set's annotations, `NAME_color.png` its colours,
    `NAME_overlay.jpg` both photo and colours with a legend, `NAME.json` the classes found.

    Raises:
        InputError: If a picture cannot be read, or the results not be written.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{out}: cannot be made ({error.strerror})") from None
    clash = next((file for file in files if out.resolve() == file.resolve().parent), None)
    if clash:
        raise InputError(
            f"{out}: is where {clash.name} lies, and results could overwrite pictures; "
            "give another folder"
        )
    images = prefetched(read_image, files, threads=1, ahead=2)
    for file, image in zip(files, images, strict=True):
        prediction = predictor(image)
        yield _write(
            out,
            file,
            prediction,
            with_legend(
                overlay(image, prediction.mask, prediction.labels),
                prediction.mask,
                prediction.labels,
            ),
        )


def _write(out: Path, file: Path, prediction: Prediction, picture: Any) -> PredictedFile:
    labels = prediction.labels
    classes = prediction.classes()
    height, width = prediction.mask.shape
    result = PredictedFile(out / f"{file.stem}_overlay.jpg", classes)
    try:
        Image.fromarray(labels.decode(prediction.mask)).save(out / f"{file.stem}.png")
        Image.fromarray(color_mask(prediction.mask, labels)).save(out / f"{file.stem}_color.png")
        Image.fromarray(picture).save(result.overlay, quality=92)
        document = {"image": file.name, "width": width, "height": height, "classes": classes}
        (out / f"{file.stem}.json").write_text(
            json.dumps(document, indent=1) + "\n", encoding="utf-8"
        )
    except OSError as error:
        raise InputError(f"{out}: results of {file.name} cannot be written ({error})") from None
    return result
