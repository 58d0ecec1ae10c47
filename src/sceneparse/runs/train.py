"""From a config to a finished run folder."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import assert_never

import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins import MixedPrecision
from rich.console import Console

from sceneparse import build
from sceneparse.checkpoint import RunFolder, read_checkpoint
from sceneparse.config import RunConfig
from sceneparse.config.reading import config_differences, resumed_config
from sceneparse.data.dataset import Dataset, PairedFiles
from sceneparse.data.loader import Loader, prefetched
from sceneparse.errors import InputError
from sceneparse.loading import find_weights, predictor_of
from sceneparse.runs.evaluate import score
from sceneparse.runs.memory import advice_on_memory
from sceneparse.runs.recorder import Recorder
from sceneparse.runs.stopping import StopRequests
from sceneparse.training.auto import Plan, resolve
from sceneparse.training.environment import environment
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

    Raises:
        InputError: If data, config or folder are not as they should be.
    """
    folder = RunFolder(path)
    if resume:
        config = _resumed_config(config, folder)
    else:
        folder.check_free()
    training = checked(build.dataset(config.data, "training"))
    validation = checked(build.dataset(config.data, "validation"))
    torch.manual_seed(config.seed)
    segmenter = build.segmenter(config.model, training.labels.num_classes)
    plan = resolve(config, segmenter, training)
    config = plan.stored_in(config)
    if not resume:
        folder.create()
        folder.write_start(config, training.labels, environment(config.seed))
    precision = precision_plugin(plan)
    fabric = Fabric(
        accelerator=plan.device.type, devices=1, plugins=[precision] if precision else None
    )
    segmenter = build.on_device(segmenter, fabric.device)
    loader = Loader(
        dataset=training,
        transform=build.transform(config.transform, config.seed, fabric.device),
        seed=config.seed,
        batch_size=plan.batch_size,
        threads=plan.threads,
        rank=fabric.global_rank,
        processes=fabric.world_size,
    )
    total_steps = config.training.epochs * loader.steps_per_epoch
    state = TrainState(
        segmenter=segmenter,
        optimizer=build.optimizer(config.optimizer, segmenter),
        schedule=build.schedule(config.schedule, total_steps),
        precision=precision,
        sums=EpochSums.zeros(training.labels.num_classes, fabric.device),
        data_key=_data_key(training),
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
        validate=lambda: score(predictor, validation, plan.threads),
        epochs=config.training.epochs,
        validate_every=config.training.validate_every,
        clip_norm=config.training.clip_norm,
    )
    if resume:
        state.load_state_dict(read_checkpoint(folder.checkpoint))
    _announce(config, state, (len(training), len(validation)), console)
    with StopRequests() as stop, Recorder(config, folder, state, predictor, console) as recorder:
        recorder.start(validation, job.total_steps, loader.steps_per_epoch, stop)
        with advice_on_memory():
            finished = fit(state, job, recorder)
    if finished:
        recorder.finish(predictor_of(find_weights(folder.path), fabric.device))
    return TrainedRun(folder, finished, state.best_epoch, state.best_miou, str(predictor.resize))


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
        + (f" · from step {state.step}" if state.step else ""),
        soft_wrap=True,
    )


def _data_key(dataset: Dataset) -> str:
    """Return what tells a data set from others: a digest of its names and classes."""
    text = dataset.labels.to_json() + "\n".join(dataset.names)
    return hashlib.sha256(os.fsencode(text)).hexdigest()


def precision_plugin(plan: Plan) -> MixedPrecision | None:
    """Make what computes in a precision; none for full precision."""
    match plan.precision:
        case "bf16":
            return MixedPrecision("bf16-mixed", plan.device.type)
        case "fp16":
            return MixedPrecision("16-mixed", plan.device.type)
        case "fp32":
            return None
        case _:
            assert_never(plan.precision)
