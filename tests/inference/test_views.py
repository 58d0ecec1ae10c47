"""The mean over scales and flipped images, against a slow reference."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from sceneparse.inference.feature_map import resampled, softmax
from sceneparse.inference.network import Network, as_array
from sceneparse.inference.predictor import Predictor
from sceneparse.inference.resize import Resize, ResizeKind, logits_of_images
from sceneparse.inference.views import View, logits_over_views, views_of
from tests.inference.networks import Function, SquaresNetwork, labels_of, network_of, random_image

KINDS = ("stretch", "keep_ratio", "window")


@pytest.mark.parametrize(
    ("source_size", "size"), [((6, 9), (12, 20)), ((5, 5), (5, 5)), ((8, 12), (3, 7))]
)
def test_resampling_is_bilinear_interpolation(
    source_size: tuple[int, int], size: tuple[int, int]
) -> None:
    values = np.random.default_rng(0).normal(size=(3, *source_size)).astype(np.float32)
    ours = resampled(values, source_size, size, size)
    theirs = F.interpolate(torch.from_numpy(values)[None], size=size, mode="bilinear")[0]
    np.testing.assert_allclose(ours, theirs.numpy(), atol=1e-5)


def test_a_flipped_feature_map_counts_from_the_other_end_of_the_image() -> None:
    # Three and a half columns: the value of each is the position of its centre.
    position = np.arange(4, dtype=np.float32) + 0.5
    back = resampled((3.5 - position)[None, None], (1, 3.5), (1, 4), (1, 3.5), flipped=True)
    # The last column lies half beyond the image, on both feature maps.
    np.testing.assert_allclose(back[0, 0, :3], position[:3], atol=1e-6)


def slow_mean(
    image: NDArray[np.uint8], network: Network, resize: Resize, views: tuple[View, ...]
) -> NDArray[np.float64]:
    """Average full softmax maps that are flipped and resized one by one, in float64."""
    size = logits_of_images([image], network, resize)[0].values.shape[1:]
    size = tuple(round(side * max(view.scale for view in views)) for side in size)
    total = np.zeros((network.num_classes, *size))
    for view in views:
        shown = image[:, ::-1] if view.flipped else image
        sized = Resize(resize.kind, round(resize.size * view.scale), resize.overlap)
        logits = torch.tensor(
            as_array(logits_of_images([shown], network, sized)[0].values)
        ).double()
        maps = F.interpolate(logits.softmax(0)[None], size=size, mode="bilinear")[0].numpy()
        total += maps[:, :, ::-1] if view.flipped else maps
    return total / len(views)


@pytest.mark.parametrize("kind", ["stretch", "keep_ratio"])
@pytest.mark.parametrize(
    ("scales", "flip"), [((1.0,), True), ((0.5, 1.0, 1.5), True), ((2.0, 1.0), False)]
)
def test_views_are_averaged_as_probabilities(
    kind: ResizeKind, scales: tuple[float, ...], flip: bool
) -> None:
    network = network_of(SquaresNetwork(5, 8), 5, 8)
    image, resize, views = random_image(64, 96), Resize(kind, 64), views_of(scales, flip=flip)
    (found,) = logits_over_views([image], network, resize, views)
    expected = slow_mean(image, network, resize, views)
    np.testing.assert_allclose(np.exp(as_array(found.values)), expected, atol=1e-5)
    np.testing.assert_allclose(softmax(as_array(found.values)), expected, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [(64, 96), (50, 33)])
def test_flipping_changes_nothing_for_a_network_without_left_and_right(
    kind: ResizeKind, size: tuple[int, int]
) -> None:
    network = network_of(SquaresNetwork(5, 8), 5, 8)
    image, resize = random_image(*size), Resize(kind, 64)
    plain = logits_of_images([image], network, resize)[0]
    (both,) = logits_over_views([image], network, resize, views_of([1.0], flip=True))
    assert both.covered == plain.covered
    # Where windows are, those of a flipped image begin elsewhere.
    np.testing.assert_allclose(
        softmax(as_array(both.values)), softmax(as_array(plain.values)), atol=1e-4
    )


@pytest.mark.parametrize("kind", KINDS)
def test_scales_change_nothing_for_a_network_that_answers_the_same_everywhere(
    kind: ResizeKind,
) -> None:
    found = np.array([0.5, -1.0, 2.0], np.float32)

    def constant(pixels: torch.Tensor) -> torch.Tensor:
        values = torch.from_numpy(found)[None, :, None, None]
        return values.expand(len(pixels), 3, pixels.shape[2] // 8, pixels.shape[3] // 8)

    network = network_of(Function(constant), 3, 8)
    views = views_of([0.5, 0.75, 1.0, 1.3], flip=True)
    (mean,) = logits_over_views([random_image(70, 100)], network, Resize(kind, 64), views)
    expected = softmax(found[:, None, None])
    np.testing.assert_allclose(
        np.exp(as_array(mean.values)), np.broadcast_to(expected, mean.values.shape), rtol=1e-5
    )


def test_one_plain_view_is_the_network_itself() -> None:
    network = network_of(SquaresNetwork(5, 8), 5, 8)
    image, resize = random_image(50, 70), Resize("keep_ratio", 64)
    (one,) = logits_over_views([image], network, resize, views_of([1.0], flip=False))
    (plain,) = logits_of_images([image], network, resize)
    np.testing.assert_array_equal(as_array(one.values), as_array(plain.values))


def test_the_loss_of_a_mean_is_minus_its_logarithm() -> None:
    labels = labels_of(5)
    network = network_of(SquaresNetwork(5, 8), 5, 8)
    image = random_image(64, 64)
    target = np.random.default_rng(1).integers(0, 5, (8, 8)).astype(np.uint8)
    views = views_of([0.5, 1.0], flip=True)
    (counts,) = Predictor(network, labels, Resize("stretch", 64), 1, views).score([image], [target])
    mean = slow_mean(image, network, Resize("stretch", 64), views)
    own = np.take_along_axis(mean, target[None].astype(np.intp), axis=0)
    assert counts.loss == pytest.approx(-np.log(own).sum(), rel=1e-5)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [(1, 1), (1, 30), (5, 2)])
def test_the_smallest_images_have_views_too(kind: ResizeKind, size: tuple[int, int]) -> None:
    network = network_of(SquaresNetwork(4, 8), 4, 8)
    views = views_of([0.5, 1.0], flip=True)
    predictor = Predictor(network, labels_of(4), Resize(kind, 32), 1, views)
    assert predictor(random_image(*size)).mask.shape == size


def test_the_views_are_said_with_the_scores() -> None:
    network = network_of(SquaresNetwork(4, 8), 4, 8)
    resize = Resize("stretch", 32)
    views = views_of([0.5, 1.0], flip=True)
    assert str(Predictor(network, labels_of(4), resize)) == "stretched to 32×32"
    said = str(Predictor(network, labels_of(4), resize, 1, views))
    assert said == "stretched to 32×32, mean over scales 1, 0.5, also flipped"
