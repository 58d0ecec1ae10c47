"""Segment image files while threads read and write others."""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from sceneparse.data.io.decode import image_size, read_image
from sceneparse.data.io.geotiff import Georeference
from sceneparse.data.loader import prefetch
from sceneparse.errors import InputError
from sceneparse.inference.prediction import Prediction
from sceneparse.inference.prediction_files import PredictionFiles
from sceneparse.inference.predictor import Predictor

Pixels: TypeAlias = NDArray[np.uint8]
# An image and its prediction take 8 bytes a pixel, encoding them 10: larger images are segmented
# one at a time.
MAX_PIXELS_TOGETHER = 25_000_000


@dataclass(frozen=True)
class SegmentedFile:
    """An image file and its result files.

    Attributes:
        image: Path of the image; `-` for one that was given as bytes.
        results: Paths of the result files; none if the result went to a stream.
        classes: The predicted classes, largest first: id, name, share of pixels, mean confidence.
        error: Why the image could not be segmented; empty if it was.
    """

    image: Path
    results: PredictionFiles
    classes: list[dict[str, Any]] = field(default_factory=list)
    error: str = ""

    def __str__(self) -> str:
        """Write the path of the overlay, or of the first result, and the four largest classes."""
        if self.error:
            return f"failed: {self.error}"
        largest = [f"{found['name']} {found['share']:.0%}" for found in self.classes[:4]]
        shown = next(iter(self.results), self.image)
        if "overlay" in self.results.formats:
            shown = self.results.overlay
        return f"{shown}: {', '.join(largest) or 'none of the classes'}"


class ImageToSegment(NamedTuple):
    """An image to segment.

    Attributes:
        source: Its file, or the bytes of one.
        results: Paths of its result files.
        georeference: Where it lies; none if it does not say it.
    """

    source: Path | bytes
    results: PredictionFiles
    georeference: Georeference | None = None

    @property
    def name(self) -> str:
        """The name of the image in results; bytes are named by their digest."""
        if isinstance(self.source, Path):
            return self.source.name
        return f"sha256:{hashlib.sha256(self.source).hexdigest()[:16]}"


class Writer(NamedTuple):
    """Writes predictions.

    Attributes:
        model: The model as it was given, which each result says.
        made_by: What else each result says: all that decides what it holds.
        classes: Ids of the classes that are shown; none for all.
        stream: Where the only prediction goes and in which format; none for files.
    """

    model: str
    made_by: dict[str, str]
    classes: tuple[int, ...] = ()
    stream: tuple[BinaryIO, str] | None = None

    def record(self, image: ImageToSegment) -> dict[str, str]:
        """Return what tells a result of an image from others, however the model was given."""
        return {"image": image.name, **self.made_by}

    @property
    def _more(self) -> dict[str, str]:
        return {"model": self.model, **self.made_by}

    def __call__(self, segmented: tuple[ImageToSegment, Prediction | str]) -> SegmentedFile:
        """Write a prediction, and return its record; or the error in its place.

        Raises:
            InputError: If it cannot be written.
            BrokenPipeError: If nobody reads the stream any more.
        """
        image, prediction = segmented
        path = image.source if isinstance(image.source, Path) else Path("-")
        if isinstance(prediction, str):
            return SegmentedFile(path, image.results, error=prediction)
        if self.classes:
            prediction = prediction.only(*self.classes)
        if self.stream is None:
            self._save(prediction, image)
        else:
            stream, kind = self.stream
            place = image.georeference
            content = prediction.encode(
                kind, image_name=image.name, more=self._more, georeference=place
            )
            _write_to_stream(stream, content)
        return SegmentedFile(path, image.results, prediction.classes())

    def _save(self, prediction: Prediction, image: ImageToSegment) -> None:
        prediction.save(
            image.results.folder,
            image.results.name,
            formats=image.results.formats,
            image_name=image.name,
            overwrite=True,  # `are_done` has checked which files this replaces.
            more=self._more,
            georeference=image.georeference,
        )


def _write_to_stream(stream: BinaryIO, content: bytes) -> None:
    try:
        stream.write(content)
        stream.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise InputError(
            f"the result cannot be written to the stream ({error.strerror or error}); free some "
            "disk space, or choose another place",
            "out",
        ) from None


def segment_files(
    predictor: Predictor, todo: Iterable[ImageToSegment], write: Writer, jobs: int
) -> Iterator[SegmentedFile]:
    """Segment images one by one, while other threads read and write others.

    Args:
        predictor: Segments an image, in the calling thread.
        todo: The images.
        write: Writes a prediction.
        jobs: Threads that read, and as many that write.

    Yields:
        A record of each image, in their order.

    Raises:
        InputError: If results cannot be written.
        BrokenPipeError: If nobody reads the stream any more.
    """
    read = partial(_read, predictor)
    for one_at_a_time, images in groupby(todo, partial(_is_large, predictor)):
        if one_at_a_time:
            # In one thread, an interrupt also ends the encoding of a large file at once.
            yield from map(write, _segmented(predictor, map(read, images)))
        else:
            read_ahead = prefetch(read, images, threads=jobs, ahead=jobs + 1)
            predictions = _segmented(predictor, read_ahead)
            yield from prefetch(write, predictions, threads=jobs, ahead=jobs)


def _is_large(predictor: Predictor, image: ImageToSegment) -> bool:
    try:
        height, width = image_size(image.source, predictor.reading)
    except InputError:
        return False  # Reading it will say why.
    return height * width > MAX_PIXELS_TOGETHER


def _read(predictor: Predictor, image: ImageToSegment) -> tuple[ImageToSegment, Pixels | str]:
    """Read an image, or return the error in its place."""
    try:
        return image, read_image(image.source, reading=predictor.reading)
    except InputError as error:
        return image, str(error)


def _segmented(
    predictor: Predictor, images: Iterable[tuple[ImageToSegment, Pixels | str]]
) -> Iterator[tuple[ImageToSegment, Prediction | str]]:
    for image, pixels in images:
        yield image, pixels if isinstance(pixels, str) else predictor.segment(pixels)
