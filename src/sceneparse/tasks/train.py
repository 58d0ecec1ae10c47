"""From a config to a finished run folder."""

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

import torch

from sceneparse import factory
from sceneparse.artifacts.checkpoint import read_checkpoint
from sceneparse.artifacts.run_folder import RunFolder
from sceneparse.config import ReportSettings, RunConfig
from sceneparse.config.reading import resolve_config
from sceneparse.config.resuming import config_differences, resumed_config
from sceneparse.data.cache.reader import CachedDataset
from sceneparse.data.class_statistics import ClassStatistics
from sceneparse.data.dataset import Dataset, PairedFiles, Sample
from sceneparse.data.datasets.synthetic import SyntheticData
from sceneparse.data.header_index import check_image_sizes
from sceneparse.data.settings import DataSettings
from sceneparse.errors import InputError
from sceneparse.factory.loading import find_weights, predictor_of, segmenter_to_train
from sceneparse.inference.evaluate import Evaluation, EvaluationSums
from sceneparse.inference.predictor import Predictor
from sceneparse.labels import Labels
from sceneparse.models.segmenter import Segmenter
from sceneparse.models.settings import ModelSettings
from sceneparse.system.ranks import RankInfo, find_rank_info
from sceneparse.system.stop_signals import StopRequests
from sceneparse.tasks.assembly import assemble
from sceneparse.tasks.cache import cache_notes
from sceneparse.tasks.evaluate import count_images
from sceneparse.tasks.events import Callback, Message, activity, ignore
from sceneparse.tasks.memory import advice_on_memory
from sceneparse.tasks.recorder import Recorder, SilentObserver, check_tensorboard
from sceneparse.tasks.run import Run
from sceneparse.tasks.run_drawings import samples_to_draw
from sceneparse.training.auto import Plan, resolve
from sceneparse.training.environment import environment
from sceneparse.training.group import all_reduce, broadcast_from_rank_zero, largest, process_group
from sceneparse.training.loop import Job, fit
from sceneparse.training.state import TrainState


def train(
    config: RunConfig | str | Path,
    *,
    out: str | Path | None = None,
    overrides: Sequence[str] = (),
    resume: bool = False,
    callback: Callback = ignore,
) -> Run:
    """Train a network and leave everything about it in a run folder.

    Where torchrun or SLURM started this process as one of several, all of them share each step;
    rank zero writes the folder and reports.

    Args:
        config: A YAML file, or a config; what is `auto` in it is decided here, and stored.
        out: The run folder. It must not hold a run unless this one is resumed. By default
            `runs/` and the name of the config file.
        overrides: `section.field=value`, laid over the config.
        resume: Go on from the folder's checkpoint instead of starting.
        callback: Called with each event, in rank zero; `print` shows them.

    Raises:
        InputError: If data, config or folder are not as they should be.

    Example:
        >>> run = sceneparse.train("mydata.yaml", overrides=["training.epochs=5"])  # doctest: +SKIP
        >>> run.scores["validation_miou"]  # doctest: +SKIP
        0.61
    """
    settings = resolve_config(config, overrides)
    if out is None:
        out = default_cache_folder(Path("run") if isinstance(config, RunConfig) else Path(config))
    rank_info = find_rank_info()
    with process_group(rank_info):
        return _train(
            settings,
            RunFolder(Path(out)),
            callback if rank_info.rank == 0 else ignore,
            rank_info,
            resume=resume,
        )


def default_cache_folder(config: Path) -> Path:
    """Return the run folder of a config: `runs/mydata`, or `runs/ade20k-lite0` of one in configs/.

    There many files have the same name, in a folder for each data set.
    """
    parts = [*config.parent.parts, config.stem]
    folders = [index for index, part in enumerate(parts[:-1], start=1) if part == "configs"]
    return Path("runs") / "-".join(parts[folders[-1] if folders else -1 :])


def _train(
    config: RunConfig, folder: RunFolder, callback: Callback, place: RankInfo, *, resume: bool
) -> Run:
    _check_processes(config, place)
    if resume:
        config = _resumed_config(config, folder)
    elif place.rank == 0:
        folder.check_free()
    training, validation = _opened(config, place, callback)
    data_key = _data_key(training, place)
    torch.manual_seed(config.seed)
    segmenter = _at_start(config.model, training.labels, callback, resume=resume)
    # One process looks at the masks for all.
    class_statistics = broadcast_from_rank_zero(
        lambda: _class_statistics(config, training, callback)
    )
    config = factory.with_class_weights(config, class_statistics)
    # Measured where there is something to measure, so that all decide alike.
    with advice_on_memory():
        plan = broadcast_from_rank_zero(lambda: resolve(config, segmenter, training, place))
    config = plan.stored_in(config)

    def validate(predictor: Predictor) -> Evaluation:
        return _validated(predictor, validation, plan.threads, place)

    with advice_on_memory():
        state, job, predictor = assemble(
            config, plan, segmenter, training, validate, place, data_key, class_statistics
        )
    samples = _samples(config.report, validation, place)
    if resume:
        state.load_state_dict(read_checkpoint(folder.checkpoint))
    elif place.rank == 0:
        # Not before: after a mistake that only then shows, the user starts in the same folder.
        folder.create()
        folder.write_start(config, training.labels, environment(config.seed))
    stop = StopRequests()
    if place.rank == 0:
        _announce(plan, job, state, len(validation), str(predictor), callback)
        recorder = Recorder(
            config, folder, state, predictor, samples, job.loader.steps_per_epoch, stop, callback
        )
        is_finished = _recorded(recorder, folder, state, job, stop, callback)
    else:
        is_finished = _beside(state, job, stop)
    return Run(
        folder=folder.path,
        is_finished=is_finished,
        best_epoch=state.best_epoch,
        best_miou=state.best_miou,
        resize=str(predictor),
        stopped_by=0 if is_finished else largest(stop.signal_number),
    )


def _samples(config: ReportSettings, validation: Dataset, place: RankInfo) -> list[Sample]:
    """Read what rank zero draws, before there is a folder."""
    if place.rank != 0:
        return []
    check_tensorboard(config)
    return samples_to_draw(validation, config.images)


def _recorded(
    recorder: Recorder,
    folder: RunFolder,
    state: TrainState,
    job: Job,
    stop: StopRequests,
    callback: Callback,
) -> bool:
    """Train in rank zero, and return whether the run is over."""
    with stop, recorder, advice_on_memory():
        is_finished = fit(state, job, recorder)
    if is_finished:
        recorder.finish(predictor_of(find_weights(folder.path), job.fabric.device))
        _report_early_stopping(state, job, callback)
    return is_finished


def _beside(state: TrainState, job: Job, stop: StopRequests) -> bool:
    """Train in another process than rank zero, and return whether the run is over."""
    # The checkpoint holds the counts of all processes; rank zero goes on from them.
    state.sums.confusion.zero_()
    with stop, advice_on_memory():
        return fit(state, job, SilentObserver(stop))


def _at_start(
    config: ModelSettings, labels: Labels, callback: Callback, *, resume: bool
) -> Segmenter:
    """Make the network as it is before its first step, and report what it took of a model."""
    # A resumed run finds everything in its checkpoint: nothing else is read.
    start = config.untrained if resume else config
    segmenter, taken = segmenter_to_train(start, labels)
    if taken:
        callback(Message(f"weights of {start.weights}: {taken}"))
    return segmenter


def _class_statistics(
    config: RunConfig, training: Dataset, callback: Callback
) -> ClassStatistics | None:
    if not factory.needs_class_statistics(config):
        return None
    with activity(callback, "counting the pixels of each class"):
        return factory.class_statistics(config, training)


def _validated(predictor: Predictor, dataset: Dataset, threads: int, place: RankInfo) -> Evaluation:
    """Score on a data set of which each process takes its share."""
    share = range(place.rank, len(dataset), place.world_size)
    own = count_images(predictor, dataset, share, threads)
    # Confusion is counted in whole numbers: the sum is that of one process, whatever the order.
    all_reduce(torch.from_numpy(own.confusion))
    loss, images = all_reduce(torch.tensor([own.loss, own.images], dtype=torch.float64)).tolist()
    return EvaluationSums(own.confusion, loss, int(images)).evaluation()


def _check_processes(config: RunConfig, place: RankInfo) -> None:
    asked = config.training.processes
    if asked in ("auto", place.world_size):
        return
    if place.was_launched:
        raise InputError(
            f"training.processes: {asked}, but {place.world_size} were started; leave it out, or "
            "start as many"
        )
    raise InputError(
        f"training.processes: {asked}, but this process is alone; start the run by `sceneparse "
        f"train` or `torchrun --nproc-per-node {asked} -m sceneparse train`"
    )


def _opened(config: RunConfig, place: RankInfo, callback: Callback) -> tuple[Dataset, Dataset]:
    """Open both splits; one process looks at every file of them for all."""
    training = factory.dataset(config.data, "training", to_learn=True)
    validation = factory.dataset(config.data, "validation")
    if place.rank == 0:
        checked(training, config.data)
        checked(validation, config.data)
        for note in cache_notes({"training": training, "validation": validation}):
            callback(Message(note))
    return training, validation


def checked(dataset: Dataset, config: DataSettings) -> Dataset:
    """Return the data set after looking at the header of every file in it that is new or changed.

    Raises:
        InputError: If an image and its mask differ in size, or a mask is none.
    """
    files = dataset.files if isinstance(dataset, CachedDataset) else dataset
    if isinstance(files, PairedFiles) and not isinstance(config, SyntheticData):
        check_image_sizes(files, config.root)
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


def _announce(
    plan: Plan, job: Job, state: TrainState, images: int, scored: str, callback: Callback
) -> None:
    """Report what is going to happen, with everything that was `auto`."""
    parameters = sum(parameter.numel() for parameter in state.segmenter.parameters())
    parts = f" in {plan.accumulation} parts" if plan.accumulation > 1 else ""
    callback(
        Message(
            f"{parameters / 1e6:.2f} M parameters · {len(job.loader.dataset)} images to train on, "
            f"{images} to validate · {job.epochs} epochs in batches of {plan.batch_size}{parts} · "
            f"{plan} · scores of images {scored}"
            + (f" · from step {state.step}" if state.step else "")
        )
    )
    if plan.times:
        callback(Message(plan.reasons()))
    if plan.uncompiled:
        callback(Message(f"training.compile: goes on uncompiled: {plan.uncompiled}"))
    if job.is_over(state):
        callback(Message("the run is finished: nothing is left to train"))


def _report_early_stopping(state: TrainState, job: Job, callback: Callback) -> None:
    if state.step < job.total_steps:
        epoch = state.step // job.loader.steps_per_epoch
        callback(
            Message(
                f"early stopping after epoch {epoch} of {job.epochs}: no better mIoU than that of "
                f"epoch {state.best_epoch} in {job.patience} validations"
            )
        )


def _data_key(dataset: Dataset, place: RankInfo) -> str:
    """Return what tells a data set from others: a digest of its names, classes and reduction.

    Raises:
        InputError: If another process sees other data.
    """
    text = dataset.labels.to_json() + "\n".join(dataset.names)
    if isinstance(dataset, CachedDataset) and dataset.short_side:
        text += f"\nshort_side {dataset.short_side}"
    key = hashlib.sha256(os.fsencode(text)).hexdigest()
    if broadcast_from_rank_zero(lambda: key) != key:
        raise InputError(
            f"process {place.rank} of {place.world_size}: sees other training images or classes "
            "than the first process; give all machines the same data"
        )
    return key
