"""Refined logits are distributions over all classes, counted like any other, and better."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from sceneparse.inference.dense_crf import DenseCrf
from sceneparse.inference.feature_map import softmax
from sceneparse.inference.guided_filter import GuidedFilter
from sceneparse.inference.network import ImageLogits, as_array
from sceneparse.inference.predictor import Predictor
from sceneparse.inference.refinement import Refinement, refined, working_size
from sceneparse.inference.resize import Resize
from sceneparse.inference.settings import GuidedFilterRefinement
from sceneparse.metrics.scores import confusion_matrix
from tests.conftest import rectangles
from tests.inference.memory import printed
from tests.inference.networks import Function, SquaresNetwork, labels_of, network_of, random_image

REFINEMENTS = (GuidedFilter(GuidedFilterRefinement(radius=3, epsilon=1e-3)), DenseCrf(stride=8))
REFINEMENT_NAMES = ("guided_filter", "dense_crf")


def scene(index: int, spread: float) -> tuple[NDArray[np.uint8], NDArray[np.uint8], ImageLogits]:
    """An image, its ids, and the logits of a bad network: coarse, blurred by noise, 20 classes."""
    image, ids = rectangles(index, (96, 128))
    share = np.stack([ids == number for number in range(20)]).astype(np.float64)
    squares = share.reshape(20, 24, 4, 32, 4).mean(axis=(2, 4))
    noise = np.random.default_rng(index).normal(0, spread, squares.shape)
    logits = (6 * squares + noise - 4 * (np.arange(20) > 3)[:, None, None]).astype(np.float32)
    return image, ids, ImageLogits(logits, (24.0, 32.0))


def constant(logits: NDArray[np.float32]) -> Function:
    """A network that always has these logits."""
    return Function(lambda pixels: torch.from_numpy(logits)[None].expand(len(pixels), -1, -1, -1))


@pytest.mark.parametrize("refinement", REFINEMENTS, ids=REFINEMENT_NAMES)
@pytest.mark.parametrize("spread", [0.5, 1.5])
def test_refinement_corrects_coarse_and_noisy_logits(refinement: Refinement, spread: float) -> None:
    wrong, wrong_after = 0, 0
    for index in range(4):
        image, ids, logits = scene(index, spread)
        network = network_of(constant(as_array(logits.values)), 20, 4)
        resize = Resize("keep_ratio", 96)
        plain = Predictor(network, labels_of(20), resize)
        better = Predictor(network, labels_of(20), resize, refinement=refinement)
        wrong += np.count_nonzero(plain(image).mask != ids)
        wrong_after += np.count_nonzero(better(image).mask != ids)
    assert wrong_after < 0.3 * wrong


@pytest.mark.parametrize("refinement", REFINEMENTS, ids=REFINEMENT_NAMES)
def test_a_refined_image_is_scored_as_the_distribution_that_it_is(
    refinement: Refinement,
) -> None:
    image, ids, logits = scene(0, 1.0)
    target = ids.copy()
    target[:5], target[5:8] = 255, 19  # void, and a class that the network never thought of
    network, labels = network_of(constant(as_array(logits.values)), 20, 4), labels_of(20)
    predictor = Predictor(network, labels, Resize("keep_ratio", 96), refinement=refinement)
    (counts,) = predictor.score([image], [target])
    np.testing.assert_array_equal(
        counts.confusion, confusion_matrix(predictor(image).mask, target, 20, 255)
    )
    result = refined(logits, image, refinement)
    assert len(result.classes) < 20
    upsampled = torch.nn.functional.interpolate(
        torch.from_numpy(as_array(result.logits.values))[None].double(),
        size=target.shape,
        mode="bilinear",
    )[0].numpy()
    everything = np.full((20, *target.shape), result.other_probability)
    everything[result.classes] = softmax(upsampled) * result.share(20)
    np.testing.assert_allclose(everything.sum(axis=0), 1, atol=1e-6)
    valid = target != 255
    own = np.take_along_axis(everything, np.where(valid, target, 0)[None].astype(int), axis=0)[0]
    assert counts.loss == pytest.approx(-np.log(own[valid]).sum(), rel=1e-4)


@pytest.mark.parametrize("refinement", REFINEMENTS, ids=REFINEMENT_NAMES)
@pytest.mark.parametrize("size", [(1, 1), (1, 30), (5, 2), (50, 33)])
@pytest.mark.parametrize("kind", ["stretch", "window"])
def test_images_of_any_size_are_refined(
    refinement: Refinement, size: tuple[int, int], kind: str
) -> None:
    resize = Resize("window" if kind == "window" else "stretch", 28)  # not a multiple of 8
    network = network_of(SquaresNetwork(4, 8), 4, 8)
    predictor = Predictor(network, labels_of(4), resize, refinement=refinement)
    prediction = predictor(random_image(*size))
    assert prediction.mask.shape == size
    assert np.isfinite(prediction.confidence).all()
    assert prediction.confidence.max() <= 1 + 1e-5


@pytest.mark.parametrize("refinement", REFINEMENTS, ids=REFINEMENT_NAMES)
def test_an_image_of_one_class_stays_so(refinement: Refinement) -> None:
    logits = np.full((7, 8, 8), -20, np.float32)
    logits[3] = 5
    result = refined(ImageLogits(logits, (8.0, 8.0)), random_image(40, 40), refinement)
    assert result.classes.tolist() == [3]
    np.testing.assert_allclose(softmax(as_array(result.logits.values)), 1)
    assert result.share(7) == pytest.approx(1, abs=1e-5)


def test_the_most_likely_class_is_kept_however_unlikely() -> None:
    logits = np.zeros((100, 4, 4), np.float32)
    logits[42] += 0.01
    result = refined(ImageLogits(logits, (4.0, 4.0)), random_image(16, 16), GuidedFilter())
    assert result.classes.tolist() == [42]
    assert result.other_probability == pytest.approx(0.01, rel=0.01)


def test_a_working_size_fits_its_budget_and_keeps_the_ratio() -> None:
    assert working_size((300, 400), 10, 10**9) == (300, 400)
    height, width = working_size((3000, 4000), 100, 12 * 10**6)
    assert height * width * 100 <= 12 * 10**6
    assert (height, width) == (300, 400)
    assert working_size((3000, 4000), 100, 1) == (1, 1)


@pytest.mark.parametrize(
    "name",
    ["GuidedFilter(max_bytes=BUDGET)", "DenseCrf(DenseCrfRefinement(iterations=2), 8, BUDGET)"],
)
def test_refining_stays_in_its_memory_budget(name: str) -> None:
    (taken,) = printed(f"""
        import numpy as np
        from sceneparse.inference.dense_crf import DenseCrf
        from sceneparse.inference.guided_filter import GuidedFilter
        from sceneparse.inference.refinement import refined
        from sceneparse.inference.network import ImageLogits
        from sceneparse.inference.settings import DenseCrfRefinement

        BUDGET = 32 * 2**20
        random = np.random.default_rng(0)
        # Thirty of 150 classes occur; all of them at the size of the image would take 1900 MiB.
        logits = np.full((150, 48, 64), -20, np.float32)
        logits[:30] = random.normal(0, 2, (30, 48, 64))
        logits = ImageLogits(logits, (48.0, 64.0))
        image = random.integers(0, 256, (1500, 2200, 3)).astype(np.uint8)

        refined(logits, image[:48, :64], {name})
        before = peak()
        refined(logits, image, {name})
        print(peak() - before)
    """)
    assert float(taken) < 32 + 12
