"""The data of a run and its validation, in all of its processes."""

import hashlib
import os

import torch

from sceneparse import factory
from sceneparse.config import RunConfig
from sceneparse.data.cache.reader import CachedDataset
from sceneparse.data.dataset import Dataset
from sceneparse.errors import InputError
from sceneparse.inference.evaluation import Evaluation, EvaluationSums, evaluation_sums
from sceneparse.inference.predictor import Predictor
from sceneparse.recording.events import Callback, Message
from sceneparse.system.ranks import RankInfo
from sceneparse.tasks.cache import cache_notes
from sceneparse.tasks.check import check_files
from sceneparse.training.distributed import all_reduce, broadcast_from_rank_zero


def open_splits(
    config: RunConfig, rank_info: RankInfo, callback: Callback
) -> tuple[Dataset, Dataset]:
    """Open both splits; rank zero checks their files for all processes."""
    training = factory.dataset(config.data, "training", to_learn=True)
    validation = factory.dataset(config.data, "validation")
    if rank_info.rank == 0:
        check_files({"training": training, "validation": validation}, config.data, callback)
        for note in cache_notes({"training": training, "validation": validation}):
            callback(Message(note))
    return training, validation


def data_key_of(dataset: Dataset, rank_info: RankInfo) -> str:
    """Return a digest of the names, classes and cached size of a data set, which identifies it.

    Raises:
        InputError: If the data set of rank zero differs.
    """
    text = dataset.labels.to_json() + "\n".join(dataset.names)
    if isinstance(dataset, CachedDataset) and dataset.short_side:
        text += f"\nshort_side {dataset.short_side}"
    key = hashlib.sha256(os.fsencode(text)).hexdigest()
    if broadcast_from_rank_zero(lambda: key) != key:
        raise InputError(
            f"process {rank_info.rank} of {rank_info.world_size}: its training images or classes "
            "differ from those of process 0; give all machines the same data"
        )
    return key


def validate_over_ranks(
    predictor: Predictor, dataset: Dataset, threads: int, rank_info: RankInfo
) -> Evaluation:
    """Score a predictor; each process evaluates its share of the data set."""
    share = range(rank_info.rank, len(dataset), rank_info.world_size)
    own = evaluation_sums(predictor, dataset, share, threads)
    # Integers, so the scores do not depend on the number of processes; the loss may, by rounding.
    confusion = all_reduce(torch.from_numpy(own.confusion)).numpy()
    loss, images = all_reduce(torch.tensor([own.loss, own.images], dtype=torch.float64)).tolist()
    return EvaluationSums(confusion, loss, int(images), own.per_image).evaluation()
