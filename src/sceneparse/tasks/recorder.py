"""What a run writes while it goes on: tables, weights, checkpoints, images, a progress bar."""

import time
from importlib import import_module
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn
from torch import Tensor

from sceneparse.checkpoint import RunFolder, Weights, write_checkpoint, write_weights
from sceneparse.config import ReportConfig, RunConfig
from sceneparse.data.dataset import Dataset, Sample
from sceneparse.inference.predictor import Predictor
from sceneparse.reports.curves import training_history
from sceneparse.reports.panels import PanelRow, prediction_panels
from sceneparse.reports.progress import progress_gif
from sceneparse.system.stop_signals import StopRequests
from sceneparse.tasks.epoch_rows import (
    append_row,
    epoch_line,
    forget_rows_after,
    headline,
    metrics_row,
)
from sceneparse.tasks.remaining_time import RemainingTime, Timetable, time_left
from sceneparse.training.loop import EpochRecord
from sceneparse.training.state import TrainState

# Share of an epoch's time spent waiting for data, above which the user is told what helps.
LONG_WAIT = 0.2
# Seconds between lines of a log that has no progress bar.
LOG_EVERY_S = 60
# Seconds at least from one drawing of the curves to the next, which takes half a second.
HISTORY_EVERY_S = 10


class SilentObserver:
    """Follows a run in a process that writes and shows nothing; an `Observer` of the loop."""

    def __init__(self, stop: StopRequests) -> None:
        self._stop = stop

    def step_ended(self, step: int, loss: Tensor) -> None:
        """Do nothing."""

    def epoch_ended(self, record: EpochRecord) -> None:
        """Do nothing."""

    def save(self) -> None:
        """Leave it to the first process."""

    def wants_stop(self) -> bool:
        """Tell whether this process was asked to stop."""
        return self._stop.requested


class Recorder:
    """Follows one run and writes its folder; an `Observer` of the loop."""

    def __init__(
        self,
        config: RunConfig,
        folder: RunFolder,
        state: TrainState,
        predictor: Predictor,
        console: Console,
    ) -> None:
        """Prepare to follow a run.

        Args:
            config: The run, resolved.
            folder: Where to write.
            state: What checkpoints hold.
            predictor: The network that is kept, as it is, for images.
            console: Where progress is shown.
        """
        self._config = config
        self._folder = folder
        self._state = state
        self._predictor = predictor
        self._console = console
        self._samples: list[Sample] = []
        self._stop = StopRequests()
        self._steps_per_epoch = 1
        self._has_told_wait = False
        self._logged = time.monotonic()
        self._history_drawn = time.monotonic()
        self._is_history_old = False
        self._tensorboard = _summary_writer(folder.tensorboard, enabled=config.report.tensorboard)
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("loss {task.fields[loss]:.3f} · {task.fields[speed]:.1f} images/s"),
            TextColumn("{task.fields[left]}"),
            console=console,
            transient=True,
        )

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._progress.stop()
        if error is None and self._is_history_old:
            self._draw_history()
        if self._tensorboard:
            self._tensorboard.close()

    def start(
        self, samples: list[Sample], total_steps: int, steps_per_epoch: int, stop: StopRequests
    ) -> None:
        """Draw the first images of a new run, or cut the tables of a resumed one to its step.

        Args:
            samples: What is drawn, the same each time.
            total_steps: Of the run.
            steps_per_epoch: Of it.
            stop: Where a stop is asked for.
        """
        self._samples = samples
        self._steps_per_epoch = steps_per_epoch
        self._stop = stop
        self._task = self._progress.add_task(
            "training",
            total=total_steps,
            completed=self._state.step,
            loss=float("nan"),
            speed=0.0,
            left="",
        )
        epoch = self._state.step // steps_per_epoch
        timetable = Timetable(
            epochs=total_steps // steps_per_epoch,
            steps_per_epoch=steps_per_epoch,
            validate_every=self._config.training.validate_every,
            draw_every=self._config.report.every,
        )
        self._remaining = RemainingTime(timetable, epoch)
        for table in (self._folder.metrics, self._folder.timing):
            forget_rows_after(table, epoch)
        if self._state.step == 0:
            # From now on the folder holds a run that can be resumed.
            self.save()
            self._draw("initial", "before training", self._predictor)

    def step_ended(self, step: int, loss: Tensor) -> None:
        """Move the bar; the loss is read rarely, since that waits for an accelerator."""
        self._remaining.step_ended(step, time.monotonic())
        if step % 10 == 0 or step % self._steps_per_epoch < 2:
            epoch = (step - 1) // self._steps_per_epoch + 1
            task = self._progress.tasks[0]
            self._progress.update(
                self._task,
                completed=step,
                description=f"epoch {epoch}/{self._config.training.epochs}",
                loss=float(loss),
                speed=(task.speed or 0.0) * self._images_per_step(),
                left=self._time_left(step),
            )
            self._log(step, float(loss))

    def _log(self, step: int, loss: float) -> None:
        """Write a line now and then where there is no terminal to show a bar in."""
        now = time.monotonic()
        if self._console.is_terminal or now - self._logged < LOG_EVERY_S:
            return
        self._logged = now
        left = self._time_left(step)
        self._console.print(
            f"step {step}/{self._progress.tasks[0].total:.0f} | loss {loss:.3f}"
            + (f" | {left}" if left else "")
        )

    def _time_left(self, step: int) -> str:
        return time_left(self._remaining.seconds(step, time.monotonic()))

    def epoch_ended(self, record: EpochRecord) -> None:
        """Write rows, weights if they are the best, curves and images when it is their turn."""
        row = metrics_row(record)
        append_row(self._folder.metrics, row)
        append_row(self._folder.timing, {"epoch": record.epoch, **record.timing})
        if record.is_best:
            weights = Weights(self._state.kept.state_dict(), self._config, self._predictor.labels)
            write_weights(self._folder.weights, weights)
        # Short epochs would otherwise spend more time on the curves than on training.
        self._is_history_old = True
        if time.monotonic() - self._history_drawn >= HISTORY_EVERY_S:
            self._draw_history()
        drawing_s = None
        if record.epoch % self._config.report.every == 0:
            start = time.monotonic()
            self._draw(f"epoch_{record.epoch:03d}", headline(record), self._predictor)
            self._animation()
            drawing_s = time.monotonic() - start
        if self._tensorboard:
            for name, value in row.items():
                if isinstance(value, float):
                    self._tensorboard.add_scalar(name, value, record.epoch)
        validation_s = record.timing["validation_s"] if record.validation else None
        self._remaining.epoch_ended(record.epoch, validation_s, drawing_s)
        self._progress.update(self._task, left=self._time_left(record.step))
        line = epoch_line(record, self._config.training.epochs)
        self._console.print(line, soft_wrap=True)
        waited = record.timing["data_wait_share"]
        if waited > LONG_WAIT and not self._has_told_wait:
            self._has_told_wait = True
            self._console.print(
                f"training waited {waited:.0%} of that time for images: decode them once with "
                "`sceneparse data cache`, or raise training.threads",
                soft_wrap=True,
            )

    def save(self) -> None:
        """Write the checkpoint."""
        write_checkpoint(self._folder.checkpoint, self._state.state_dict())

    def wants_stop(self) -> bool:
        """Tell whether the user asked to stop."""
        return self._stop.requested

    def finish(self, best: Predictor) -> None:
        """Draw the last images with the weights that were kept, and the animation of them all."""
        title = f"kept weights, epoch {self._state.best_epoch}"
        self._draw("final", f"{title} · validation mIoU {self._state.best_miou:.3f}", best)
        self._animation()

    def _images_per_step(self) -> int:
        batch_size = self._config.training.batch_size
        return batch_size if isinstance(batch_size, int) else 1

    def _draw(self, when: str, title: str, predictor: Predictor) -> None:
        rows = [
            PanelRow(
                sample.name,
                sample.image,
                sample.mask,
                predictor(sample.image).mask,
            )
            for sample in self._samples
        ]
        prediction_panels(self._folder.predictions(when), rows, predictor.labels, title)

    def _draw_history(self) -> None:
        training_history(self._folder.metrics, self._folder.history)
        self._history_drawn = time.monotonic()
        self._is_history_old = False

    def _animation(self) -> None:
        found = self._folder.path.glob("predictions_epoch_*.png")
        epochs = sorted(found, key=lambda path: int(path.stem.rpartition("_")[2]))
        ends = [self._folder.predictions(when) for when in ("initial", "final")]
        frames = [path for path in (ends[0], *epochs, ends[1]) if path.exists()]
        progress_gif(frames, self._folder.progress)


def shown_samples(dataset: Dataset, config: ReportConfig) -> list[Sample]:
    """Read the images that a run draws: spread evenly over a data set, the same each time.

    Raises:
        InputError: If one is not as it should be.
    """
    if config.tensorboard:
        # Missing, it is told before there is a folder.
        import_module("tensorboard")
    places = np.linspace(0, len(dataset) - 1, min(config.images, len(dataset))).round()
    return [dataset[place] for place in dict.fromkeys(places.astype(int).tolist())]


def _summary_writer(path: Path, *, enabled: bool) -> Any:
    if not enabled:
        return None
    from torch.utils.tensorboard import SummaryWriter

    return SummaryWriter(str(path))
