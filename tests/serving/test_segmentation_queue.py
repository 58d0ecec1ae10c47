"""The queue segments images together, and one that fails fails alone."""

from collections.abc import Iterator
from concurrent.futures import CancelledError

import numpy as np
import pytest

import sceneparse
from sceneparse.inference.prediction import Prediction
from sceneparse.serving.segmentation_queue import SegmentationQueue
from sceneparse.serving.served_models import ServedModel
from sceneparse.serving.server_metrics import ServerMetrics
from tests.serving.servers import MeanColors, models_of, photo


@pytest.fixture
def metrics() -> ServerMetrics:
    return ServerMetrics()


@pytest.fixture
def queue(metrics: ServerMetrics) -> Iterator[SegmentationQueue]:
    queue = SegmentationQueue(batch_size=4, max_wait_s=5, metrics=metrics)
    yield queue
    queue.close()


def assert_equal(found: Prediction, expected: Prediction) -> None:
    np.testing.assert_array_equal(found.image, expected.image)
    np.testing.assert_array_equal(found.mask, expected.mask)
    np.testing.assert_array_equal(found.confidence, expected.confidence)


def test_images_that_wait_together_are_one_batch_with_the_same_predictions(
    queue: SegmentationQueue,
) -> None:
    network = MeanColors()
    (model,) = models_of(network)
    images = [photo(seed, 40 + seed, 56) for seed in range(4)]
    with queue.expecting(model):
        results = [queue.submit(model, image) for image in images]
        found = [result.result(10) for result in results]
    assert network.batches == [4]
    # The means of colours do not depend on other images, so all bits are equal.
    for image, prediction in zip(images, found, strict=True):
        assert_equal(prediction, model.predictor(image))


def test_a_lone_image_does_not_wait_for_others(queue: SegmentationQueue) -> None:
    network = MeanColors()
    (model,) = models_of(network)
    queue.submit(model, photo()).result(4)  # less than `max_wait_s`
    assert network.batches == [1]


def test_an_image_does_not_wait_for_those_of_another_model(queue: SegmentationQueue) -> None:
    first, second = models_of(MeanColors(), MeanColors())
    with queue.expecting(second):
        queue.submit(first, photo()).result(4)  # less than `max_wait_s`


def test_models_are_not_mixed_and_no_image_is_lost(queue: SegmentationQueue) -> None:
    networks = MeanColors(), MeanColors()
    models = models_of(*networks)
    images = [photo(seed) for seed in range(9)]
    with queue.expecting(models[0]), queue.expecting(models[1]):
        results = [queue.submit(models[index % 2], image) for index, image in enumerate(images)]
    for index, result in enumerate(results):
        assert_equal(result.result(10), models[index % 2].predictor(images[index]))
    assert sum(networks[0].batches) >= 5
    assert max(networks[0].batches + networks[1].batches) <= 4


def test_an_image_that_fails_fails_alone(queue: SegmentationQueue) -> None:
    network = MeanColors()
    network.poison = 200
    (model,) = models_of(network)
    poisoned = np.full((40, 56, 3), 200, np.uint8)
    with queue.expecting(model):
        results = [queue.submit(model, each) for each in (photo(0), poisoned, photo(1))]
        assert_equal(results[0].result(10), model.predictor(photo(0)))
        assert_equal(results[2].result(10), model.predictor(photo(1)))
        with pytest.raises(RuntimeError, match="poisoned"):
            results[1].result(10)


def test_an_image_that_nobody_waits_for_is_not_segmented(queue: SegmentationQueue) -> None:
    network = MeanColors(delay_s=0.2)
    (model,) = models_of(network)
    busy = queue.submit(model, photo())
    while not network.batches:
        pass
    gone, other = queue.submit(model, photo(1)), queue.submit(model, photo(2))
    assert gone.cancel()
    other.result(10)
    busy.result(10)
    assert network.batches == [1, 1]


def test_images_that_wait_when_it_is_closed_are_cancelled(metrics: ServerMetrics) -> None:
    queue = SegmentationQueue(batch_size=1, max_wait_s=0, metrics=metrics)
    network = MeanColors(delay_s=0.2)
    (model,) = models_of(network)
    first = queue.submit(model, photo())
    while not network.batches:
        pass
    second = queue.submit(model, photo(1))
    queue.close()
    assert first.result(0).mask.shape == (40, 56)
    with pytest.raises(CancelledError):
        second.result(0)


def test_a_real_network_gives_a_batch_what_the_predictor_gives_a_list(
    queue: SegmentationQueue,
) -> None:
    predictor = sceneparse.load("bundled", size=64, flip=False, runtime="onnxruntime")
    model = ServedModel("bundled", "bundled", predictor)
    images = [photo(seed) for seed in range(4)]
    with queue.expecting(model):
        results = [queue.submit(model, image) for image in images]
        found = [result.result(60) for result in results]
    for prediction, expected in zip(found, predictor(images), strict=True):
        assert_equal(prediction, expected)
    # Alone, a runtime may sum in another order: logits of about 20 with 23 bits, summed over some
    # thousand products, differ by less than 0.001, and probabilities by less than that.
    for prediction, image in zip(found, images, strict=True):
        alone = predictor(image)
        np.testing.assert_allclose(prediction.confidence, alone.confidence, atol=1e-3)
        assert (prediction.mask != alone.mask).mean() < 0.01
