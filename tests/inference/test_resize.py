"""How images are sized for the network."""

import numpy as np
import pytest
from numpy.typing import NDArray

from sceneparse.errors import InputError
from sceneparse.inference.network import as_array
from sceneparse.inference.resize import Resize, ResizeKind, logits_of_images, resized


class MeanNetwork:
    """A network whose logits are the mean colours of squares of 4×4 pixels, as an array."""

    num_classes = 3
    input_stride = 8
    output_stride = 4

    def __init__(self) -> None:
        self.sizes: list[tuple[int, ...]] = []
        self.batches: list[int] = []

    def logits(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        self.sizes.append(images.shape[1:3])
        self.batches.append(len(images))
        rows, columns = images.shape[1] // 4, images.shape[2] // 4
        squares = images.astype(np.float32).reshape(-1, rows, 4, columns, 4, 3).mean(axis=(2, 4))
        return squares.transpose(0, 3, 1, 2)


def random_image(height: int, width: int) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3)).astype(np.uint8)


def test_stretch_shows_the_network_a_square() -> None:
    network = MeanNetwork()
    logits, covered = logits_of_images([random_image(50, 90)], network, Resize("stretch", 64))[0]
    assert network.sizes == [(64, 64)]
    assert logits.shape == (3, 16, 16)
    assert covered == (16, 16)


@pytest.mark.parametrize(("height", "width"), [(50, 90), (90, 50), (33, 200), (64, 64)])
def test_keep_ratio_keeps_it_to_the_stride(height: int, width: int) -> None:
    rows, columns = Resize("keep_ratio", 64).network_size(height, width, 8)
    assert rows % 8 == columns % 8 == 0
    assert min(rows, columns) == 64
    assert abs(columns / rows - width / height) < 0.1 * width / height


@pytest.mark.parametrize(("height", "width"), [(64, 64), (70, 200), (300, 64)])
@pytest.mark.parametrize("overlap", [0.0, 0.25, 0.6])
def test_windows_put_together_are_the_whole(height: int, width: int, overlap: float) -> None:
    network = MeanNetwork()
    image = random_image(height, width)
    resize = Resize("window", 64, overlap)
    logits, covered = logits_of_images([image], network, resize)[0]
    size = resize.network_size(height, width, network.input_stride)
    assert set(network.sizes) == {(64, 64)}
    assert covered == (size[0] / 4, size[1] / 4)
    whole = MeanNetwork().logits(resized(image, size)[None])[0]
    np.testing.assert_allclose(as_array(logits), whole, atol=1e-3)


def test_each_kind_says_what_it_does() -> None:
    assert str(Resize("stretch", 256)) == "stretched to 256×256"
    assert "ratio kept" in str(Resize("keep_ratio", 512))
    assert "25%" in str(Resize("window", 512, 0.25))


@pytest.mark.parametrize("kind", ["stretch", "keep_ratio", "window"])
def test_images_of_mixed_sizes_have_the_logits_they_have_alone(kind: ResizeKind) -> None:
    images = [random_image(*size) for size in ((50, 90), (64, 64), (100, 180), (90, 50), (70, 70))]
    resize = Resize(kind, 64)
    together = logits_of_images(images, MeanNetwork(), resize)
    for image, (logits, covered) in zip(images, together, strict=True):
        alone = logits_of_images([image], MeanNetwork(), resize)[0]
        np.testing.assert_array_equal(as_array(logits), as_array(alone.values))
        assert covered == alone.covered


def test_images_seen_at_the_same_size_go_through_the_network_together() -> None:
    images = [random_image(*size) for size in ((50, 90), (64, 64), (100, 180), (90, 50), (70, 70))]
    stretch, keep = MeanNetwork(), MeanNetwork()
    logits_of_images(images, stretch, Resize("stretch", 64))
    logits_of_images(images, keep, Resize("keep_ratio", 64))
    assert stretch.batches == [5]
    assert sorted(keep.batches) == [1, 2, 2]


def test_an_image_that_would_fill_the_memory_is_refused_but_in_windows() -> None:
    network = MeanNetwork()
    with pytest.raises(InputError, match="more than 16 Mi pixels at once"):
        logits_of_images([random_image(1, 600)], network, Resize("keep_ratio", 256))
    assert network.sizes == []
    logits_of_images([random_image(1, 600)], network, Resize("window", 256))
    assert set(network.sizes) == {(256, 256)}


def triangle_weights(size: int, new_size: int) -> NDArray[np.int64]:
    """Weights `(new_size, size)` of a triangle filter, in whole multiples of 2**-22."""
    reach = 2 * max(size, new_size)
    distance = np.abs(
        (2 * np.arange(size) + 1) * new_size - ((2 * np.arange(new_size) + 1) * size)[:, None]
    )
    weights = (reach - distance).clip(0)
    total = weights.sum(axis=1, keepdims=True)
    return (2**23 * weights + total) // (2 * total)


@pytest.mark.parametrize(
    ("size", "new_size"),
    [
        *(((90, 51), (32, 32)), ((40, 300), (64, 64)), ((1, 1), (32, 40)), ((7, 1200), (33, 31))),
        ((256, 384), (416, 416)),
    ],
)
def test_resizing_is_two_rounded_triangle_filters(
    size: tuple[int, int], new_size: tuple[int, int]
) -> None:
    image = random_image(*size)
    rows, columns = (triangle_weights(*pair) for pair in zip(size, new_size, strict=True))
    low = (np.einsum("yh,hwc->ywc", rows, image) + 2**21) >> 22
    expected = (np.einsum("xw,ywc->yxc", columns, low) + 2**21) >> 22
    np.testing.assert_array_equal(resized(image, new_size), expected)


def test_a_tie_between_two_sizes_rounds_up() -> None:
    assert Resize("keep_ratio", 80).network_size(100, 125, 8) == (80, 104)  # 100 / 8 = 12.5
