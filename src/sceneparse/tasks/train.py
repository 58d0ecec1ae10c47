"""Train the network of a config and write a run folder."""

from collections.abc import Sequence
from pathlib import Path

import torch

from sceneparse import factory
from sceneparse.artifacts.run_folder import RunFolder
from sceneparse.config import ReportSettings, RunConfig
from sceneparse.config.reading import resolve_config
from sceneparse.config.resuming import allowed_changes, config_differences, resumed_config
from sceneparse.data.class_statistics import ClassStatistics
from sceneparse.data.dataset import Dataset, Sample
from sceneparse.errors import InputError
from sceneparse.factory.torch_loading import find_weights, predictor_of, segmenter_to_train
from sceneparse.inference.evaluation import Evaluation
from sceneparse.inference.predictor import Predictor
from sceneparse.labels import Labels
from sceneparse.models.segmenter import Segmenter
from sceneparse.optimization.settings import Constant, Plateau
from sceneparse.recording.events import Callback, Message, activity, ignore
from sceneparse.recording.recorded_run import RecordedRun
from sceneparse.recording.recorder import Recorder, SilentObserver, check_tensorboard
from sceneparse.recording.run_drawings import samples_to_draw
from sceneparse.recording.run_space import require_space_of_run
from sceneparse.system.memory_advice import advice_on_memory
from sceneparse.system.ranks import RankInfo, find_rank_info
from sceneparse.system.stop_signals import StopRequests
from sceneparse.tasks.launching import check_processes
from sceneparse.tasks.requeuing import has_begun, requeued_after_warning
from sceneparse.tasks.restoring import restore, roll_back
from sceneparse.tasks.run import Run
from sceneparse.tasks.run_data import data_key_of, open_splits, validate_over_ranks
from sceneparse.training.auto import resolve
from sceneparse.training.distributed import (
    broadcast_from_rank_zero,
    max_over_ranks,
    process_group,
)
from sceneparse.training.environment import environment
from sceneparse.training.loop import fit
from sceneparse.training.nonfinite import NonFiniteStopError
from sceneparse.training.probing import with_probed_accumulation
from sceneparse.training.setup import TrainSetup, set_up_training
from sceneparse.training.state import TrainState


def train(
    config: RunConfig | str | Path,
    *,
    out: str | Path | None = None,
    overrides: Sequence[str] = (),
    resume: bool = False,
    requeue: bool = False,
    callback: Callback = ignore,
) -> Run:
    """Train a network and write its weights, scores and drawings to a run folder.

    If torchrun or SLURM started several processes, all of them share each step; rank zero writes
    the folder and reports. Otherwise it runs in this process, on one GPU at most; the command
    `sceneparse train` starts one process per GPU.

    Args:
        config: A YAML file, or a config; `auto` values are resolved, and the result is stored.
        out: The run folder. It must be empty or new unless the run is resumed. By default the
            name of the config file in `runs/`, and `runs/run` for a config.
        overrides: Changed fields of the config, as `section.field=value`.
        resume: Resume from the checkpoint in the folder.
        requeue: In a job of SLURM, resume if the folder has a checkpoint, and after SLURM's warning
            (SIGUSR1) save the state and ask SLURM to start the job again.
        callback: Called with each event in rank zero; `print` shows them.

    Raises:
        InputError: If the config or the data set has faults, the folder cannot be used, or the job
            cannot be requeued.

    Example:
        >>> run = sceneparse.train("mydata.yaml", overrides=["training.epochs=5"])  # doctest: +SKIP
        >>> run.scores["validation_miou"]  # doctest: +SKIP
        0.61
    """
    settings = resolve_config(config, overrides)
    if out is None:
        out = default_folder(Path("run") if isinstance(config, RunConfig) else Path(config))
    rank_info = find_rank_info()
    folder = RunFolder(Path(out))
    if rank_info.rank != 0:
        callback = ignore
    with process_group(rank_info):
        if requeue:
            resume |= has_begun(folder)
        run = _train(settings, folder, callback, rank_info, resume=resume)
        return requeued_after_warning(run, rank_info, callback) if requeue else run


def default_folder(config: Path) -> Path:
    """Return the default run folder of a config, such as `runs/mydata`.

    Configs in `configs/` share names across data sets, so their folder names also contain the data
    set, such as `runs/ade20k-lite0`.
    """
    parts = [*config.parent.parts, config.stem]
    folders = [index for index, part in enumerate(parts[:-1], start=1) if part == "configs"]
    return Path("runs") / "-".join(parts[folders[-1] if folders else -1 :])


def _train(
    config: RunConfig, folder: RunFolder, callback: Callback, rank_info: RankInfo, *, resume: bool
) -> Run:
    check_processes(config, rank_info)
    if resume:
        config = _resumed_config(config, folder, callback)
    elif rank_info.rank == 0:
        _check_free(config, folder)
    training, validation = open_splits(config, rank_info, callback)
    data_key = data_key_of(training, rank_info)
    torch.manual_seed(config.seed)
    segmenter = _initial_segmenter(config, training.labels, callback, resume=resume)
    # Rank zero reads the masks for all processes.
    class_statistics = broadcast_from_rank_zero(
        lambda: _class_statistics(config, training, callback)
    )
    config = factory.with_class_weights(config, class_statistics)
    # Rank zero measures for all processes, so that their settings agree.
    with advice_on_memory():
        settings = broadcast_from_rank_zero(lambda: resolve(config, segmenter, training, rank_info))
    requested, config = config, settings.stored_in(config)

    def validate(predictor: Predictor) -> Evaluation:
        return validate_over_ranks(predictor, validation, settings.threads, rank_info)

    with advice_on_memory():
        state, setup = set_up_training(
            config, settings, segmenter, training, validate, rank_info, data_key, class_statistics
        )
        config = with_probed_accumulation(config, requested, state, setup, validation)
    samples = _samples(config.report, validation, rank_info)
    recorded = RecordedRun()
    if resume:
        recorded = restore(state, folder, callback)
        if rank_info.rank == 0:
            require_space_of_run(folder, config, state)
            folder.write_config(config)
    elif rank_info.rank == 0:
        require_space_of_run(folder, config, state)
        # Create the folder last, so that after an earlier error the user can use the same folder.
        folder.create()
        folder.write_start(config, training.labels, environment(config.seed))
    stop = StopRequests()
    if rank_info.rank == 0:
        _announce(setup, state, len(validation), callback)
    is_finished = _train_recorded(config, folder, state, setup, samples, recorded, stop, callback)
    return Run(
        folder=folder.path,
        is_finished=is_finished,
        best_epoch=state.best_epoch,
        best_miou=state.best_miou,
        resize=str(setup.predictor),
        stopped_by=0 if is_finished else max_over_ranks(stop.signal_number),
    )


def _samples(config: ReportSettings, validation: Dataset, rank_info: RankInfo) -> list[Sample]:
    """Read the samples that rank zero draws, before the folder is created."""
    if rank_info.rank != 0:
        return []
    check_tensorboard(config)
    return samples_to_draw(validation, config.images)


def _train_recorded(
    config: RunConfig,
    folder: RunFolder,
    state: TrainState,
    setup: TrainSetup,
    samples: Sequence[Sample],
    recorded: RecordedRun,
    stop: StopRequests,
    callback: Callback,
) -> bool:
    """Train, with rollbacks if the config wants them, and return whether the run is finished."""
    while True:
        try:
            if setup.rank_info.rank != 0:
                return _train_other_rank(state, setup, stop)
            recorder = Recorder(
                config,
                folder,
                state,
                setup.predictor,
                samples,
                setup.loader.steps_per_epoch,
                stop,
                callback,
                recorded=recorded,
            )
            with stop, recorder, advice_on_memory():
                is_finished = fit(state, setup, recorder)
            break
        except NonFiniteStopError as error:
            recorded = roll_back(error, config, state, folder, setup.rank_info, callback)
    if is_finished:
        recorder.finish(predictor_of(find_weights(folder.path), setup.device))
        _report_early_stopping(state, setup, callback)
    return is_finished


def _train_other_rank(state: TrainState, setup: TrainSetup, stop: StopRequests) -> bool:
    """Train in a rank other than zero, and return whether the run is finished."""
    # The checkpoint holds the counts of all processes; rank zero continues them.
    state.sums.confusion.zero_()
    with stop, advice_on_memory():
        return fit(state, setup, SilentObserver(stop))


def _initial_segmenter(
    config: RunConfig, labels: Labels, callback: Callback, *, resume: bool
) -> Segmenter:
    """Build the network with its initial weights, and report which weights were loaded."""
    # A resumed run loads all weights from its checkpoint.
    start = config.model.untrained if resume else config.model
    segmenter, transfer = segmenter_to_train(start, labels, config.channels)
    if transfer:
        callback(Message(f"weights of {start.weights}: {transfer}"))
    return segmenter


def _class_statistics(
    config: RunConfig, training: Dataset, callback: Callback
) -> ClassStatistics | None:
    if not factory.needs_class_statistics(config):
        return None
    with activity(callback, "counting the pixels of each class"):
        return factory.class_statistics(config, training)


def _check_free(config: RunConfig, folder: RunFolder) -> None:
    """Refuse a folder with files, and say whether its run is one of this config."""
    if folder.has_checkpoint and folder.config.is_file():
        differences = config_differences(config, folder.read_config())
        if not differences:
            raise InputError(
                f"{folder.path}: holds a run of this config already; resume it, or choose another "
                "folder",
                "resume",
                "out",
            )
        raise InputError(
            f"{folder.path}: holds a run of another config ({'; '.join(differences)}); choose "
            "another folder",
            "out",
        )
    folder.check_free()


def _resumed_config(config: RunConfig, folder: RunFolder, callback: Callback) -> RunConfig:
    stored = folder.read_config()
    differences = config_differences(config, stored)
    if differences:
        raise InputError(
            f"{folder.config}: the run was started with another config "
            f"({'; '.join(differences)}), so it would be another run; resume with the same values, "
            "or start a new run in another folder, from these weights with "
            f"model.weights={folder.path}"
        )
    changes = allowed_changes(config, stored)
    if changes:
        callback(Message(f"the run goes on with {'; '.join(changes)}"))
    if config.training.epochs > stored.training.epochs and not isinstance(
        config.schedule, Constant | Plateau
    ):
        callback(
            Message(
                "its learning rate continues on the schedule of all "
                f"{config.training.epochs} epochs, as if the run had been so long from the start"
            )
        )
    return resumed_config(config, stored)


def _announce(setup: TrainSetup, state: TrainState, images: int, callback: Callback) -> None:
    """Report the size of the run and the resolved `auto` settings."""
    settings = setup.settings
    parameters = sum(parameter.numel() for parameter in state.segmenter.parameters())
    parts = f" in {state.parts} parts" if state.parts > 1 else ""
    callback(
        Message(
            f"{parameters / 1e6:.2f} M parameters · {len(setup.loader.dataset)} images to train "
            f"on, {images} to validate on · {setup.config.training.epochs} epochs in batches of "
            f"{settings.batch_size}{parts} · {settings} · validation images {setup.predictor}"
            + (f" · from step {state.step}" if state.step else "")
        )
    )
    if settings.times:
        callback(Message(settings.reasons()))
    if settings.uncompiled:
        callback(Message(f"training.compile: continues uncompiled: {settings.uncompiled}"))
    if setup.is_over(state):
        callback(Message("the run is already finished"))


def _report_early_stopping(state: TrainState, setup: TrainSetup, callback: Callback) -> None:
    training = setup.config.training
    if state.step < setup.total_steps:
        epoch = state.step // setup.loader.steps_per_epoch
        best = f"no better mIoU than that of epoch {state.best_epoch}"
        why = f"{best} in {training.patience} validations"
        callback(Message(f"early stopping after epoch {epoch} of {training.epochs}: {why}"))
