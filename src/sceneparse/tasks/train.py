"""From a config to a finished run folder."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

import torch
from rich.console import Console

from sceneparse import factory
from sceneparse.checkpoint import RunFolder, read_checkpoint
from sceneparse.config import DataConfig, ModelConfig, RunConfig, SyntheticData
from sceneparse.config.reading import config_differences, resumed_config
from sceneparse.data.cache.reader import Packed
from sceneparse.data.class_statistics import ClassStatistics
from sceneparse.data.dataset import Dataset, PairedFiles, Sample
from sceneparse.data.header_index import checked_sizes
from sceneparse.errors import InputError
from sceneparse.factory.loading import find_weights, predictor_of, segmenter_to_train
from sceneparse.inference.evaluate import Evaluation, EvaluationSums
from sceneparse.inference.predictor import Predictor
from sceneparse.labels import Labels
from sceneparse.models.segmenter import Segmenter
from sceneparse.system.ranks import RankInfo, find_rank_info
from sceneparse.system.stop_signals import StopRequests
from sceneparse.tasks.cache import cache_notes
from sceneparse.tasks.evaluate import score_sums
from sceneparse.tasks.memory import advice_on_memory
from sceneparse.tasks.recorder import Recorder, SilentObserver, shown_samples
from sceneparse.training.auto import resolve
from sceneparse.training.distributed import (
    all_reduce,
    broadcast_from_rank_zero,
    max_over_ranks,
    process_group,
)
from sceneparse.training.environment import environment
from sceneparse.training.loop import fit
from sceneparse.training.setup import TrainSetup, set_up_training
from sceneparse.training.state import TrainState


@dataclass(frozen=True)
class TrainedRun:
    """What `train` leaves.

    Attributes:
        folder: Where the run is.
        finished: Whether it reached its end; if not, it can be resumed.
        best_epoch: Epoch whose weights were kept.
        best_miou: Their validation mIoU.
        resize: How images were sized for it.
        stopped_by: The signal that stopped it, in whichever process; 0 if it is finished.
    """

    folder: RunFolder
    finished: bool
    best_epoch: int
    best_miou: float
    resize: str
    stopped_by: int = 0

    @property
    def exit_code(self) -> int:
        """What a shell says of a program that a signal has ended; 0 if the run is finished."""
        return 0 if self.finished else 128 + self.stopped_by


def train(config: RunConfig, path: Path, console: Console, *, resume: bool = False) -> TrainedRun:
    """Train a network and leave everything about it in a folder.

    Args:
        config: The run; what is `auto` in it is decided here, and stored.
        path: The run folder, which must not hold a run unless this one is resumed.
        console: Where progress is shown.
        resume: Go on from the folder's checkpoint instead of starting.

    Where torchrun or SLURM started this process as one of several, all share each step; the first
    of them writes the folder and shows progress.

    Raises:
        InputError: If data, config or folder are not as they should be.
    """
    rank_info = find_rank_info()
    with process_group(rank_info):
        return _train(config, RunFolder(path), console, rank_info, resume=resume)


def _train(
    config: RunConfig, folder: RunFolder, console: Console, rank_info: RankInfo, *, resume: bool
) -> TrainedRun:
    _check_processes(config, rank_info)
    if resume:
        config = _resumed_config(config, folder)
    elif rank_info.rank == 0:
        folder.check_free()
    training, validation = _opened(config, rank_info, console)
    data_key = _data_key(training, rank_info)
    torch.manual_seed(config.seed)
    segmenter = _at_start(config.model, training.labels, console, resume=resume)
    # One process looks at the masks for all.
    class_statistics = broadcast_from_rank_zero(
        lambda: _class_statistics(config, training, console)
    )
    config = factory.balanced(config, class_statistics)
    # Measured where there is something to measure, so that all decide alike.
    with advice_on_memory():
        settings = broadcast_from_rank_zero(lambda: resolve(config, segmenter, training, rank_info))
    config = settings.stored_in(config)

    def validate(predictor: Predictor) -> Evaluation:
        return _validated(predictor, validation, settings.threads, rank_info)

    with advice_on_memory():
        state, setup = set_up_training(
            config, settings, segmenter, training, validate, rank_info, data_key, class_statistics
        )
    shown = shown_samples(validation, config.report) if rank_info.rank == 0 else []
    # Not before: after a mistake that only then shows, the user starts again in the same folder.
    if not resume and rank_info.rank == 0:
        folder.create()
        folder.write_start(config, training.labels, environment(config.seed))
    if resume:
        state.load_state_dict(read_checkpoint(folder.checkpoint))
    stop = StopRequests()
    if rank_info.rank == 0:
        _announce(setup, state, len(validation), console)
        recorder = Recorder(config, folder, state, setup.predictor, console)
        finished = _recorded(recorder, state, setup, shown, stop)
        if finished:
            recorder.finish(predictor_of(find_weights(folder.path), setup.device))
            _tell_early_end(state, setup, console)
    else:
        finished = _beside(state, setup, stop)
    return TrainedRun(
        folder=folder,
        finished=finished,
        best_epoch=state.best_epoch,
        best_miou=state.best_miou,
        resize=str(setup.predictor),
        stopped_by=0 if finished else max_over_ranks(stop.number),
    )


def _recorded(
    recorder: Recorder,
    state: TrainState,
    setup: TrainSetup,
    shown: list[Sample],
    stop: StopRequests,
) -> bool:
    """Train in the process that writes the folder, and return whether the run is over."""
    with stop, recorder:
        recorder.start(shown, setup.total_steps, setup.loader.steps_per_epoch, stop)
        with advice_on_memory():
            return fit(state, setup, recorder)


def _beside(state: TrainState, setup: TrainSetup, stop: StopRequests) -> bool:
    """Train in another process, and return whether the run is over."""
    # What all have counted is in the checkpoint; the first one goes on from there.
    state.sums.confusion.zero_()
    with stop, advice_on_memory():
        return fit(state, setup, SilentObserver(stop))


def _at_start(config: ModelConfig, labels: Labels, console: Console, *, resume: bool) -> Segmenter:
    """Make the network as it is before its first step, and say what it took of another model."""
    # Of a resumed run everything is in the checkpoint: nothing else is read.
    start = factory.untrained(config) if resume else config
    segmenter, taken = segmenter_to_train(start, labels)
    if taken:
        console.print(f"weights of {start.weights}: {taken}", soft_wrap=True)
    return segmenter


def _class_statistics(
    config: RunConfig, training: Dataset, console: Console
) -> ClassStatistics | None:
    if not factory.needs_class_statistics(config):
        return None
    with console.status("counting the pixels of each class"):
        return factory.class_statistics(config, training)


def _validated(
    predictor: Predictor, dataset: Dataset, threads: int, rank_info: RankInfo
) -> Evaluation:
    """Score on a data set of which each process takes its share."""
    share = range(rank_info.rank, len(dataset), rank_info.world_size)
    own = score_sums(predictor, dataset, share, threads)
    # Confusion is counted in whole numbers: the sum is that of one process, whatever the order.
    all_reduce(torch.from_numpy(own.confusion))
    loss, images = all_reduce(torch.tensor([own.loss, own.images], dtype=torch.float64)).tolist()
    return EvaluationSums(own.confusion, loss, int(images)).evaluation()


def _check_processes(config: RunConfig, rank_info: RankInfo) -> None:
    asked = config.training.processes
    if asked in ("auto", rank_info.world_size):
        return
    if rank_info.was_launched:
        raise InputError(
            f"training.processes: {asked}, but {rank_info.world_size} were started; leave it "
            "out, or start as many"
        )
    raise InputError(
        f"training.processes: {asked}, but this process is alone; start the run by `sceneparse "
        f"train` or `torchrun --nproc-per-node {asked} -m sceneparse train`"
    )


def _opened(config: RunConfig, rank_info: RankInfo, console: Console) -> tuple[Dataset, Dataset]:
    """Open both splits; one process looks at every file of them for all."""
    training = factory.dataset(config.data, "training", to_learn=True)
    validation = factory.dataset(config.data, "validation")
    if rank_info.rank == 0:
        checked(training, config.data)
        checked(validation, config.data)
        for note in cache_notes({"training": training, "validation": validation}):
            console.print(note, soft_wrap=True)
    return training, validation


def checked(dataset: Dataset, config: DataConfig) -> Dataset:
    """Return the data set after looking at the header of every file in it that is new or changed.

    Raises:
        InputError: If an image and its mask differ in size, or a mask is none.
    """
    files = dataset.files if isinstance(dataset, Packed) else dataset
    if isinstance(files, PairedFiles) and not isinstance(config, SyntheticData):
        checked_sizes(files, config.root)
    return dataset


def _resumed_config(config: RunConfig, folder: RunFolder) -> RunConfig:
    stored = folder.read_config()
    differences = config_differences(config, stored)
    if differences:
        raise InputError(
            f"{folder.config}: the run was started with another config "
            f"({'; '.join(differences)}); resume with the same one, or start a new run"
        )
    return resumed_config(config, stored)


def _announce(setup: TrainSetup, state: TrainState, images: int, console: Console) -> None:
    """Say what is going to happen, with everything that was `auto`."""
    settings = setup.settings
    parameters = sum(parameter.numel() for parameter in state.segmenter.parameters())
    parts = f" in {settings.accumulation} parts" if settings.accumulation > 1 else ""
    console.print(
        f"{parameters / 1e6:.2f} M parameters · {len(setup.loader.dataset)} images to train on, "
        f"{images} to validate · {setup.config.training.epochs} epochs in batches of "
        f"{settings.batch_size}{parts} · {settings} · scores of images {setup.predictor}"
        + (f" · from step {state.step}" if state.step else ""),
        soft_wrap=True,
    )
    if settings.times:
        console.print(settings.reasons(), soft_wrap=True)
    if settings.uncompiled:
        console.print(
            f"training.compile: goes on uncompiled: {settings.uncompiled}", soft_wrap=True
        )
    if setup.is_over(state):
        console.print("the run is finished: nothing is left to train")


def _tell_early_end(state: TrainState, setup: TrainSetup, console: Console) -> None:
    training = setup.config.training
    if state.step < setup.total_steps:
        console.print(
            f"ended early, after epoch {state.step // setup.loader.steps_per_epoch} of "
            f"{training.epochs}: no better mIoU than that of epoch {state.best_epoch} in "
            f"{training.patience} validations",
            soft_wrap=True,
        )


def _data_key(dataset: Dataset, rank_info: RankInfo) -> str:
    """Return what tells a data set from others: a digest of its names, classes and reduction.

    Raises:
        InputError: If another process sees other data.
    """
    text = dataset.labels.to_json() + "\n".join(dataset.names)
    if isinstance(dataset, Packed) and dataset.short_side:
        text += f"\n--short-side {dataset.short_side}"
    key = hashlib.sha256(os.fsencode(text)).hexdigest()
    if broadcast_from_rank_zero(lambda: key) != key:
        raise InputError(
            f"process {rank_info.rank} of {rank_info.world_size}: sees other training images or "
            "classes than the first process; give all machines the same data"
        )
    return key
