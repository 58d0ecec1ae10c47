"""Tests of crops: alignment of image and mask, and void beyond the image."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from sceneparse.augmentation.geometry import FILL, OutputSquare, crop_to_square, largest_class_share
from sceneparse.augmentation.parameters import CropBox, RandomCrop
from sceneparse.augmentation.resampling import resample
from sceneparse.augmentation.settings import TransformSettings
from sceneparse.augmentation.transform import Transform
from sceneparse.data.dataset import Sample
from sceneparse.labels import Mask

VOID = 255
# Colour of each id; the colours differ strongly.
ID_COLORS = np.array([[20, 20, 20], [230, 40, 40], [40, 230, 40], [40, 40, 230]], np.uint8)
GEOMETRIES = {
    "scale": TransformSettings(scale=(0.4, 2.0), flip=0.5),
    "rotation": TransformSettings(crop=0.5, rotation=30, flip=0.5),
    "any angle": TransformSettings(rotation=180, flip=0.5),
    "all": TransformSettings(scale=(0.4, 2.0), aspect=1.5, rotation=40, flip=0.5, class_share=0.6),
}


def color_blocks(
    size: tuple[int, int], dtype: type[np.uint8] | type[np.uint16] = np.uint8
) -> Sample:
    """Make a sample of large blocks of ids, whose image shows the colours of the ids."""
    rows, columns = np.indices(size)
    ids = (rows * 3 // size[0] + 2 * (columns * 4 // size[1])) % 4
    return Sample(ID_COLORS[ids], ids.astype(dtype), "painted")


def away_from_edges(mask: Mask, steps: int = 2) -> NDArray[np.bool_]:
    """Mark pixels whose neighbours up to a distance exist and have the same id."""
    rows, columns = (side - 2 * steps for side in mask.shape)
    same = np.zeros(mask.shape, bool)
    same[steps:-steps, steps:-steps] = True
    inner = mask[steps:-steps, steps:-steps]
    for down in range(2 * steps + 1):
        for right in range(2 * steps + 1):
            shifted = mask[down : down + rows, right : right + columns]
            same[steps:-steps, steps:-steps] &= shifted == inner
    return same


def mismatches(out: Sample) -> NDArray[np.bool_]:
    """Mark pixels away from edges whose colour is not that of their id."""
    table = np.zeros((256, 3))
    table[:4], table[VOID] = ID_COLORS, FILL
    off = np.abs(out.image - table[out.mask]).max(-1) > 10
    return off & away_from_edges(out.mask)


@pytest.mark.parametrize("reduced", [1, 2])
@pytest.mark.parametrize("size", [(60, 80), (400, 300), (1000, 1400)])
@pytest.mark.parametrize("name", list(GEOMETRIES))
def test_image_and_mask_stay_aligned(name: str, size: tuple[int, int], reduced: int) -> None:
    sample = color_blocks(size)
    if reduced > 1:
        sample = sample._replace(image=sample.image[::reduced, ::reduced])
    transform = Transform(64, GEOMETRIES[name], 5, VOID)
    for index in range(15):
        out = transform(sample, transform.draw_parameters(0, index))
        assert out.image.shape == (64, 64, 3)
        assert (out.image.dtype, out.mask.dtype) == (np.uint8, np.uint8)
        assert away_from_edges(out.mask).mean() > 0.3
        # Subsampling the image here shifts it by half a pixel.
        assert mismatches(out).mean() <= (0.003 if reduced > 1 else 0), index


def test_the_alignment_check_detects_a_shifted_mask() -> None:
    transform = Transform(64, GEOMETRIES["all"], 5, VOID)
    out = transform(color_blocks((400, 300)), transform.draw_parameters(0, 0))
    assert mismatches(out._replace(mask=np.roll(out.mask, 6, axis=1))).mean() > 0.03


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("size", [(1, 1), (1, 70), (70, 1), (3, 500), (64, 64), (257, 101)])
@pytest.mark.parametrize("name", list(GEOMETRIES))
def test_the_mask_has_no_new_ids_except_void(
    name: str, size: tuple[int, int], dtype: type[np.uint8]
) -> None:
    void = int(np.iinfo(dtype).max)
    sample = color_blocks(size, dtype)
    sample = sample._replace(mask=np.where(sample.mask == 3, 200, sample.mask).astype(dtype))
    transform = Transform(33, GEOMETRIES[name], 0, void)
    for index in range(10):
        out = transform(sample, transform.draw_parameters(0, index))
        assert out.image.shape == (33, 33, 3)
        assert out.mask.dtype == dtype
        assert set(np.unique(out.mask).tolist()) <= {0, 1, 2, 200, void}


@pytest.mark.parametrize("flip", [False, True])
def test_pixels_beyond_the_image_are_fill_and_void(flip: bool) -> None:
    """Crop an image of 20×40 pixels by a square of 60×60 pixels at a known position."""
    sample = Sample(np.full((20, 40, 3), 250, np.uint8), np.ones((20, 40), np.uint8), "white")
    cut = RandomCrop(3.0, 3.0, True, ((0.25, 0.75),))
    out = crop_to_square(sample, cut, OutputSquare(60, 1.0, VOID), flip=flip)
    expected = np.full((60, 60), VOID)
    expected[10:30, 15:55] = 1
    expected = expected[:, ::-1] if flip else expected
    np.testing.assert_array_equal(out.mask, expected)
    np.testing.assert_array_equal(out.image[expected == 1], 250)
    assert np.all(out.image[expected == VOID] == FILL)


@pytest.mark.parametrize("size", [(40, 50), (300, 310), (64, 64)])
def test_a_scaled_crop_inside_the_image_equals_resample(
    size: tuple[int, int],
) -> None:
    random = np.random.default_rng(0)
    image = random.integers(0, 256, (*size, 3), np.uint8)
    sample = Sample(image, random.integers(0, 4, size, np.uint8), "noise")
    cut = RandomCrop(0.7, 0.7, True, ((0.3, 0.6),))
    out = crop_to_square(sample, cut, OutputSquare(32, 1.0, VOID), flip=True)
    (crop,) = cut.boxes(size)
    expected = resample(sample.image, sample.mask, crop, 32, flip=True)
    np.testing.assert_array_equal(out.image, expected[0])
    np.testing.assert_array_equal(out.mask, expected[1])


@pytest.mark.parametrize("angle", [1e-9, 0.0])
def test_angle_zero_does_not_rotate(angle: float) -> None:
    sample = color_blocks((64, 64))
    out = crop_to_square(
        sample, RandomCrop(1, 1, False, ((0, 0),), angle), OutputSquare(64, 1, VOID), flip=False
    )
    np.testing.assert_array_equal(out.mask, sample.mask)
    assert np.abs(out.image.astype(int) - sample.image).max() <= 1


def test_a_rotation_by_90_degrees_is_exact_and_counter_clockwise() -> None:
    random = np.random.default_rng(0)
    sample = Sample(
        random.integers(0, 256, (32, 32, 3), np.uint8),
        random.integers(0, 4, (32, 32), np.uint8),
        "noise",
    )
    rotated_crop = RandomCrop(1, 1, False, ((0, 0),), 90)
    out = crop_to_square(sample, rotated_crop, OutputSquare(32, 1, VOID), flip=False)
    np.testing.assert_array_equal(out.mask, np.rot90(sample.mask))
    np.testing.assert_array_equal(out.image, np.rot90(sample.image))
    flipped = crop_to_square(sample, rotated_crop, OutputSquare(32, 1, VOID), flip=True)
    np.testing.assert_array_equal(flipped.mask, out.mask[:, ::-1])
    np.testing.assert_array_equal(flipped.image, out.image[:, ::-1])


def test_rotation_accepts_sides_of_any_length() -> None:
    sample = color_blocks((16, 70_000))
    out = crop_to_square(
        sample, RandomCrop(1, 1, False, ((0, 0),), 180), OutputSquare(32, 1, VOID), flip=False
    )
    expected = sample.mask[::-1, ::-1][::, 1093::2187][:, :32]
    inside = out.mask[1::2] == expected[:16]
    assert inside.mean() > 0.9


def test_rotation_to_a_lower_resolution_is_antialiased() -> None:
    """Check that stripes finer than the output pixels become grey, as by averaging."""
    stripes = np.zeros((512, 512, 3), np.uint8)
    stripes[:, ::2] = 250
    sample = Sample(stripes, np.zeros((512, 512), np.uint8), "stripes")
    out = crop_to_square(
        sample, RandomCrop(1, 1, False, ((0, 0),), 5), OutputSquare(64, 1, VOID), flip=False
    )
    inside = out.image[out.mask == 0].astype(float)
    assert np.abs(inside - 125).mean() < 6


def test_class_share_holds_if_any_position_allows_it() -> None:
    """Crop an image whose left two thirds are one class."""
    ids = (np.indices((90, 120))[1] >= 80).astype(np.uint8)
    sample = Sample(ID_COLORS[ids], ids, "two")
    bounded = Transform(32, TransformSettings(scale=(1.0, 2.0), class_share=0.75), 1, VOID)
    free = replace(bounded, settings=TransformSettings(scale=(1.0, 2.0)))
    moved = 0
    for index in range(60):
        parameters = bounded.draw_parameters(0, index)
        out = bounded(sample, parameters)
        plain = free(sample, free.draw_parameters(0, index))
        choices = [
            crop_to_square(
                sample,
                parameters.crop._replace(positions=(position,)),
                OutputSquare(32, 1.0, VOID),
                flip=False,
            )
            for position in parameters.crop.positions
        ]
        shares = [largest_class_share(choice.mask, VOID) for choice in choices]
        allowed = [index for index, share in enumerate(shares) if share <= 0.75]
        chosen = allowed[0] if allowed else int(np.argmin(shares))
        np.testing.assert_array_equal(out.mask, choices[chosen].mask)
        np.testing.assert_array_equal(plain.mask, choices[0].mask)
        moved += chosen != 0
    assert moved > 10


def test_the_largest_class_share_counts_labelled_pixels() -> None:
    mask = np.array([[0, 0, 0, 1], [VOID, VOID, VOID, VOID]], np.uint8)
    assert largest_class_share(mask, VOID) == 0.75
    assert largest_class_share(np.full((3, 3), VOID, np.uint8), VOID) == 1


def test_class_share_counts_the_pixels_of_the_output() -> None:
    """Check that the bound uses the mask of `resample`, to the pixel."""
    random = np.random.default_rng(2)
    for _ in range(50):
        size = (int(random.integers(20, 90)), int(random.integers(20, 90)))
        mask = random.integers(0, 200, size, np.uint8)
        image = np.zeros((-(-size[0] // 2), -(-size[1] // 2), 3), np.uint8)
        height, width, top, left = random.uniform(0.2, 1, 4).tolist()
        crop = CropBox((1 - height) * top, (1 - width) * left, height, width)
        _, expected = resample(image, mask, crop, 24, flip=False)
        share = np.bincount(expected.ravel()).max() / expected.size
        cut = RandomCrop(height, width, False, ((top, left),) * 2)
        # The bound equals the share of the first position, which must thus be accepted.
        out = crop_to_square(
            Sample(image, mask, "noise"), cut, OutputSquare(24, share, VOID), flip=False
        )
        np.testing.assert_array_equal(out.mask, expected)
        assert largest_class_share(out.mask, VOID) == share


@pytest.mark.parametrize("name", list(GEOMETRIES))
def test_crops_accept_any_memory_layout(name: str) -> None:
    """Crop reversed views, as from decoders, and read-only views, as from a cache."""
    sample = color_blocks((90, 120))
    image, mask = sample.image[..., ::-1].copy()[..., ::-1], sample.mask.copy()
    image.flags.writeable = mask.flags.writeable = False
    transform = Transform(48, GEOMETRIES[name], 0, VOID)
    for index in range(10):
        parameters = transform.draw_parameters(0, index)
        out, plain = (
            transform(Sample(image, mask, "view"), parameters),
            transform(sample, parameters),
        )
        np.testing.assert_array_equal(out.image, plain.image)
        np.testing.assert_array_equal(out.mask, plain.mask)
