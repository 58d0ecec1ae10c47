"""Tests of the schedule of image sizes over the epochs."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
import torch

from sceneparse import factory
from sceneparse.augmentation.progressive_resizing import SizeSchedule
from sceneparse.config.reading import parse_config
from sceneparse.data.loader import Loader
from sceneparse.errors import InputError


@pytest.mark.parametrize("epochs", [1, 2, 3, 10, 37])
@pytest.mark.parametrize(("first", "last"), [(128, 256), (96, 300), (64, 64), (100, 110)])
def test_the_side_grows_linearly(first: int, last: int, epochs: int) -> None:
    sides = [SizeSchedule(first, last, epochs).size_at(epoch) for epoch in range(epochs + 3)]
    assert sides == sorted(sides)
    assert set(sides[epochs - 1 :]) == {last}
    assert SizeSchedule(first, last, epochs).sizes == sorted(set(sides[:epochs]))
    if epochs > 1:
        assert sides[0] == first or last - first < 32
    for epoch, side in enumerate(sides[: epochs - 1]):
        line = first + (last - first) * epoch / (epochs - 1)
        assert line - 64 < side <= line or side == last
        assert (side - first) % 32 == 0 or side == last
    if epochs == 37:
        assert all(side - before <= 32 for before, side in pairwise(sides[:36]))


def test_batches_of_an_epoch_have_its_size_and_resume_exactly(rectangles_root: Path) -> None:
    text = f"""
data: {{kind: folder, root: {rectangles_root}}}
transform: {{size: 96, progressive_resizing: {{start_size: 32, share: 0.75}}, crop: 0.5, flip: 0.5}}
training: {{epochs: 4}}
"""
    config = parse_config(text, "test")
    schedule = config.transform.size_schedule(config.training.epochs)
    assert schedule == SizeSchedule(32, 96, 3)
    training = factory.dataset(config.data, "training")
    transform = factory.transform(config.transform, 0, torch.device("cpu"), training.labels)
    plain = Loader(training, transform, 0, 8, 2)
    loader = replace(plain, transform=replace(transform, size_schedule=schedule))
    assert loader.steps_per_epoch == plain.steps_per_epoch == 3
    whole = list(loader.batches(0, 12))
    sides = [batch.image.shape[1:3] for batch in whole]
    assert sides == [(side, side) for side in (32, 64, 96, 96) for _ in range(3)]
    assert all(batch.mask.shape == batch.image.shape[:3] for batch in whole)
    for first in (2, 3, 7):
        for batch, expected in zip(loader.batches(first, 12), whole[first:], strict=True):
            assert (batch.image == expected.image).all()
            assert (batch.mask == expected.mask).all()
    # At full size, the batches equal those without progressive resizing.
    for batch, expected in zip(plain.batches(6, 12), whole[6:], strict=True):
        assert (batch.image == expected.image).all()


def test_images_do_not_shrink() -> None:
    with pytest.raises(InputError, match="start_size 128 is above size 64"):
        parse_config("transform: {size: 64, progressive_resizing: {start_size: 128}}", "test")
    with pytest.raises(InputError, match="size 66 is no multiple of mask_stride 4"):
        parse_config("transform: {size: 66, mask_stride: 4}", "test")
    config = parse_config("transform: {size: 64}", "test")
    assert config.transform.size_schedule(10) is None
