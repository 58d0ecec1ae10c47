"""The drawings of a run: panels of predictions, learning curves and the training animation."""

import time
from collections.abc import Sequence

import numpy as np

from sceneparse.artifacts.run_folder import RunFolder
from sceneparse.artifacts.writing import remove
from sceneparse.data.dataset import Dataset, Sample
from sceneparse.inference.predictor import Predictor
from sceneparse.reports.curves import training_history
from sceneparse.reports.panels import PanelRow, prediction_panels
from sceneparse.reports.progress_animation import progress_gif
from sceneparse.training.loop import EpochRecord

# Drawing the curves takes half a second, which is longer than some epochs train.
CURVES_EVERY_S = 10


class RunDrawings:
    """Draws predictions of the same images and learning curves during a run."""

    def __init__(self, folder: RunFolder, samples: Sequence[Sample]) -> None:
        """Prepare to draw.

        Args:
            folder: The run folder.
            samples: Images with their masks, from `samples_to_draw`.
        """
        self._folder = folder
        self._samples = samples
        self._curves_drawn = time.monotonic()
        self._are_curves_old = False

    def predictions(self, when: str, title: str, predictor: Predictor) -> None:
        """Predict the images and draw one page of image, ground truth and prediction."""
        rows = [
            PanelRow(sample.name, sample.image, sample.mask, predictor.segment(sample.image).mask)
            for sample in self._samples
        ]
        prediction_panels(self._folder.predictions(when), rows, predictor.labels, title)

    def resume_after(self, epoch: int) -> None:
        """Remove the pages of epochs that a resumed run is going to repeat."""
        # A crash may have come before the curves of this epoch.
        self._are_curves_old = epoch > 0
        for path in self._folder.path.glob("predictions_epoch_*.png"):
            if int(path.stem.rpartition("_")[2]) > epoch:
                remove(path)

    def curves(self, *, at_once: bool = False) -> None:
        """Draw the learning curves `at_once`, or if the last drawing is some seconds old."""
        self._are_curves_old = True
        if at_once or time.monotonic() - self._curves_drawn >= CURVES_EVERY_S:
            training_history(self._folder.metrics, self._folder.learning_curves)
            self._curves_drawn = time.monotonic()
            self._are_curves_old = False

    def finish_curves(self) -> None:
        """Draw the learning curves if epochs have ended since the last drawing."""
        if self._are_curves_old:
            self.curves(at_once=True)

    def animation(self) -> None:
        """Join the drawn pages of all epochs into the training animation."""
        found = self._folder.path.glob("predictions_epoch_*.png")
        epochs = sorted(found, key=lambda path: int(path.stem.rpartition("_")[2]))
        initial, final = (self._folder.predictions(when) for when in ("initial", "final"))
        frames = [path for path in (initial, *epochs, final) if path.exists()]
        progress_gif(frames, self._folder.progress_animation)


def samples_to_draw(dataset: Dataset, count: int) -> list[Sample]:
    """Read the images that a run draws: spread evenly over a data set, the same each time.

    Raises:
        InputError: If one of them cannot be read.
    """
    indices = np.linspace(0, len(dataset) - 1, min(count, len(dataset))).round()
    return [dataset[index] for index in dict.fromkeys(indices.astype(int).tolist())]


def headline(record: EpochRecord) -> str:
    """Return the title of an epoch's page."""
    title = f"epoch {record.epoch}"
    if record.validation:
        scores = record.validation.scores
        title += f" · mIoU {scores.miou:.3f} · pixel accuracy {scores.pixel_accuracy:.3f}"
    return title
