"""From a config to a finished run folder."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import assert_never

import torch
from lightning_fabric.plugins import MixedPrecision
from rich.console import Console

from sceneparse import build
from sceneparse.checkpoint import RunFolder, read_checkpoint
from sceneparse.config import RunConfig
from sceneparse.config.reading import config_differences, resumed_config
from sceneparse.data.dataset import Dataset, PairedFiles
from sceneparse.data.loader import Loader, prefetched
from sceneparse.errors import InputError
from sceneparse.inference.evaluate import Evaluation, EvaluationSums
from sceneparse.inference.predictor import Predictor
from sceneparse.loading import find_weights, predictor_of
from sceneparse.models.normalization import synchronise_
from sceneparse.processes import Place, find_place
from sceneparse.runs.evaluate import score_sums
from sceneparse.runs.memory import advice_on_memory
from sceneparse.runs.recorder import Bystander, Recorder
from sceneparse.runs.stopping import StopRequests
from sceneparse.training.auto import Plan, resolve
from sceneparse.training.environment import environment
from sceneparse.training.group import fabric_of, from_first, joined, summed
from sceneparse.training.loop import Job, fit
from sceneparse.training.state import EpochSums, TrainState


@dataclass(frozen=True)
class TrainedRun:
    """What `train` leaves.

    Attributes:
        folder: Where the run is.
        finished: Whether it reached its end; if not, it can be resumed.
        best_epoch: Epoch whose weights were kept.
        best_miou: Their validation mIoU.
        resize: How pictures were sized for it.
    """

    folder: RunFolder
    finished: bool
    best_epoch: int
    best_miou: float
    resize: str


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
    place = find_place()
    with joined(place):
        return _train(config, RunFolder(path), console, place, resume=resume)


def _train(
    config: RunConfig, folder: RunFolder, console: Console, place: Place, *, resume: bool
) -> TrainedRun:
    _check_processes(config, place)
    if resume:
        config = _resumed_config(config, folder)
    elif place.rank == 0:
        folder.check_free()
    training, validation = (_opened(config, split, place) for split in ("training", "validation"))
    data_key = _data_key(training, place)
    torch.manual_seed(config.seed)
    segmenter = build.segmenter(config.model, training.labels.num_classes)
    # Measured where there is something to measure, so that all decide alike.
    plan = from_first(lambda: resolve(config, segmenter, training, place))
    config = plan.stored_in(config)
    if not resume and place.rank == 0:
        folder.create()
        folder.write_start(config, training.labels, environment(config.seed))
    precision = _precision_plugin(plan)
    fabric = fabric_of(place, plan.device, precision)
    if place.processes > 1 and config.training.sync_batch_norm:
        synchronise_(segmenter, fabric.device)
    segmenter = build.on_device(segmenter, fabric.device)
    loader = Loader(
        dataset=training,
        transform=build.transform(config.transform, config.seed),
        seed=config.seed,
        batch_size=plan.batch_size // place.processes,
        threads=plan.threads,
        rank=place.rank,
        processes=place.processes,
    )
    total_steps = config.training.epochs * loader.steps_per_epoch
    state = TrainState(
        segmenter=segmenter,
        optimizer=build.optimizer(config.optimizer, segmenter),
        schedule=build.schedule(config.schedule, total_steps),
        precision=precision,
        sums=EpochSums.zeros(training.labels.num_classes, fabric.device),
        data_key=data_key,
    )
    predictor = build.predictor(
        segmenter, training.labels, config.inference, plan.precision, fabric.device
    )
    model, optimizer = fabric.setup(segmenter, state.optimizer)
    job = Job(
        fabric=fabric,
        model=model,
        optimizer=optimizer,
        loss=build.loss(config.loss, training.labels),
        loader=loader,
        ignore_index=training.labels.ignore_index,
        validate=lambda: _validated(predictor, validation, plan.threads, place),
        epochs=config.training.epochs,
        validate_every=config.training.validate_every,
        clip_norm=config.training.clip_norm,
        seed=config.seed,
    )
    if resume:
        state.load_state_dict(read_checkpoint(folder.checkpoint))
    if place.rank == 0:
        _announce(config, state, (len(training), len(validation)), console)
        recorder = Recorder(config, folder, state, predictor, console)
        with StopRequests() as stop, recorder:
            recorder.start(validation, job.total_steps, loader.steps_per_epoch, stop)
            with advice_on_memory():
                finished = fit(state, job, recorder)
        if finished:
            recorder.finish(predictor_of(find_weights(folder.path), fabric.device))
    else:
        # What all have counted is in the checkpoint; the first one goes on from there.
        state.sums.confusion.zero_()
        with StopRequests() as stop, advice_on_memory():
            finished = fit(state, job, Bystander(stop))
    return TrainedRun(folder, finished, state.best_epoch, state.best_miou, str(predictor.resize))


def _validated(predictor: Predictor, dataset: Dataset, threads: int, place: Place) -> Evaluation:
    """Score on a data set of which each process takes its share."""
    share = range(place.rank, len(dataset), place.processes)
    own = score_sums(predictor, dataset, share, threads)
    # Confusion is counted in whole numbers: the sum is that of one process, whatever the order.
    summed(torch.from_numpy(own.confusion))
    loss, pictures = summed(torch.tensor([own.loss, own.pictures], dtype=torch.float64)).tolist()
    return EvaluationSums(own.confusion, loss, int(pictures)).evaluation()


def _check_processes(config: RunConfig, place: Place) -> None:
    asked = config.training.processes
    if asked in ("auto", place.processes):
        return
    if place.was_started:
        raise InputError(
            f"training.processes: {asked}, but {place.processes} were started; leave it out, or "
            "start as many"
        )
    raise InputError(
        f"training.processes: {asked}, but this process is alone; start the run by `sceneparse "
        f"train` or `torchrun --nproc-per-node {asked} -m sceneparse train`"
    )


def _opened(config: RunConfig, split: str, place: Place) -> Dataset:
    """Open a split; one process looks at every file of it for all."""
    dataset = build.dataset(config.data, split)
    return checked(dataset) if place.rank == 0 else dataset


def checked(dataset: Dataset) -> Dataset:
    """Return the data set after looking at the header of every file in it.

    Raises:
        InputError: If a picture and its mask differ in size, or a mask is none.
    """
    if isinstance(dataset, PairedFiles):
        for _ in prefetched(dataset.check_headers, range(len(dataset)), threads=4, ahead=64):
            pass
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
    config: RunConfig, state: TrainState, pictures: tuple[int, int], console: Console
) -> None:
    """Say what is going to happen, with everything that was `auto`."""
    plan = config.training
    parameters = sum(parameter.numel() for parameter in state.segmenter.parameters())
    console.print(
        f"{parameters / 1e6:.2f} M parameters · {pictures[0]} pictures to train on, "
        f"{pictures[1]} to validate · {plan.epochs} epochs in batches of {plan.batch_size} · "
        f"{plan.device}, {plan.precision} · scores of pictures {build.resize(config.inference)}"
        + (f" · {plan.processes} processes" if plan.processes != 1 else "")
        + (f" · from step {state.step}" if state.step else ""),
        soft_wrap=True,
    )


def _data_key(dataset: Dataset, place: Place) -> str:
    """Return what tells a data set from others: a digest of its names and classes.

    Raises:
        InputError: If another process sees other data.
    """
    text = dataset.labels.to_json() + "\n".join(dataset.names)
    key = hashlib.sha256(os.fsencode(text)).hexdigest()
    if from_first(lambda: key) != key:
        raise InputError(
            f"process {place.rank} of {place.processes}: sees other training pictures or classes "
            "than the first process; give all machines the same data"
        )
    return key


def _precision_plugin(plan: Plan) -> MixedPrecision | None:
    match plan.precision:
        case "bf16":
            return MixedPrecision("bf16-mixed", plan.device.type)
        case "fp16":
            return MixedPrecision("16-mixed", plan.device.type)
        case "fp32":
            return None
        case _:
            assert_never(plan.precision)
