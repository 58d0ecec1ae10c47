"""A predictor takes a network of any runtime and images of any kind."""

import numpy as np
import pytest

from sceneparse.inference.dense_crf import DenseCrf
from sceneparse.inference.guided_filter import GuidedFilter
from sceneparse.inference.predictor import Predictor
from sceneparse.inference.refinement import Refinement
from sceneparse.inference.resize import Resize, ResizeKind
from sceneparse.inference.views import views_of
from tests.inference.networks import (
    ArrayNetwork,
    SquaresNetwork,
    labels_of,
    network_of,
    random_image,
)


@pytest.mark.parametrize("kind", ["stretch", "keep_ratio", "window"])
@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("refinement", [None, GuidedFilter(2), DenseCrf(stride=8, radius=2)])
def test_networks_of_arrays_and_of_tensors_predict_alike(
    kind: ResizeKind, *, flip: bool, refinement: Refinement | None
) -> None:
    network = network_of(SquaresNetwork(6, 8), 6, 8)
    ours, theirs = (
        Predictor(
            each,
            labels_of(6),
            Resize(kind, 64),
            views=views_of([1.0], flip=flip),
            refinement=refinement,
        )
        for each in (ArrayNetwork(network), network)
    )
    image = random_image(70, 130)
    target = np.random.default_rng(1).integers(0, 6, (70, 130)).astype(np.uint8)
    own, other = ours(image), theirs(image)
    # Logits up to 30 with eight roundings of 6e-8 each differ by 2e-5, and so do probabilities.
    np.testing.assert_allclose(own.confidence, other.confidence, atol=1e-4)
    # Only where two classes tie may another one win: neither then has more than one half.
    differs = own.mask != other.mask
    assert (own.confidence[differs] < 0.5 + 1e-4).all()
    assert differs.mean() < 0.001
    (counts,), (expected,) = (each.score([image], [target]) for each in (ours, theirs))
    assert counts.loss == pytest.approx(expected.loss, rel=1e-4)
    assert counts.confusion.sum() == target.size
