"""Labels, confidence, counts and loss in tiles, of arrays and of tensors, against the plain way.

Two ways to upsample the same logits differ by rounding alone. A pixel is a sum of four logits with
weights that sum to 1; each weight, product and sum is rounded to fp32, by half a unit in the last
place of at most `eps * max|logits|`. `rounding` allows eight such errors.
"""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from sceneparse.inference import decision
from sceneparse.inference.decision import label_map, labels_only, score
from sceneparse.inference.network import ImageLogits, Logits
from sceneparse.metrics.scores import confusion_matrix
from sceneparse.ops import upsampling
from tests.inference.memory import printed

MIB = 2**20
KINDS = ("array", "tensor")
EPS = float(np.finfo(np.float32).eps)
SIZES = [
    ((16, 16), (16.0, 16.0), (61, 83)),
    ((20, 12), (20.0, 12.0), (9, 7)),
    ((8, 8), (8.0, 8.0), (8, 8)),
    ((5, 9), (4.3, 8.6), (37, 300)),
    ((1, 1), (0.5, 1.0), (3, 2)),
]


def random_logits(classes: int, size: tuple[int, int], seed: int = 0) -> NDArray[np.float32]:
    random = np.random.default_rng(seed)
    return random.normal(0, 4, (classes, *size)).astype(np.float32)


def of_kind(logits: NDArray[np.float32], kind: str) -> Logits:
    return logits if kind == "array" else torch.from_numpy(logits)


def plain_upsampled(
    logits: NDArray[np.float32], covered: tuple[float, float], size: tuple[int, int]
) -> torch.Tensor:
    """Upsample all classes at once, in float64, `(C, H, W)`."""
    values = torch.from_numpy(logits)[None].double()
    rows, columns = (
        upsampling.interpolation_matrix(size[axis], logits.shape[axis + 1], covered[axis])
        for axis in (0, 1)
    )
    return (rows.double() @ values @ columns.double().T)[0]


def rounding(logits: NDArray[np.float32]) -> float:
    """Return by how much two ways may differ in an upsampled logit."""
    return 8 * EPS * float(np.abs(logits).max())


def target_of(classes: int, size: tuple[int, int], void: int = 255) -> NDArray[np.unsignedinteger]:
    target = np.random.default_rng(1).integers(0, classes, size)
    target[:2] = void
    return target.astype(np.uint8 if void == 255 else np.uint16)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("feature_size", "covered", "size"), SIZES)
@pytest.mark.parametrize("tile_bytes", [1, 10**9])
def test_decisions_in_tiles_equal_the_plain_way(
    kind: str,
    feature_size: tuple[int, int],
    covered: tuple[float, float],
    size: tuple[int, int],
    tile_bytes: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(upsampling.TILE_BYTES, "cpu", tile_bytes)
    monkeypatch.setattr(decision, "_TILE_BYTES", tile_bytes)
    values = random_logits(150, feature_size)
    logits, target = ImageLogits(of_kind(values, kind), covered), target_of(150, size)
    found = label_map(logits, size, np.uint8, 256 * MIB)
    full, tolerance = plain_upsampled(values, covered, size), rounding(values)
    best = full.topk(2, dim=0).values
    is_clear = (best[0] - best[1] > 2 * tolerance).numpy()
    np.testing.assert_array_equal(found.mask[is_clear], full.argmax(0).numpy()[is_clear])
    assert found.mask.dtype == np.uint8
    # The confidence is 1 / sum(exp(logit - maximum)): its relative error is that of two logits,
    # and of a sum of 150 terms.
    relative = 2 * tolerance + 150 * EPS
    np.testing.assert_allclose(found.confidence, full.softmax(0).amax(0).numpy(), rtol=relative)
    counts = score(logits, target, 255, 256 * MIB)
    expected = F.cross_entropy(
        full[None], torch.from_numpy(target)[None].long(), ignore_index=255, reduction="none"
    )
    # The loss of a pixel has the absolute error of its logit and of the logarithm of that sum.
    assert counts.loss == pytest.approx(float(expected.sum()), abs=target.size * relative)
    np.testing.assert_array_equal(counts.confusion, confusion_matrix(found.mask, target, 150, 255))


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("classes", [1, 2, 19, 300])
def test_arrays_and_tensors_are_decided_alike(classes: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    feature_size = (int(random.integers(1, 30)), int(random.integers(1, 30)))
    covered = (feature_size[0] - random.random(), feature_size[1] - random.random())
    size = (int(random.integers(1, 200)), int(random.integers(1, 200)))
    void = 255 if classes < 255 else 65535
    dtype = np.uint8 if classes < 255 else np.uint16
    values = random_logits(classes, feature_size, seed)
    values[:, ::2] = values[:, ::2].round()  # so that classes tie
    target = target_of(classes, size, void)
    array, tensor = (ImageLogits(of_kind(values, kind), covered) for kind in KINDS)
    ours, theirs = (label_map(logits, size, dtype, 16 * MIB) for logits in (array, tensor))
    assert ours.mask.dtype == theirs.mask.dtype == dtype
    tolerance = rounding(values)
    relative = 2 * tolerance + classes * EPS
    np.testing.assert_allclose(ours.confidence, theirs.confidence, rtol=2 * relative)
    full = plain_upsampled(values, covered, size).numpy()
    for found in (ours, theirs):
        chosen = np.take_along_axis(full, found.mask[None].astype(np.intp), axis=0)[0]
        assert (full.max(axis=0) - chosen).max() <= 2 * tolerance
    counts = [score(logits, target, void, 16 * MIB) for logits in (array, tensor)]
    assert counts[0].loss == pytest.approx(counts[1].loss, abs=2 * target.size * relative)
    for own, mask in zip(counts, (ours.mask, theirs.mask), strict=True):
        np.testing.assert_array_equal(own.confusion, confusion_matrix(mask, target, classes, void))


@pytest.mark.parametrize("kind", KINDS)
def test_of_equal_classes_the_first_is_chosen(kind: str) -> None:
    values = np.zeros((7, 4, 4), np.float32)
    values[[2, 5]] = 1
    found = label_map(ImageLogits(of_kind(values, kind), (4, 4)), (9, 9), np.uint8, MIB)
    assert (found.mask == 2).all()


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_but_void_costs_nothing(kind: str) -> None:
    logits = ImageLogits(of_kind(random_logits(5, (4, 4)), kind), (4, 4))
    counts = score(logits, np.full((9, 9), 255, np.uint8), 255, MIB)
    assert counts.loss == 0
    assert not counts.confusion.any()


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_deciding_stays_in_its_memory_budget(kind: str) -> None:
    (used,) = printed(f"""
        import numpy as np, torch
        from sceneparse.inference import decision
        from sceneparse.inference.network import ImageLogits
        from sceneparse.ops import upsampling
        # As on an accelerator, where only the budget keeps tiles small.
        upsampling.TILE_BYTES["cpu"], upsampling.TILE_COLUMNS["cpu"] = 2**40, 10**6
        decision._TILE_BYTES, decision._TILE_COLUMNS = 2**40, 10**6
        values = np.random.default_rng(0).normal(size=(150, 64, 64)).astype(np.float32)
        logits = ImageLogits(values if {kind!r} == "array" else torch.from_numpy(values), (64, 64))
        target, budget = np.zeros((800, 800), np.uint8), 32 * 2**20

        decision.score(logits, target[:64, :64], 255, budget)
        before = peak()
        decision.score(logits, target, 255, budget)
        decision.label_map(logits, target.shape, np.uint8, budget)
        print(peak() - before)
    """)
    # Masks, confidences and pairs of classes of 800 x 800 pixels take up to 12 MiB beside the
    # budget of 32; the logits at that size would take 366.
    assert float(used) < 32 + 12


def test_arrays_are_decided_on_without_torch() -> None:
    (loaded,) = printed("""
        import sys
        import numpy as np
        from sceneparse.inference.decision import label_map, score
        from sceneparse.inference.network import ImageLogits
        logits = ImageLogits(np.zeros((3, 4, 4), np.float32), (4, 4))
        label_map(logits, (8, 8), np.uint8, 2**20)
        score(logits, np.zeros((8, 8), np.uint8), 255, 2**20)
        print("torch" in sys.modules)
    """)
    assert loaded == "False"


@pytest.mark.parametrize("kind", ["array", "tensor"])
@pytest.mark.parametrize("spread", [0.0, 0.1, 3.0, 30.0])
def test_labels_alone_equal_those_with_confidence(kind: str, spread: float) -> None:
    rng = np.random.default_rng(0)
    for classes, size in ((2, (1, 1)), (7, (64, 301)), (300, (97, 33))):
        coarse = rng.normal(size=(classes, 3, 4)).astype(np.float32) * spread
        fine = rng.normal(size=(classes, 9, 16)).astype(np.float32)
        values = np.kron(coarse, np.ones((1, 3, 4), np.float32)) + fine
        logits = ImageLogits(values if kind == "array" else torch.from_numpy(values), (8.5, 15.25))
        dtype = np.uint8 if classes < 256 else np.uint16
        expected = label_map(ImageLogits(values, logits.covered), size, dtype, 2**20).mask
        found = labels_only(logits, size, dtype, 2**20)
        assert found.dtype == dtype
        np.testing.assert_array_equal(found, expected)
