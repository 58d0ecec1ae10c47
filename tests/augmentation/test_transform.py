"""Tests of the transform: reproducibility, geometry, flips and colours."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from sceneparse.augmentation.parameters import CropBox
from sceneparse.augmentation.resampling import resample
from sceneparse.augmentation.settings import TransformSettings
from sceneparse.augmentation.transform import Transform
from sceneparse.data.dataset import Sample
from sceneparse.labels import Mask

ALL = TransformSettings(
    crop=0.4, aspect=1.5, flip=0.5, brightness=0.3, contrast=0.3, saturation=0.3, hue=0.1
)
VOID = 255
GEOMETRY = TransformSettings(crop=0.4, aspect=1.5, flip=0.5)
# Colour of each id; the colours differ strongly.
ID_COLORS = np.array([[20, 20, 20], [230, 40, 40], [40, 230, 40], [40, 40, 230]], np.uint8)


def color_blocks(size: tuple[int, int], dtype: type[Mask] | type[np.uint8] = np.uint8) -> Sample:
    """Make a sample of large blocks of ids, whose image shows the colours of the ids."""
    rows, columns = np.indices(size)
    ids = (rows * 3 // size[0] + 2 * (columns * 4 // size[1])) % 4
    return Sample(ID_COLORS[ids], ids.astype(dtype), "painted")


def noisy(size: tuple[int, int]) -> Sample:
    random = np.random.default_rng(0)
    image = random.integers(0, 256, (*size, 3), np.uint8)
    return Sample(image, random.integers(0, 4, size, np.uint8), "noisy")


def apply_transform(transform: Transform, sample: Sample, epoch: int, index: int) -> Sample:
    return transform(sample, transform.draw_parameters(epoch, index))


def away_from_edges(mask: NDArray[np.unsignedinteger]) -> NDArray[np.bool_]:
    """Mark pixels whose neighbours at a distance of up to 2 have the same id."""
    same = np.ones(mask.shape, bool)
    for axis in (0, 1):
        for step in (-2, -1, 1, 2):
            same &= np.roll(mask, step, axis) == mask
    same[:2] = same[-2:] = same[:, :2] = same[:, -2:] = False
    return same


def test_the_same_numbers_give_the_same_sample() -> None:
    sample = noisy((40, 50))
    first, again = (apply_transform(Transform(32, ALL, 3, VOID), sample, 2, 5) for _ in range(2))
    np.testing.assert_array_equal(first.image, again.image)
    np.testing.assert_array_equal(first.mask, again.mask)
    assert first.name == "noisy"


@pytest.mark.parametrize(("seed", "epoch", "index"), [(4, 2, 5), (3, 1, 5), (3, 2, 6), (3, 5, 2)])
def test_each_seed_epoch_and_index_gives_another_sample(seed: int, epoch: int, index: int) -> None:
    sample = noisy((40, 50))
    first = apply_transform(Transform(32, ALL, 3, VOID), sample, 2, 5)
    other = apply_transform(Transform(32, ALL, seed, VOID), sample, epoch, index)
    assert (first.image != other.image).mean() > 0.5
    assert (first.mask != other.mask).any()


def test_the_transform_does_not_change_its_input() -> None:
    sample = noisy((40, 50))
    image, mask = sample.image.copy(), sample.mask.copy()
    for index in range(5):
        apply_transform(Transform(32, ALL, 0, VOID), sample, 0, index)
    np.testing.assert_array_equal(sample.image, image)
    np.testing.assert_array_equal(sample.mask, mask)


@pytest.mark.parametrize("size", [(40, 50), (32, 32), (9, 200), (300, 310)])
def test_no_augmentation_is_a_plain_resize(size: tuple[int, int]) -> None:
    sample = noisy(size)
    out = apply_transform(Transform(32, TransformSettings(), 1, VOID), sample, 4, 7)
    image = np.array(Image.fromarray(sample.image).resize((32, 32), Image.Resampling.BILINEAR))
    rows = ((np.arange(32) + 0.5) * size[0] / 32).astype(int)
    columns = ((np.arange(32) + 0.5) * size[1] / 32).astype(int)
    np.testing.assert_array_equal(out.mask, sample.mask[rows][:, columns])
    assert np.abs(out.image.astype(int) - image).mean() < 0.5


@pytest.mark.parametrize("size", [(1, 1), (1, 70), (70, 1), (3, 500), (64, 64), (257, 101)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_the_output_is_square_and_the_mask_has_no_new_ids(
    size: tuple[int, int], dtype: type[np.uint8]
) -> None:
    sample = color_blocks(size, dtype)
    sample = sample._replace(mask=np.where(sample.mask == 3, np.iinfo(dtype).max, sample.mask))
    for index in range(20):
        out = apply_transform(
            Transform(33, replace(ALL, crop=0.01, aspect=4.0), 0, VOID), sample, 0, index
        )
        assert out.image.shape == (33, 33, 3)
        assert out.mask.shape == (33, 33)
        assert (out.image.dtype, out.mask.dtype) == (np.uint8, dtype)
        assert set(np.unique(out.mask).tolist()) <= set(np.unique(sample.mask).tolist())


@pytest.mark.parametrize("size", [(60, 80), (400, 300), (1000, 1400)])
@pytest.mark.parametrize("index", range(8))
def test_image_and_mask_stay_aligned(size: tuple[int, int], index: int) -> None:
    out = apply_transform(Transform(64, GEOMETRY, 5, VOID), color_blocks(size), 0, index)
    inside = away_from_edges(out.mask)
    assert inside.mean() > 0.4
    mismatches = np.abs(out.image.astype(int) - ID_COLORS[out.mask]).max(-1) > 10
    assert not (mismatches & inside).any()


def test_the_alignment_check_detects_a_shifted_mask() -> None:
    out = apply_transform(Transform(64, GEOMETRY, 5, VOID), color_blocks((400, 300)), 0, 0)
    shifted = np.roll(out.mask, 6, axis=1)
    mismatches = np.abs(out.image.astype(int) - ID_COLORS[shifted]).max(-1) > 10
    assert (mismatches & away_from_edges(shifted)).any()


@pytest.mark.parametrize("stride", [2, 4])
def test_mask_stride_selects_every_nth_pixel(stride: int) -> None:
    sample, transform = (
        noisy((400, 300)),
        Transform(64, replace(GEOMETRY, mask_stride=stride), 5, VOID),
    )
    offsets: list[tuple[int, int]] = []
    for index in range(200):
        whole = apply_transform(Transform(64, GEOMETRY, 5, VOID), sample, 0, index)
        strided = apply_transform(transform, sample, 0, index)
        np.testing.assert_array_equal(strided.image, whole.image)
        row, column = transform.draw_parameters(0, index).mask_offset
        np.testing.assert_array_equal(strided.mask, whole.mask[row::stride, column::stride])
        assert strided.mask.shape == (64 // stride, 64 // stride)
        offsets.append((row, column))
    # On average, the selected pixels lie at the centres of the cells of the strided mask.
    centres = np.array(offsets) + 0.5
    assert set(np.unique(centres)) == {stride / 2 - 0.5, stride / 2 + 0.5}
    np.testing.assert_allclose(centres.mean(0), stride / 2, atol=0.1)


def test_flip_exchanges_left_and_right_of_image_and_mask() -> None:
    sample = noisy((32, 32))
    whole = CropBox(0.0, 0.0, 1.0, 1.0)
    plain = resample(sample.image, sample.mask, whole, 32, flip=False)
    flipped = resample(sample.image, sample.mask, whole, 32, flip=True)
    for before, after in zip(plain, flipped, strict=True):
        np.testing.assert_array_equal(after, before[:, ::-1])


def test_flip_has_its_probability() -> None:
    sample = noisy((32, 32))
    flipped = [
        not np.array_equal(
            apply_transform(
                Transform(32, TransformSettings(flip=0.25), 0, VOID), sample, epoch, 0
            ).mask,
            sample.mask,
        )
        for epoch in range(400)
    ]
    assert 0.17 < np.mean(flipped) < 0.33


def test_crop_and_aspect_stay_in_their_ranges() -> None:
    """Read the box of each crop from an image of row and column numbers."""
    rows, columns = np.indices((100, 200))
    image = np.stack([rows, columns, rows], -1).astype(np.uint8)
    sample = Sample(image, np.zeros((100, 200), np.uint8), "ramp")
    heights: list[float] = []
    widths: list[float] = []
    corners: list[NDArray[np.float64]] = []
    for index in range(200):
        out = apply_transform(
            Transform(50, TransformSettings(crop=0.5, aspect=1.4), 0, VOID), sample, 0, index
        ).image
        heights.append(float(np.ptp(out[..., 0].astype(float))) * 50 / 49 / 100)
        widths.append(float(np.ptp(out[..., 1].astype(float))) * 50 / 49 / 200)
        corners.append(out[0, 0, :2] / [100, 200])
    ratios = np.array(widths) / np.array(heights)
    low = 0.5 / 1.4**0.5
    assert low - 0.05 < min(heights) < 0.6
    assert low - 0.05 < min(widths) < 0.6
    assert max(heights) > 0.9
    assert np.ptp(corners, axis=0).min() > 0.35
    assert 1 / 1.4 - 0.06 < ratios.min() < 0.85
    assert 1.15 < ratios.max() < 1.4 + 0.06


@pytest.mark.parametrize("kind", ["brightness", "contrast", "saturation", "hue"])
def test_colours_change_and_the_mask_does_not(kind: str) -> None:
    sample = color_blocks((32, 32))
    out = apply_transform(
        Transform(32, replace(TransformSettings(), **{kind: 0.5}), 0, VOID), sample, 0, 1
    )
    assert np.abs(out.image.astype(int) - sample.image).mean() > 1
    np.testing.assert_array_equal(out.mask, sample.mask)


@pytest.mark.parametrize("scale", [2, 4])
def test_an_image_of_lower_resolution_stays_aligned_with_its_mask(scale: int) -> None:
    sample = color_blocks((400, 320))
    reduced = sample._replace(image=sample.image[scale // 2 :: scale, scale // 2 :: scale])
    for index in range(8):
        transform = Transform(64, GEOMETRY, 5, VOID)
        out = apply_transform(transform, reduced, 0, index)
        inside = away_from_edges(out.mask)
        mismatches = np.abs(out.image.astype(int) - ID_COLORS[out.mask]).max(-1) > 10
        assert not (mismatches & inside).any()


def test_the_minimum_image_size_fills_the_square() -> None:
    transform = Transform(64, ALL, 0, VOID)
    for index in range(50):
        parameters = transform.draw_parameters(0, index)
        height, width = transform.min_image_size(parameters)
        assert height * parameters.crop.height >= 63
        assert width * parameters.crop.width >= 63
        assert min(height, width) >= 64
