"""Runs with all augmentations: batches are reproducible, and the network learns."""

from io import StringIO
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from rich.console import Console
from tests.conftest import COLORS, rectangles, write_rectangles

from sceneparse import factory
from sceneparse.augmentation.transform import Transform
from sceneparse.config import RunConfig
from sceneparse.config.reading import parse_config, read_config
from sceneparse.data.loader import Batch, Loader
from sceneparse.errors import InputError
from sceneparse.tasks.cache import cache_data
from sceneparse.tasks.train import train
from sceneparse.training.auto import resolve
from sceneparse.training.setup import set_up_training

EVERYTHING = (
    "transform={size: 32, scale: [0.7, 1.5], short_side: 36, aspect: 1.2, class_share: 0.8, "
    "rotation: 10, flip: 0.5, brightness: 0.1, contrast: 0.1, saturation: 0.1, hue: 0.02, "
    "color_probability: 0.5, grey: 0.05, blur: 0.2, noise: 0.2, jpeg: 0.2, "
    "cutmix: 0.2, classmix: 0.2, copy_paste: 0.2, rare_below: 0.25}",
    "sampling={kind: class_balanced, threshold: 0.99}",
)
QUIET = Console(file=StringIO())


def loader_of(config: RunConfig, rank: int = 0, processes: int = 1, threads: int = 2) -> Loader:
    """Make the loader of a run whose processes share batches of 12."""
    training = factory.dataset(config.data, "training", to_learn=True)
    class_statistics = factory.class_statistics(config, training)
    factors = factory.sampling(config.sampling, class_statistics)
    mixing = factory.mixing(config.transform, training, factors, class_statistics)
    device = torch.device("cpu")
    transform = factory.transform(config.transform, 3, device, training.labels, mixing=mixing)
    return Loader(training, transform, 3, 12 // processes, threads, rank, processes, factors)


def config_of(root: Path) -> RunConfig:
    return parse_config(f"data: {{kind: folder, root: {root}}}", "test", EVERYTHING)


def concatenated(parts: list[Batch]) -> Batch:
    return Batch(
        image=np.concatenate([batch.image for batch in parts]),
        mask=np.concatenate([batch.mask for batch in parts]),
        color_jitter=np.concatenate([batch.color_jitter for batch in parts]),
        names=tuple(name for batch in parts for name in batch.names),
    )


def assert_same(first: list[Batch], second: list[Batch]) -> None:
    assert len(first) == len(second)
    for one, other in zip(first, second, strict=True):
        assert one.names == other.names
        for mine, theirs in zip(one[:3], other[:3], strict=True):
            np.testing.assert_array_equal(mine, theirs)


@pytest.fixture(scope="module")
def uneven_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Coloured rectangles, of which only every fourth image has blue ones."""
    root = tmp_path_factory.mktemp("uneven")
    write_rectangles(root, {"training": 24, "validation": 2})
    for index in range(24):
        if index % 4:
            image, ids = rectangles(index)
            image[ids == 3] = COLORS[0]
            ids[ids == 3] = 0
            Image.fromarray(image).save(root / "images" / "training" / f"{index:03d}.png")
            Image.fromarray(ids).save(root / "masks" / "training" / f"{index:03d}.png")
    return root


@pytest.fixture(scope="module")
def whole(uneven_root: Path) -> list[Batch]:
    """The first nine batches of the run, which cover more than four epochs."""
    return list(loader_of(config_of(uneven_root)).batches(0, 9))


def test_all_augmentations_are_applied(uneven_root: Path, whole: list[Batch]) -> None:
    loader = loader_of(config_of(uneven_root))
    assert isinstance(loader.transform, Transform)
    assert loader.factors is not None
    assert loader.factors.max() == pytest.approx((0.99 / 0.25) ** 0.5)
    draws = [draw for step in range(9) for draw in loader.indices(step)]
    changes = [loader.transform.draw_parameters(*draw) for draw in draws]
    kinds = {type(change.mix.region).__name__ for change in changes if change.mix}
    assert kinds == {"PasteRectangle", "PasteHalfOfClasses", "PasteRareClasses"}
    assert any(change.degradation.quality for change in changes)
    masks = np.concatenate([batch.mask for batch in whole])
    assert np.unique(masks).tolist() == [0, 1, 2, 3, 255]
    # Sampling draws some images twice in an epoch, and others not at all.
    names = [name for batch in whole[:2] for name in batch.names]
    assert len(set(names)) < len(names) == 24


@pytest.mark.parametrize("threads", [1, 7])
def test_batches_do_not_depend_on_threads(
    threads: int, uneven_root: Path, whole: list[Batch]
) -> None:
    loader = loader_of(config_of(uneven_root), threads=threads)
    assert_same(list(loader.batches(0, 9)), whole)


@pytest.mark.parametrize("processes", [2, 3, 4])
def test_batches_do_not_depend_on_processes(
    processes: int, uneven_root: Path, whole: list[Batch]
) -> None:
    parts = [
        list(loader_of(config_of(uneven_root), rank, processes).batches(0, 9))
        for rank in range(processes)
    ]
    assert_same([concatenated(list(step)) for step in zip(*parts, strict=True)], whole)


@pytest.mark.parametrize("step", [1, 4, 7])
def test_a_loader_resumes_at_any_step(step: int, uneven_root: Path, whole: list[Batch]) -> None:
    assert_same(list(loader_of(config_of(uneven_root)).batches(step, 9)), whole[step:])


def test_batches_do_not_depend_on_a_cache(tmp_path: Path) -> None:
    write_rectangles(tmp_path / "data", {"training": 12, "validation": 2})
    config = config_of(tmp_path / "data")
    before = list(loader_of(config).batches(0, 3))
    cache_data(tmp_path / "data")
    assert_same(list(loader_of(config).batches(0, 3)), before)


def test_a_run_builds_the_loader_of_its_config(uneven_root: Path, whole: list[Batch]) -> None:
    config = parse_config(
        f"data: {{kind: folder, root: {uneven_root}}}\nseed: 3\nmodel: {{width: 2}}\n"
        "training: {batch_size: 12, device: cpu, precision: fp32, memory_format: contiguous}",
        "test",
        EVERYTHING,
    )
    training = factory.dataset(config.data, "training")
    segmenter = config.model.build(training.labels.num_classes)
    settings = resolve(config, segmenter, training)
    class_statistics = factory.class_statistics(config, training)
    _, setup = set_up_training(
        config,
        settings,
        segmenter,
        training,
        lambda _: pytest.fail("unexpected validation"),
        class_statistics=class_statistics,
    )
    assert_same(list(setup.loader.batches(0, 2)), whole[:2])


@pytest.mark.slow
def test_rectangles_are_learned_with_all_augmentations(
    rectangles_config: Path, tmp_path: Path
) -> None:
    rest = ("training.epochs=12", "training.validate_every=50", "report.every=50")
    config = read_config(rectangles_config, [*EVERYTHING, *rest, "schedule.kind=one_cycle"])
    assert train(config, out=tmp_path / "run").best_miou > 0.9


def test_a_resumed_run_needs_the_same_sampling(rectangles_config: Path, tmp_path: Path) -> None:
    config = read_config(rectangles_config, [*EVERYTHING, "training.epochs=1"])
    train(config, out=tmp_path / "run")
    other = read_config(rectangles_config, [EVERYTHING[0], "training.epochs=1"])
    with pytest.raises(InputError, match=r"sampling\.kind: uniform instead of class_balanced"):
        train(other, out=tmp_path / "run", resume=True)


def test_copy_paste_without_rare_classes_is_refused(
    rectangles_config: Path, tmp_path: Path
) -> None:
    config = read_config(
        rectangles_config, ["transform.copy_paste=0.5", "transform.rare_below=0.01"]
    )
    with pytest.raises(InputError, match=r"no class of the training images holds less than 1"):
        train(config, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()
