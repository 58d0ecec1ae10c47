"""Write the run folder and report progress during training."""

import time
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from torch import Tensor

from sceneparse.artifacts.checkpoint import Checkpoints
from sceneparse.artifacts.kept_step import NonFiniteStep, keep_step
from sceneparse.artifacts.run_folder import RunFolder
from sceneparse.artifacts.weights import StoredModel, encoded_weights
from sceneparse.config import ReportSettings, RunConfig
from sceneparse.data.dataset import Sample
from sceneparse.inference.predictor import Predictor
from sceneparse.recording.events import Callback, EpochEnded, Message, StepEnded
from sceneparse.recording.recorded_run import RecordedRun, metrics_row
from sceneparse.recording.remaining_time import RemainingTime, Timetable
from sceneparse.recording.run_drawings import RunDrawings, headline
from sceneparse.system.stop_signals import StopRequests
from sceneparse.training.loop import EpochRecord, Request
from sceneparse.training.nonfinite import READ_EVERY
from sceneparse.training.smaller_parts import meaning_of_parts
from sceneparse.training.state import TrainState

# Share of an epoch's time spent waiting for data above which a hint is reported.
LONG_WAIT = 0.2
# Non-finite steps whose weights are kept: a file is as large as the network.
_MAX_KEPT = 3


class SilentObserver:
    """An `Observer` of the training loop that writes and reports nothing."""

    def __init__(self, stop: StopRequests) -> None:
        """Take the stop requests of this process."""
        self._stop = stop

    def step_ended(self, step: int, loss: Tensor) -> None:
        """Do nothing."""

    def epoch_ended(self, record: EpochRecord) -> None:
        """Do nothing."""

    def step_skipped(self, step: NonFiniteStep) -> str:  # noqa: ARG002 - part of the interface
        """Do nothing: rank zero keeps it."""
        return ""

    def save(self) -> None:
        """Do nothing: rank zero saves."""

    def request(self) -> Request:
        """Ask to stop if this process has received a stop signal."""
        return Request.STOP if self._stop.requested else Request.NOTHING


class Recorder:
    """An `Observer` of the training loop that writes the run folder and reports progress."""

    def __init__(
        self,
        config: RunConfig,
        folder: RunFolder,
        state: TrainState,
        predictor: Predictor,
        samples: Sequence[Sample],
        steps_per_epoch: int,
        stop: StopRequests,
        callback: Callback,
        *,
        recorded: RecordedRun,
    ) -> None:
        """Prepare to record a run.

        Args:
            config: Resolved config of the run.
            folder: The run folder.
            state: State to save in checkpoints.
            predictor: Predictor of the network whose weights are validated and kept.
            samples: Samples to draw, the same each time.
            steps_per_epoch: Training steps of an epoch.
            stop: Stop requests of this process.
            callback: Called with each event.
            recorded: What the run has recorded up to this step; it is added to.
        """
        self._config = config
        self._folder = folder
        self._state = state
        self._predictor = predictor
        self._drawings = RunDrawings(folder, samples)
        self._steps_per_epoch = steps_per_epoch
        self._stop = stop
        self._callback = callback
        self._recorded = recorded
        self._parts = state.parts
        self._checkpoints = Checkpoints(folder.checkpoints, config.training.checkpoints_kept)
        self._saved_at = time.monotonic()
        self._has_reported_wait = False
        self._tensorboard = _summary_writer(folder.tensorboard, config.report)
        timetable = Timetable(
            epochs=config.training.epochs,
            steps_per_epoch=steps_per_epoch,
            validate_every=config.training.validate_every,
            draw_every=config.report.every,
        )
        self._remaining = RemainingTime(timetable, state.step // steps_per_epoch)

    def __enter__(self) -> Self:
        """Draw the predictions of a new run, or make the folder one of the resumed step."""
        self._folder.remove_partial_files()
        self._recorded.write(self._folder)
        self._drawings.resume_after(self._state.step // self._steps_per_epoch)
        if self._state.step == 0:
            # From here on the run can be resumed.
            self.save()
            self._drawings.predictions("initial", "before training", self._predictor)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is None:
            self._drawings.finish_curves()
        if self._tensorboard:
            self._tensorboard.close()

    def step_ended(self, step: int, loss: Tensor) -> None:
        """Report some of the steps, because reading the loss waits for the accelerator."""
        if self._state.parts != self._parts:
            self._parts = self._state.parts
            images = int(self._config.training.batch_size)
            meaning = meaning_of_parts(self._state.segmenter, self._parts, images)
            self._callback(Message(f"step {step}: {meaning}"))
        self._remaining.step_ended(step, time.monotonic())
        if step % READ_EVERY == 0 or step % self._steps_per_epoch < 2:
            epochs = self._config.training.epochs
            self._callback(
                StepEnded(
                    step=step,
                    total_steps=epochs * self._steps_per_epoch,
                    epoch=(step - 1) // self._steps_per_epoch + 1,
                    epochs=epochs,
                    loss=float(loss),
                    seconds_left=self._remaining.seconds(step, time.monotonic()),
                )
            )

    def epoch_ended(self, record: EpochRecord) -> None:
        """Write table rows and curves, the weights if they are the best, and drawings if due."""
        self._recorded.add(record)
        if record.is_best:
            model = StoredModel(self._state.kept.state_dict(), self._config, self._predictor.labels)
            self._recorded.best = encoded_weights(model)
        self._recorded.write(self._folder)
        self._drawings.curves()
        drawing_s = None
        if record.epoch % self._config.report.every == 0:
            start = time.monotonic()
            when = f"epoch_{record.epoch:03d}"
            self._drawings.predictions(when, headline(record), self._predictor)
            self._drawings.animation()
            drawing_s = time.monotonic() - start
        if self._tensorboard:
            for name, value in metrics_row(record).items():
                if isinstance(value, float):
                    self._tensorboard.add_scalar(name, value, record.epoch)
        validation_s = record.timing["validation_s"] if record.validation else None
        self._remaining.epoch_ended(record.epoch, validation_s, drawing_s)
        self._callback(EpochEnded(record, self._config.training.epochs))
        for text in self._recorded.watch.messages(record, self._predictor.labels.class_names):
            self._callback(Message(text))
        self._report_wait(record.timing["data_wait_share"])

    def step_skipped(self, step: NonFiniteStep) -> str:
        """Keep one of the first steps that are not finite, and report the first one."""
        file = ""
        if self._state.guard.skipped <= _MAX_KEPT:
            network = self._state.segmenter.state_dict()
            file = str(keep_step(self._folder.nonfinite, step, network))
        if self._config.training.on_nonfinite == "skip" and self._state.guard.skipped == 1:
            self._callback(Message(_skip_message(step, file)))
        return file

    def save(self) -> None:
        """Write the checkpoint."""
        recorded = self._recorded.state_dict()
        self._checkpoints.write({**self._state.state_dict(), "recorded": recorded})
        self._saved_at = time.monotonic()

    def request(self) -> Request:
        """Ask to stop at a signal, and to save as often as the config says."""
        if self._stop.requested:
            return Request.STOP
        training = self._config.training
        step = self._state.step
        epoch, step_of_epoch = divmod(step, self._steps_per_epoch)
        is_due = step_of_epoch == 0 and epoch % training.checkpoint_epochs == 0
        is_due |= training.checkpoint_steps is not None and step % training.checkpoint_steps == 0
        is_due |= time.monotonic() - self._saved_at >= 60 * training.checkpoint_minutes
        return Request.SAVE if is_due else Request.NOTHING

    def finish(self, best: Predictor) -> None:
        """Draw the predictions of the kept weights, and the animation."""
        skipped = self._state.guard.skipped
        if skipped:
            self._callback(Message(f"steps skipped because they were not finite: {skipped}"))
        title = f"kept weights, epoch {self._state.best_epoch}"
        title += f" · validation mIoU {self._state.best_miou:.3f}"
        self._drawings.predictions("final", title, best)
        self._drawings.animation()

    def _report_wait(self, share: float) -> None:
        """Report once what helps if training waits for images."""
        if share > LONG_WAIT and not self._has_reported_wait:
            self._has_reported_wait = True
            self._callback(
                Message(
                    f"training waited for images {share:.0%} of the epoch: decode them once with "
                    "`sceneparse data cache`, or raise training.threads"
                )
            )


def _skip_message(step: NonFiniteStep, file: str) -> str:
    """Write that a step is skipped; `file` keeps it. The run reports their number at its end."""
    return (
        f"step {step.number}: {step.reason}; the step is skipped, and later ones that are like it "
        f"are only counted; `sceneparse replay {file}` says where it comes from"
    )


def check_tensorboard(config: ReportSettings) -> None:
    """Import TensorBoard if a run writes logs for it, to fail before training starts.

    Raises:
        ModuleNotFoundError: If TensorBoard is not installed.
    """
    if config.tensorboard:
        import_module("tensorboard")


def _summary_writer(path: Path, config: ReportSettings) -> Any:
    if not config.tensorboard:
        return None
    from torch.utils.tensorboard import SummaryWriter

    return SummaryWriter(str(path))
