from collections import Counter
from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray

from sceneparse.labels import ade20k_labels
from sceneparse.scenes import draw_scene

Scene = tuple[NDArray[np.uint8], NDArray[np.uint8]]


@cache
def small_scenes() -> list[Scene]:
    return [draw_scene(0, index, 64, 64) for index in range(150)]


def test_equal_arguments_give_equal_scenes() -> None:
    first, again = draw_scene(3, 5, 60, 80), draw_scene(3, 5, 60, 80)
    np.testing.assert_array_equal(first[0], again[0])
    np.testing.assert_array_equal(first[1], again[1])


@pytest.mark.parametrize(("seed", "index"), [(3, 6), (4, 5)])
def test_each_seed_and_index_gives_another_scene(seed: int, index: int) -> None:
    assert (draw_scene(3, 5, 60, 80)[0] != draw_scene(seed, index, 60, 80)[0]).mean() > 0.5


@pytest.mark.parametrize(
    ("height", "width"), [(32, 32), (33, 47), (96, 40), (40, 160), (384, 512), (257, 101)]
)
@pytest.mark.parametrize("index", range(6))
def test_scenes_have_any_size(height: int, width: int, index: int) -> None:
    image, mask = draw_scene(1, index, height, width)
    assert (image.shape, image.dtype) == ((height, width, 3), np.uint8)
    assert (mask.shape, mask.dtype) == ((height, width), np.uint8)
    assert image.flags.c_contiguous


def test_scenes_can_be_large() -> None:
    image, mask = draw_scene(1, 2, 1536, 2048)
    assert image.shape[:2] == mask.shape == (1536, 2048)


@pytest.mark.parametrize("index", range(20))
def test_scenes_have_the_same_content_at_any_size(index: int) -> None:
    small, large = draw_scene(2, index, 64, 64)[1], draw_scene(2, index, 192, 192)[1]
    assert (large[1::3, 1::3] == small).mean() > 0.9


def test_masks_have_ids_of_ade20k_and_few_unlabelled_pixels() -> None:
    masks = np.stack([mask for _, mask in small_scenes()])
    assert set(np.unique(masks).tolist()) <= {0, *ade20k_labels().raw_ids}
    assert 0 < (masks == 0).mean() < 0.05


def test_scenes_contain_many_classes() -> None:
    scenes = small_scenes()
    shows = Counter(int(raw) for _, mask in scenes for raw in np.unique(mask) if raw)
    assert sum(count >= 0.03 * len(scenes) for count in shows.values()) >= 24


def test_images_use_the_range_of_brightness() -> None:
    means = np.array([image.mean() for image, _ in small_scenes()])
    spreads = np.array([image.std() for image, _ in small_scenes()])
    assert means.min() > 60
    assert means.max() < 220
    assert np.median(spreads) > 30


def test_mask_edges_coincide_with_image_edges() -> None:
    inside, across = [], []
    for image, mask in small_scenes()[:50]:
        step = np.abs(np.diff(image.astype(np.float32), axis=1)).mean(-1)
        border = mask[:, 1:] != mask[:, :-1]
        inside.append(step[~border].mean())
        across.append(step[border].mean())
    assert np.mean(across) > 2 * np.mean(inside)


def test_colour_alone_does_not_predict_the_class() -> None:
    scenes = small_scenes()
    assert colour_accuracy(scenes[:100], scenes[100:]) < 0.4


def colour_accuracy(fitted: list[Scene], tested: list[Scene]) -> float:
    """Return the accuracy of predicting the most frequent class of each of 16³ colours."""
    counts = np.zeros((4096, 151), np.int64)
    for image, mask in fitted:
        np.add.at(counts, (colour_bins(image), mask.astype(np.intp)), 1)
    most_frequent = counts[:, 1:].argmax(1) + 1
    most_frequent[counts.sum(1) == 0] = counts[:, 1:].sum(0).argmax() + 1
    labelled = [mask > 0 for _, mask in tested]
    correct = [
        (most_frequent[colour_bins(image)] == mask)[known]
        for (image, mask), known in zip(tested, labelled, strict=True)
    ]
    return float(np.concatenate(correct).mean())


def colour_bins(image: NDArray[np.uint8]) -> NDArray[np.intp]:
    red, green, blue = (image >> 4).astype(np.intp).transpose(2, 0, 1)
    return (red << 8) | (green << 4) | blue
