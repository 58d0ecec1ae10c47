"""How long it takes to write and draw what a run leaves, measured by doing so."""

import time
from pathlib import Path
from tempfile import TemporaryDirectory

from sceneparse.artifacts.run_folder import RunFolder
from sceneparse.config import RunConfig
from sceneparse.data.dataset import Dataset
from sceneparse.factory.torch_loading import find_weights, predictor_of
from sceneparse.inference.evaluation import Evaluation, evaluation_sums
from sceneparse.planning.estimate import RunCosts
from sceneparse.recording.events import ignore
from sceneparse.recording.recorded_run import RecordedRun
from sceneparse.recording.recorder import Recorder
from sceneparse.recording.run_drawings import samples_to_draw
from sceneparse.reports.progress_animation import progress_gif
from sceneparse.system.stop_signals import StopRequests
from sceneparse.training.loop import EpochRecord
from sceneparse.training.setup import TrainSetup
from sceneparse.training.state import TrainState


def recording_costs(
    config: RunConfig, state: TrainState, setup: TrainSetup, validation: Dataset
) -> RunCosts:
    """Time a recorder over three epochs without training, in a folder of its own.

    Args:
        config: The run, resolved; every other epoch of it is drawn.
        state: Its state before the first step.
        setup: Its setup.
        validation: What it draws of.

    Returns:
        Seconds; those of the beginning are the recorder's alone. `step_s`, `steps_per_epoch` and
        `validation_s` are zero: `measuring.measure_run` fills them in.
    """
    few = range(min(len(validation), setup.predictor.batch_size))
    threads = setup.settings.threads
    evaluation = evaluation_sums(setup.predictor, validation, few, threads).evaluation()
    with TemporaryDirectory() as temporary:
        folder = RunFolder(Path(temporary) / "run")
        folder.create()
        clock = _Laps()
        samples = samples_to_draw(validation, config.report.images)
        recorder = Recorder(
            config,
            folder,
            state,
            setup.predictor,
            samples,
            1,
            StopRequests(),
            ignore,
            recorded=RecordedRun(),
        )
        with recorder:
            begin_s = clock.lap()
            for epoch in (1, 2, 3):
                recorder.epoch_ended(_record(epoch, evaluation))
                recorder.save()
                clock.lap()
            _, drawn_s, plain_s = clock.laps[-3:]
            frames = [folder.predictions("initial"), folder.predictions("epoch_002")]
            progress_gif(frames, folder.progress_animation)
            animation_s = clock.lap()
        clock.lap()
        recorder.finish(predictor_of(find_weights(folder.path), setup.settings.device))
        end_s = clock.lap()
    return RunCosts(
        begin_s=begin_s,
        step_s=0.0,
        steps_per_epoch=0,
        validation_s=0.0,
        epoch_s=plain_s,
        drawing_s=max(0.0, drawn_s - plain_s - animation_s),
        frame_s=animation_s / len(frames),
        end_s=end_s,
    )


class _Laps:
    """A clock that tells the seconds since it was last asked."""

    def __init__(self) -> None:
        self.laps: list[float] = []
        self._last = time.perf_counter()

    def lap(self) -> float:
        """Return the seconds since the last lap."""
        now = time.perf_counter()
        self.laps.append(now - self._last)
        self._last = now
        return self.laps[-1]


def _record(epoch: int, evaluation: Evaluation) -> EpochRecord:
    return EpochRecord(
        epoch=epoch,
        step=epoch,
        learning_rate=1.0,
        train_loss=evaluation.loss,
        train=evaluation.scores,
        validation=evaluation,
        is_best=epoch == 1,
        timing={
            "train_s": 1.0,
            "validation_s": 1.0,
            "images_per_s": 1.0,
            "data_wait_share": 0.0,
        },
    )
