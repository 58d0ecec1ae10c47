"""Smoothing over time, against a slow definition."""

from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

from sceneparse.data.io.video_reading import Frame
from sceneparse.inference.feature_map import softmax
from sceneparse.inference.network import ImageLogits, as_array
from sceneparse.inference.predictor import Predictor
from sceneparse.inference.resize import Resize
from sceneparse.inference.smoothing import TemporalSmoothing, frame_difference, thumbnail
from tests.inference.networks import (
    ArrayNetwork,
    SquaresNetwork,
    labels_of,
    network_of,
    random_image,
)

# Sums and products of a few numbers in 0..1, each rounded to 24 bits.
ROUNDING = 2e-6
Floats = NDArray[np.float32]
GREY = np.full((20, 30, 3), 128, np.uint8)


def random_logits(count: int) -> list[Floats]:
    random = np.random.default_rng(0)
    return [random.normal(0, 3, (4, 5, 6)).astype(np.float32) for _ in range(count)]


def smoothed(
    time_constant_s: float,
    logits: list[Floats],
    times: list[float],
    pixels: NDArray[np.uint8] = GREY,
) -> list[Floats]:
    """Return the probabilities of each frame of a video that shows always the same."""
    smoothing = TemporalSmoothing(time_constant_s)
    covered = (5.0, 6.0)
    return [
        softmax(as_array(smoothing(ImageLogits(values, covered), Frame(time, pixels)).values))
        for values, time in zip(logits, times, strict=True)
    ]


def test_the_mean_is_that_of_all_frames_weighted_by_their_age() -> None:
    times = [0.0, 0.04, 0.05, 0.2, 0.21]
    logits, time_constant_s = random_logits(5), 0.1
    found = smoothed(time_constant_s, logits, times)
    for last, now in enumerate(times):
        # A frame counts for the time since the one before; the first one for all time before it.
        ends = np.exp((np.array(times[: last + 1]) - now) / time_constant_s)
        weights = np.diff(np.concatenate([[0.0], ends]))
        expected = sum(
            weight * softmax(values.astype(np.float64).astype(np.float32))
            for weight, values in zip(weights, logits, strict=False)
        )
        np.testing.assert_allclose(found[last], expected, atol=ROUNDING)


def test_a_still_video_stays_as_it_is() -> None:
    logits = random_logits(1)[0]
    for values in smoothed(0.1, [logits] * 5, [0.04 * index for index in range(5)]):
        np.testing.assert_allclose(values, softmax(logits), atol=ROUNDING)


@pytest.mark.parametrize("rate", [10, 25, 240])
def test_a_change_fades_in_the_same_time_at_any_frame_rate(rate: int) -> None:
    old, new = random_logits(2)
    # At each rate there is a frame after one second, when the world changes, and half a second on.
    times = [index / rate for index in range(3 * rate // 2 + 1)]
    found = smoothed(0.4, [old if time <= 1 else new for time in times], times)[-1]
    share = np.exp(-(times[-1] - 1) / 0.4)
    expected = share * softmax(old) + (1 - share) * softmax(new)
    np.testing.assert_allclose(found, expected, atol=10 * ROUNDING)


def test_nothing_is_kept_over_a_cut() -> None:
    before, after = random_logits(2)
    smoothing = TemporalSmoothing(10.0)
    smoothing(ImageLogits(before, (5, 6)), Frame(0, GREY))
    found = smoothing(ImageLogits(after, (5, 6)), Frame(0.04, GREY // 2))
    np.testing.assert_allclose(softmax(as_array(found.values)), softmax(after), atol=ROUNDING)


def test_a_little_less_light_is_no_cut() -> None:
    before, after = random_logits(2)
    smoothing = TemporalSmoothing(10.0)
    smoothing(ImageLogits(before, (5, 6)), Frame(0, GREY))
    found = smoothing(ImageLogits(after, (5, 6)), Frame(0.04, GREY - 10))
    np.testing.assert_allclose(softmax(as_array(found.values)), softmax(before), atol=0.01)


def test_a_feature_map_of_another_size_begins_anew() -> None:
    smoothing = TemporalSmoothing(10.0)
    smoothing(ImageLogits(random_logits(1)[0], (5, 6)), Frame(0, GREY))
    other = np.zeros((4, 3, 6), np.float32)
    found = smoothing(ImageLogits(other, (3, 6)), Frame(0.04, GREY))
    np.testing.assert_allclose(softmax(as_array(found.values)), 0.25, atol=ROUNDING)


def test_no_smoothing_leaves_the_logits_untouched() -> None:
    logits = ImageLogits(random_logits(1)[0], (5, 6))
    assert TemporalSmoothing(0)(logits, Frame(0, GREY)) is logits


@pytest.mark.parametrize("size", [(1, 1), (3, 40), (720, 1280)])
def test_images_of_any_size_can_be_compared(size: tuple[int, int]) -> None:
    one, other = np.zeros((*size, 3), np.uint8), np.full((*size, 3), 255, np.uint8)
    assert frame_difference(thumbnail(one), thumbnail(other)) == pytest.approx(1)


@pytest.mark.parametrize("as_arrays", [True, False])
@pytest.mark.parametrize("batch_size", [1, 3])
def test_frames_without_smoothing_are_segmented_like_images(
    *, as_arrays: bool, batch_size: int
) -> None:
    network = network_of(SquaresNetwork(5, 8), 5, 8)
    predictor = Predictor(
        ArrayNetwork(network) if as_arrays else network,
        labels_of(5),
        Resize("stretch", 32),
        batch_size,
    )
    images = [random_image(40, 50, seed) for seed in range(5)]
    frames = [Frame(index / 25, image) for index, image in enumerate(images)]
    for found, image in zip(predictor.segment_frames(frames, 0), images, strict=True):
        np.testing.assert_array_equal(found, predictor(image).mask)


class BrightnessNetwork:
    """Two classes, dark and bright, whose logits are the distance of the brightness from grey."""

    num_classes, input_stride, output_stride = 2, 8, 8

    def logits(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        bright = images[:, ::8, ::8].mean(axis=-1, dtype=np.float32) - 128
        return (np.stack([-bright, bright], axis=1) / 10).astype(np.float32)


def test_frames_that_flicker_around_a_boundary_keep_their_labels() -> None:
    predictor = Predictor(BrightnessNetwork(), labels_of(2), Resize("stretch", 32))
    greys = (140, *(120, 132) * 4)
    frames = [Frame(i / 25, np.full((20, 30, 3), grey, np.uint8)) for i, grey in enumerate(greys)]
    alone = [int(mask[0, 0]) for mask in predictor.segment_frames(frames, 0)]
    smooth = [int(mask[0, 0]) for mask in predictor.segment_frames(frames, 1.0)]
    assert alone == [1, *(0, 1) * 4]
    assert smooth == [1] * len(greys)


def test_no_more_frames_are_read_than_go_through_the_network_together() -> None:
    network = network_of(SquaresNetwork(5, 8), 5, 8)
    predictor = Predictor(network, labels_of(5), Resize("stretch", 32), batch_size=2)
    read: list[int] = []

    def frames() -> Iterator[Frame]:
        for index in range(100):
            read.append(index)
            yield Frame(index / 25, random_image(8, 8, index))

    found = predictor.segment_frames(frames())
    for _ in range(3):
        next(found)
    assert read == [0, 1, 2, 3]
