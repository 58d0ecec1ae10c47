"""What is measured on the way from files to batches."""

import io
import itertools
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from rich.console import Console
from tests.conftest import write_rectangles

from sceneparse import build
from sceneparse.config import RunConfig
from sceneparse.config.reading import parse_config
from sceneparse.data.loader import Loader
from sceneparse.errors import InputError
from sceneparse.runs.bench_data import bench_data, thread_counts
from sceneparse.runs.data_figures import Stage
from sceneparse.runs.data_stages import Stages

AFTER_FETCHING = [Stage.RESAMPLE, Stage.COLORS, Stage.STACK]
RUN = """
model: {kind: unet, width: 2}
transform: {size: 32, crop: 0.5, flip: 0.5, brightness: 0.3}
training: {batch_size: 4, precision: fp32, device: cpu, threads: 3}
"""


def config_of(data: str) -> RunConfig:
    return parse_config(f"data: {{{data}}}{RUN}", "test")


def test_every_figure_is_positive_and_shares_add_up(rectangles_root: Path) -> None:
    config = config_of(f"kind: folder, root: {rectangles_root}")
    made = bench_data(config, 9, Console(file=io.StringIO()))
    stages = made.stages
    assert list(stages.seconds) == [Stage.READ, Stage.IMAGE, Stage.MASK, *AFTER_FETCHING]
    assert min(stages.seconds.values()) > 0
    assert sum(stages.share(stage) for stage in stages.seconds) == pytest.approx(1)
    assert stages.pictures == 9
    assert stages.source_size == (48, 64)
    assert {1, 3} <= set(made.loader)
    assert min(*made.loader.values(), made.step, made.training) > 0
    assert 0 <= made.waiting < 1
    assert (made.run.batch_size, made.run.threads, made.run.device) == (4, 3, "cpu")
    assert made.run.needed_side == 64
    assert made.run.remedy == f"sceneparse data cache {rectangles_root}"


def test_scenes_are_drawn_where_files_are_read() -> None:
    config = config_of("kind: synthetic, training_images: 3, height: 32, width: 40, seed: 5")
    made = bench_data(config, 2, Console(file=io.StringIO()))
    assert list(made.stages.seconds) == [Stage.DRAW, *AFTER_FETCHING]
    assert not made.run.from_files
    assert made.run.remedy == (
        "sceneparse data synth FOLDER --images 3 --validation 50 --width 40 --height 32 --seed 5"
    )


def test_stages_make_what_the_loader_makes(tmp_path: Path) -> None:
    write_rectangles(tmp_path / "data", {"training": 6, "validation": 1}, (300, 400))
    for path in sorted((tmp_path / "data" / "images" / "training").iterdir()):
        # A JPEG of this size is decoded at a smaller scale.
        Image.open(path).save(path.with_suffix(".jpg"))
        path.unlink()
    config = config_of(f"kind: folder, root: {tmp_path / 'data'}")
    training = build.dataset(config.data, "training")
    mixing = build.mixing(config.transform, training, None, None)
    device = torch.device("cpu")
    transform = build.transform(config.transform, 1, device, training.labels, mixing)
    loader = Loader(training, transform, 1, 3, 2)
    stages = Stages(loader, transform)
    places = itertools.chain(loader.indices(0), loader.indices(1))
    mine = [stages.take(*place) for place in places]
    theirs = [
        (batch.names[place], batch.image[place], batch.mask[place])
        for batch in loader.batches(0, 2)
        for place in range(3)
    ]
    for sample, (name, image, mask) in zip(mine, theirs, strict=True):
        assert sample.name == name
        np.testing.assert_array_equal(sample.image, image)
        np.testing.assert_array_equal(sample.mask, mask)


def test_colours_that_the_device_changes_are_no_stage(rectangles_root: Path) -> None:
    config = config_of(f"kind: folder, root: {rectangles_root}")
    training = build.dataset(config.data, "training")
    device = torch.device("cuda")
    transform = build.transform(config.transform, 1, device, training.labels)
    stages = Stages(Loader(training, transform, 1, 4, 2), transform)
    stages.take(0, 0)
    assert Stage.COLORS not in stages.figures().seconds


def test_a_broken_picture_is_named(tmp_path: Path) -> None:
    write_rectangles(tmp_path, {"training": 1, "validation": 1})
    path = tmp_path / "images" / "training" / "000.png"
    path.write_bytes(path.read_bytes()[:200])
    config = config_of(f"kind: folder, root: {tmp_path}")
    with pytest.raises(InputError, match=r"000\.png: broken or truncated"):
        bench_data(config, 4, Console(file=io.StringIO()))


def test_data_that_are_not_there_are_refused(tmp_path: Path) -> None:
    config = config_of(f"kind: folder, root: {tmp_path / 'nowhere'}")
    with pytest.raises(InputError, match="nowhere: no such folder"):
        bench_data(config, 4, Console(file=io.StringIO()))


@pytest.mark.parametrize(
    ("mine", "cores", "counts"),
    [(2, 1, [1, 2]), (2, 4, [1, 2, 4]), (3, 6, [1, 2, 3, 4, 6]), (8, 2, [1, 2, 8])],
)
def test_threads_are_tried_up_to_the_cores(mine: int, cores: int, counts: list[int]) -> None:
    assert thread_counts(mine, cores) == counts


def test_stages_make_what_the_loader_makes_of_two_pictures_and_of_artefacts(
    rectangles_root: Path,
) -> None:
    config = parse_config(
        f"data: {{kind: folder, root: {rectangles_root}}}\n"
        "transform: {size: 32, scale: [0.5, 2], rotation: 9, cutmix: 0.8, noise: 0.8, hue: 0.1}",
        "test",
    )
    training = build.dataset(config.data, "training")
    mixing = build.mixing(config.transform, training, None, None)
    device = torch.device("cpu")
    transform = build.transform(config.transform, 1, device, training.labels, mixing)
    loader = Loader(training, transform, 1, 8, 2)
    stages = Stages(loader, transform)
    mine = [stages.take(*place) for place in loader.indices(0)]
    (batch,) = loader.batches(0, 1)
    np.testing.assert_array_equal([sample.image for sample in mine], batch.image)
    np.testing.assert_array_equal([sample.mask for sample in mine], batch.mask)
    assert stages.figures().seconds[Stage.ARTEFACTS] > 0
