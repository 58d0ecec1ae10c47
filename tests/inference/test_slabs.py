"""Logits in slabs are decided on as those of the whole image, bit for bit, in less memory."""

import weakref
from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from sceneparse.errors import InputError
from sceneparse.inference import resize
from sceneparse.inference.decision import label_map, score
from sceneparse.inference.network import ImageLogits, Logits, Network, as_array
from sceneparse.inference.predictor import Predictor
from sceneparse.inference.resize import Resize, logits_of_images, slabs_of_images
from sceneparse.inference.slabs import LogitSlabs
from sceneparse.inference.views import views_of
from tests.inference.memory import printed
from tests.inference.networks import (
    ArrayNetwork,
    SquaresNetwork,
    labels_of,
    network_of,
    random_image,
)

KINDS = ("array", "tensor")
MIB = 2**20


def cut(values: Logits, axis: int, cuts: list[int], covered: tuple[float, float]) -> LogitSlabs:
    """Cut logits into slabs at some rows or columns."""
    ends = [0, *cuts, values.shape[1 + axis]]
    sides = [slice(start, stop) for start, stop in pairwise(ends)]
    parts = (values[:, side] if axis == 0 else values[:, :, side] for side in sides)
    classes, height, width = values.shape
    return LogitSlabs(parts, shape=(classes, height, width), covered=covered, axis=axis)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("seed", range(8))
def test_slabs_are_decided_and_scored_as_the_whole(kind: str, axis: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    classes = int(random.choice([2, 150, 300]))
    height, width = (int(side) for side in random.integers(1, 40, 2))
    covered = height - float(random.random()), width - float(random.random())
    # Smaller and larger than the feature map.
    size = int(random.integers(1, 250)), int(random.integers(1, 250))
    values = random.normal(0, 4, (classes, height, width)).astype(np.float32)
    logits: Logits = values if kind == "array" else torch.from_numpy(values)
    length = logits.shape[1 + axis]
    inside = np.arange(1, length)
    cuts = sorted(random.choice(inside, min(len(inside), 6), replace=False).tolist())
    dtype, void = (np.uint8, 255) if classes < 256 else (np.uint16, 65535)
    whole = label_map(ImageLogits(logits, covered), size, dtype, 16 * MIB)
    found = label_map(cut(logits, axis, cuts, covered), size, dtype, 16 * MIB)
    np.testing.assert_array_equal(found.mask, whole.mask)
    np.testing.assert_array_equal(found.confidence, whole.confidence)
    target = random.integers(0, classes, size).astype(dtype)
    expected = score(ImageLogits(logits, covered), target, void, 16 * MIB)
    counts = score(cut(logits, axis, cuts, covered), target, void, 16 * MIB)
    np.testing.assert_array_equal(counts.confusion, expected.confusion)
    # Along the other axis, tiles come in another order, and so do the terms of the sum.
    assert counts.loss == pytest.approx(expected.loss, rel=1e-6)


@pytest.mark.parametrize("axis", [0, 1])
def test_slabs_put_together_are_the_whole(axis: int) -> None:
    values = np.random.default_rng(0).normal(size=(3, 7, 9)).astype(np.float32)
    slabs = cut(values, axis, [1, 2, 5], (6.5, 9))
    assert slabs.first.shape[1 + axis] == 1
    whole = slabs.whole()
    np.testing.assert_array_equal(as_array(whole.values), values)
    assert whole.covered == (6.5, 9)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("scale", [1.0, 3.0])
@pytest.mark.parametrize("overlap", [0.0, 0.25, pytest.param(0.7, marks=pytest.mark.slow)])
@pytest.mark.parametrize("size", [(1, 1), (1, 60), (61, 83), (83, 61), (40, 333), (200, 37)])
def test_windows_are_decided_in_slabs_as_their_whole(
    kind: str, scale: float, overlap: float, size: tuple[int, int]
) -> None:
    tensors = network_of(SquaresNetwork(6, 8), 6, 8)
    network: Network = tensors if kind == "tensor" else ArrayNetwork(tensors)
    image, windows = random_image(*size), Resize("window", 32, overlap)
    (whole,) = logits_of_images([image], network, windows, scale)
    (slabs,) = slabs_of_images([image], network, windows, scale)
    expected = label_map(whole, size, np.uint8, 16 * MIB)
    found = label_map(slabs, size, np.uint8, 16 * MIB)
    np.testing.assert_array_equal(found.mask, expected.mask)
    np.testing.assert_array_equal(found.confidence, expected.confidence)


def test_slabs_are_dropped_when_no_tile_needs_them() -> None:
    made: list[weakref.ref[NDArray[np.float32]]] = []

    def slabs() -> Iterator[Logits]:
        for _ in range(6):
            # The last tile, and the next one, which may lie between two slabs.
            assert sum(slab() is not None for slab in made) <= 3
            values = np.zeros((2, 20, 4), np.float32)
            made.append(weakref.ref(values))
            yield values
            del values

    logits = LogitSlabs(slabs(), shape=(2, 120, 4), covered=(120.0, 4.0))
    assert label_map(logits, (3000, 100), np.uint8, MIB).mask.shape == (3000, 100)
    assert len(made) == 6


@pytest.mark.parametrize("size", [(4000, 100), (100, 4000)])
def test_windows_take_memory_for_a_slab_and_not_for_an_image(size: tuple[int, int]) -> None:
    (used,) = printed(f"""
        import numpy as np
        from sceneparse.inference.predictor import Predictor
        from sceneparse.inference.resize import Resize
        from sceneparse.labels import Labels

        class Bright:
            num_classes, input_stride, output_stride = 100, 8, 2
            def logits(self, images):
                gray = images[:, ::2, ::2, 0].astype(np.float32)
                return np.repeat(gray[:, None], self.num_classes, axis=1)

        names = tuple(map(str, range(100)))
        labels = Labels(names, ((0, 0, 0),) * 100, tuple(range(100)))
        predictor = Predictor(Bright(), labels, Resize("window", 128), memory_budget_mb=16)
        predictor.segment(np.zeros((100, 150, 3), np.uint8))
        before = peak()
        predictor.segment(np.zeros((*{size}, 3), np.uint8))
        print(peak() - before)
    """)
    # The logits of the whole image take 62 MiB; those of a slab 1.2, of a window 1.6.
    assert float(used) < 25


def test_the_limit_of_logits_holds_for_a_slab(monkeypatch: pytest.MonkeyPatch) -> None:
    network = network_of(SquaresNetwork(6, 8), 6, 8)
    image, windows = random_image(40, 2000), Resize("window", 32)
    # A slab of 4 × 4 positions and 6 classes takes 384 bytes.
    monkeypatch.setattr(resize, "MAX_LOGITS_BYTES", 400)
    (slabs,) = slabs_of_images([image], network, windows)
    assert slabs.shape == (6, 4, 200)
    with pytest.raises(InputError, match="would be 1600×32 for the network, and its logits more"):
        logits_of_images([image], network, windows)
    predictor = Predictor(network, labels_of(6), windows, views=views_of([1.0], flip=True))
    with pytest.raises(InputError, match="its logits more"):
        predictor.segment(image)
    monkeypatch.setattr(resize, "MAX_LOGITS_BYTES", 380)
    with pytest.raises(InputError, match="its logits more"):
        slabs_of_images([image], network, windows)
    monkeypatch.undo()
    monkeypatch.setattr(resize, "MAX_PIXELS_IN_WINDOWS", 1600 * 32 - 1)
    with pytest.raises(InputError, match="that is more than 0 Mi pixels; set"):
        slabs_of_images([image], network, windows)
