"""Tests of the loader: equal batches for any number of threads, processes and restarts."""

import threading
import time
from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from sceneparse.augmentation.settings import TransformSettings
from sceneparse.augmentation.transform import Transform
from sceneparse.data.dataset import Sample
from sceneparse.data.loader import Batch, Loader, prefetch
from sceneparse.errors import InputError
from sceneparse.labels import Labels
from sceneparse.labels.label_files import distinct_colors

VOID = 255
AUGMENTATION = TransformSettings(crop=0.5, flip=0.5, brightness=0.2)


class NumberedSamples:
    """A data set of distinct samples, one of which may be broken."""

    def __init__(self, count: int, broken: int | None = None) -> None:
        self.count = count
        self.broken = broken

    @property
    def labels(self) -> Labels:
        return Labels(("a", "b"), distinct_colors(2), (0, 1))

    @property
    def names(self) -> list[str]:
        return [str(index) for index in range(self.count)]

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Sample:
        if index == self.broken:
            raise InputError(f"{index}.png: broken")
        random = np.random.default_rng(index)
        image: NDArray[np.uint8] = random.integers(0, 256, (12, 10, 3), np.uint8)
        return Sample(image, random.integers(0, 2, (12, 10), np.uint8), str(index))

    def read_reduced(self, index: int, height: int, width: int) -> Sample:
        return self[index]


def loader(
    count: int = 11,
    batch_size: int = 4,
    threads: int = 2,
    rank: int = 0,
    world_size: int = 1,
    seed: int = 1,
) -> Loader:
    transform = Transform(8, AUGMENTATION, seed, VOID)
    return Loader(NumberedSamples(count), transform, seed, batch_size, threads, rank, world_size)


def assert_same(first: Sequence[Batch], second: Sequence[Batch]) -> None:
    for one, other in zip(first, second, strict=True):
        assert one.names == other.names
        np.testing.assert_array_equal(one.image, other.image)
        np.testing.assert_array_equal(one.mask, other.mask)
        np.testing.assert_array_equal(one.color_jitter, other.color_jitter)


def test_a_batch_stacks_samples() -> None:
    (batch,) = loader().batches(0, 1)
    assert (batch.image.shape, batch.image.dtype) == ((4, 8, 8, 3), np.uint8)
    assert (batch.mask.shape, batch.mask.dtype) == ((4, 8, 8), np.uint8)
    source, (epoch, index) = NumberedSamples(11), (0, int(batch.names[2]))
    transform = Transform(8, AUGMENTATION, 1, VOID)
    expected = transform(source[index], transform.draw_parameters(epoch, index))
    np.testing.assert_array_equal(batch.image[2], expected.image)
    np.testing.assert_array_equal(batch.mask[2], expected.mask)


@pytest.mark.parametrize("batch_size", [1, 3, 4, 12])
def test_each_epoch_is_a_new_permutation(batch_size: int) -> None:
    twelve = loader(count=12, batch_size=batch_size)
    steps = twelve.steps_per_epoch
    assert steps == 12 // batch_size
    epochs = [
        [
            name
            for batch in twelve.batches(epoch * steps, (epoch + 1) * steps)
            for name in batch.names
        ]
        for epoch in range(3)
    ]
    for names in epochs:
        assert sorted(names, key=int) == [str(index) for index in range(12)]
    assert epochs[0] != epochs[1] != epochs[2] != epochs[0]


def test_an_epoch_drops_random_samples_that_do_not_fill_a_batch() -> None:
    eleven = loader(count=11, batch_size=4)
    assert eleven.steps_per_epoch == 2
    left_out: set[str] = set()
    for epoch in range(20):
        names = [name for batch in eleven.batches(2 * epoch, 2 * epoch + 2) for name in batch.names]
        assert len(set(names)) == len(names) == 8
        left_out |= {str(index) for index in range(11)} - set(names)
    assert len(left_out) == 11


def test_each_epoch_augments_a_sample_differently() -> None:
    whole = loader(count=4, batch_size=4)
    first, second = whole.batches(0, 2)
    place = [first.names.index("0"), second.names.index("0")]
    assert not np.array_equal(first.image[place[0]], second.image[place[1]])


def test_each_seed_gives_another_order() -> None:
    orders = {
        tuple(name for batch in loader(seed=seed).batches(0, 2) for name in batch.names)
        for seed in range(4)
    }
    assert len(orders) == 4


@pytest.mark.parametrize("threads", [1, 3, 16])
def test_batches_do_not_depend_on_the_number_of_threads(threads: int) -> None:
    assert_same(list(loader(threads=threads).batches(0, 7)), list(loader(threads=2).batches(0, 7)))


@pytest.mark.parametrize("step", [1, 2, 3, 5, 8])
def test_a_loader_resumes_at_any_step(step: int) -> None:
    whole = list(loader().batches(0, 9))
    assert_same(list(loader().batches(step, 9)), whole[step:])


@pytest.mark.parametrize("world_size", [2, 3, 4])
def test_processes_split_the_batch_of_a_single_process(world_size: int) -> None:
    alone = list(loader(count=50, batch_size=12).batches(0, 9))
    parts = [
        list(loader(50, 12 // world_size, 2, rank, world_size).batches(0, 9))
        for rank in range(world_size)
    ]
    together = [
        Batch(
            image=np.concatenate([batch.image for batch in step]),
            mask=np.concatenate([batch.mask for batch in step]),
            color_jitter=np.concatenate([batch.color_jitter for batch in step]),
            names=tuple(name for batch in step for name in batch.names),
        )
        for step in zip(*parts, strict=True)
    ]
    assert_same(together, alone)
    steps = {loader(50, 12 // world_size, 2, 0, world_size).steps_per_epoch, 50 // 12}
    assert steps == {4}


@pytest.mark.parametrize("count", [1, 3, 7])
def test_a_data_set_smaller_than_a_batch_is_repeated(count: int) -> None:
    few = loader(count=count, batch_size=8)
    assert few.steps_per_epoch == 1
    batches = list(few.batches(0, 3))
    for batch in batches:
        times = Counter(batch.names)
        assert len(batch.names) == 8
        assert set(times) == {str(index) for index in range(count)}
        assert max(times.values()) - min(times.values()) <= 1


def test_an_empty_range_of_steps_has_no_batches() -> None:
    assert list(loader().batches(3, 3)) == []


def test_an_error_of_a_sample_is_raised_in_its_batch() -> None:
    broken = Loader(NumberedSamples(8, broken=5), Transform(8, AUGMENTATION, 0, VOID), 0, 2, 2)
    loaded: list[str] = []

    def read() -> None:
        for batch in broken.batches(0, 4):
            loaded.extend(batch.names)

    with pytest.raises(InputError, match=r"^5\.png: broken$"):
        read()
    whole = Loader(NumberedSamples(8), Transform(8, AUGMENTATION, 0, VOID), 0, 2, 2)
    names = [name for batch in whole.batches(0, 4) for name in batch.names]
    assert loaded == names[: names.index("5") // 2 * 2]


def test_closing_the_generator_stops_the_threads() -> None:
    before = set(threading.enumerate())
    batches = loader().batches(0, 1000)
    next(batches)
    started = set(threading.enumerate()) - before
    assert started
    batches.close()
    assert not any(thread.is_alive() for thread in started)


def test_prefetch_keeps_the_order_of_its_inputs() -> None:
    def slow_at_first(value: int) -> int:
        time.sleep(0.02 if value % 4 == 0 else 0)
        return value * value

    results = list(prefetch(slow_at_first, range(20), threads=4, ahead=6))
    assert results == [value * value for value in range(20)]


@pytest.mark.parametrize(("threads", "ahead"), [(1, 0), (3, 0), (1, 5), (3, 50)])
def test_prefetch_yields_each_result_once(threads: int, ahead: int) -> None:
    assert list(prefetch(str, range(7), threads=threads, ahead=ahead)) == list("0123456")
    assert list(prefetch(str, [], threads=threads, ahead=ahead)) == []


def test_prefetch_computes_at_most_a_limit_ahead() -> None:
    taken: list[int] = []

    def record(value: int) -> int:
        taken.append(value)
        return value

    results = prefetch(record, range(100), threads=2, ahead=5)
    assert next(results) == 0
    deadline = time.monotonic() + 10
    while len(taken) < 6 and time.monotonic() < deadline:
        time.sleep(0.001)
    assert sorted(taken) == list(range(6))
    results.close()


def test_prefetch_cancels_pending_inputs_when_closed() -> None:
    taken: list[int] = []

    def record(value: int) -> int:
        taken.append(value)
        time.sleep(0.01)
        return value

    results = prefetch(record, range(100), threads=1, ahead=60)
    next(results)
    results.close()
    assert len(taken) < 50


def test_prefetch_runs_threads_concurrently() -> None:
    meeting = threading.Barrier(2, timeout=10)

    def wait_for_other(value: int) -> int:
        meeting.wait()
        return value

    assert list(prefetch(wait_for_other, range(4), threads=2, ahead=4)) == [0, 1, 2, 3]


def test_prefetch_raises_an_error_in_place_of_its_result() -> None:
    def reciprocal(value: int) -> float:
        return 1 / value

    results = prefetch(reciprocal, [2, 4, 0, 5], threads=2, ahead=4)
    assert [next(results), next(results)] == [0.5, 0.25]
    with pytest.raises(ZeroDivisionError):
        next(results)
