"""What each stage of the loader takes, measured one after the other in one thread."""

import itertools
import time
from collections import defaultdict
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import replace

import numpy as np

from sceneparse.augmentation.artefacts import made_worse
from sceneparse.augmentation.change import Artefacts, Change, Colors
from sceneparse.augmentation.colors import changed_colors
from sceneparse.augmentation.transform import Transform
from sceneparse.data.dataset import PairedFiles, Sample, read_annotation
from sceneparse.data.decode import read_image
from sceneparse.data.loader import Loader, stacked
from sceneparse.data.synthetic import SyntheticScenes
from sceneparse.runs.data_figures import Stage, StageFigures


def measured_stages(
    loader: Loader, transform: Transform, pictures: int, seconds: float
) -> StageFigures:
    """Take pictures through the stages in the order of training.

    Args:
        loader: Whose stages.
        transform: That of the loader.
        pictures: At most so many.
        seconds: Stop after so many of them.

    Raises:
        InputError: If a file is broken.
    """
    places = (place for step in itertools.count() for place in loader.indices(step))
    # What is done once, such as loading decoders, is no part of any picture's time.
    Stages(loader, transform).take(*next(places))
    stages = Stages(loader, transform)
    deadline = time.perf_counter() + seconds
    for place in itertools.islice(places, pictures):
        stages.take(*place)
        if time.perf_counter() > deadline:
            break
    return stages.figures()


class Stages:
    """The stages of a loader, and the seconds that each has taken so far."""

    def __init__(self, loader: Loader, transform: Transform) -> None:
        """Start with none.

        Args:
            loader: Whose stages.
            transform: That of the loader.
        """
        self._dataset = loader.dataset
        self._batch_size = loader.batch_size
        self._transform = transform
        self._geometry = replace(transform, leaves_colors=True)
        self._seconds: dict[Stage, float] = defaultdict(float)
        self._whole_resample = 0.0
        self._sizes: list[tuple[int, ...]] = []
        self._batch: list[tuple[Sample, Colors]] = []

    def take(self, epoch: int, index: int) -> Sample:
        """Make of one picture what the loader makes of it.

        Raises:
            InputError: If a file is broken.
        """
        with self._timing(Stage.RESAMPLE):
            change = self._transform.change(epoch, index)
            smallest = self._transform.smallest(change)
        sample = self._fetched(index, smallest)
        other = self._transform.partner(change)
        partner = other and self._fetched(*other)
        with self._timing(Stage.RESAMPLE):
            square = self._geometry(sample, change._replace(artefacts=Artefacts()), partner)
        if any(change.artefacts._replace(noise_seed=0)):
            with self._timing(Stage.ARTEFACTS):
                square = square._replace(image=made_worse(square.image, change.artefacts))
        if not self._transform.leaves_colors:
            with self._timing(Stage.COLORS):
                image = changed_colors(square.image, change.colors)
            square = square._replace(image=image)
        self._batch.append((square, change.colors))
        if len(self._batch) == self._batch_size:
            self._stack()
        self._sizes.append(sample.mask.shape)
        self._resample_whole(index, sample, change)
        return square

    def figures(self) -> StageFigures:
        """Return what was measured, per picture."""
        if self._batch:
            self._stack()
        pictures = len(self._sizes)
        height, width = np.median(self._sizes, axis=0)
        return StageFigures(
            seconds={
                stage: self._seconds[stage] / pictures for stage in Stage if stage in self._seconds
            },
            pictures=pictures,
            source_size=(round(height), round(width)),
            whole_resample=self._whole_resample / pictures,
        )

    def _fetched(self, index: int, smallest: tuple[int, int]) -> Sample:
        match self._dataset:
            case PairedFiles() as files:
                return self._read(files, index, smallest)
            case SyntheticScenes():
                stage = Stage.DRAW
            case _:
                stage = Stage.FETCH
        with self._timing(stage):
            return self._dataset.reduced(index, *smallest)

    def _read(self, files: PairedFiles, index: int, smallest: tuple[int, int]) -> Sample:
        image_path, mask_path = files.images[index], files.masks[index]
        # Decoding reads again, from the system's memory; it also says what is wrong with a file.
        with self._timing(Stage.READ), suppress(OSError):
            image_path.read_bytes()
            mask_path.read_bytes()
        with self._timing(Stage.IMAGE):
            image = read_image(image_path, smallest)
        with self._timing(Stage.MASK):
            mask = read_annotation(mask_path, files.labels, files.code)
        return Sample(image, mask, image_path.stem)

    def _resample_whole(self, index: int, sample: Sample, change: Change) -> None:
        """Measure what resampling takes where pictures are not decoded at a smaller scale."""
        if sample.image.shape[:2] != sample.mask.shape:
            sample = self._dataset[index]
        start = time.perf_counter()
        self._geometry(sample, change._replace(artefacts=Artefacts()))
        self._whole_resample += time.perf_counter() - start

    def _stack(self) -> None:
        with self._timing(Stage.STACK):
            stacked([(sample, colors) for sample, colors in self._batch])
        self._batch.clear()

    @contextmanager
    def _timing(self, stage: Stage) -> Generator[None]:
        start = time.perf_counter()
        yield
        self._seconds[stage] += time.perf_counter() - start
