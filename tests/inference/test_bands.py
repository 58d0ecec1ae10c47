"""Inference on images of other bands than RGB."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from sceneparse import factory
from sceneparse.data.io.decode import ImageReading, read_image
from sceneparse.drawing import displayed_rgb
from sceneparse.errors import InputError
from sceneparse.inference.dense_crf import DenseCrf
from sceneparse.inference.guided_filter import GuidedFilter
from sceneparse.inference.predictor import Predictor
from sceneparse.inference.resize import resized
from sceneparse.inference.settings import (
    DenseCrfRefinement,
    GuidedFilterRefinement,
    InferenceSettings,
)
from sceneparse.labels import Labels
from sceneparse.models.settings import UNetModel
from tests.data.io.geotiffs import random_bands, write_tiff

LABELS = Labels(("background", "plant"), ((0, 0, 0), (0, 200, 0)), (0, 1))


def predictor_of(
    bands: tuple[int, ...],
    settings: InferenceSettings | None = None,
    value_range: tuple[float, float] | None = None,
) -> Predictor:
    torch.manual_seed(0)
    segmenter = UNetModel(width=4).build(2, len(bands)).eval()
    settings = settings or InferenceSettings(resize="stretch", size=64)
    reading = ImageReading(value_range=value_range, bands=bands)
    return factory.predictor(segmenter, LABELS, settings, "fp32", torch.device("cpu"), reading)


@pytest.mark.parametrize("channels", [1, 2, 4, 5, 12])
def test_each_band_is_resized_like_one_of_rgb(channels: int) -> None:
    pixels = random_bands(channels, size=(50, 70))
    found = resized(pixels, (20, 33))
    assert found.shape == (20, 33, channels)
    for band in range(channels):
        expected = resized(np.repeat(pixels[..., [band]], 3, axis=2), (20, 33))
        np.testing.assert_array_equal(found[..., band], expected[..., 0])


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 12])
def test_bands_are_displayed_as_rgb(channels: int) -> None:
    pixels = random_bands(channels)
    shown = displayed_rgb(pixels)
    assert shown.shape == (20, 30, 3)
    expected = pixels[..., :3] if channels > 2 else pixels[..., [0, 0, 0]]
    np.testing.assert_array_equal(shown, expected)


@pytest.mark.parametrize(
    "settings",
    [
        InferenceSettings(resize="window", size=32),
        InferenceSettings(resize="keep_ratio", size=48, flip=True, scales=(1.0, 1.5)),
        InferenceSettings(resize="stretch", size=32, refine=GuidedFilterRefinement()),
        InferenceSettings(resize="stretch", size=32, refine=DenseCrfRefinement(iterations=1)),
    ],
    ids=str,
)
@pytest.mark.parametrize("bands", [(1,), (1, 2, 3, 4), tuple(range(1, 13))])
def test_every_way_from_pixels_to_mask_takes_bands(
    bands: tuple[int, ...], settings: InferenceSettings, tmp_path: Path
) -> None:
    predictor = predictor_of(bands, settings)
    pixels = random_bands(len(bands), size=(64, 96))
    prediction = predictor(pixels)
    assert prediction.mask.shape == (64, 96)
    path = write_tiff(tmp_path / "a.tif", pixels)
    np.testing.assert_array_equal(predictor(path).mask, prediction.mask)
    assert prediction.overlay(legend=True).shape[2] == 3
    assert "<img" in getattr(prediction, "_repr_html_")()  # noqa: B009 - as notebooks call it
    assert prediction.plot() is not None
    assert len(prediction.save(tmp_path, "result")) == 4


def test_a_repeated_band_guides_like_the_band_itself() -> None:
    random = np.random.default_rng(0)
    probabilities = random.dirichlet([1, 1], (16, 20)).transpose(2, 0, 1).astype(np.float32)
    band = random_bands(1, size=(32, 40))
    crf = DenseCrf(DenseCrfRefinement(iterations=2), stride=2)
    guided = GuidedFilter(GuidedFilterRefinement(epsilon=1e-3))
    one, three, six = (np.repeat(band, count, axis=2) for count in (1, 3, 6))
    # The distance of colours is a mean over bands.
    np.testing.assert_allclose(crf(probabilities, one), crf(probabilities, three), atol=1e-5)
    np.testing.assert_allclose(crf(probabilities, six), crf(probabilities, three), atol=1e-5)
    # Equal bands share the coefficient, as if there were less noise.
    less = GuidedFilter(GuidedFilterRefinement(epsilon=1e-3 / 3))
    np.testing.assert_allclose(less(probabilities, one), guided(probabilities, three), atol=1e-4)


def test_arrays_have_the_bands_of_the_model() -> None:
    predictor = predictor_of((4, 1, 2, 3))
    pixels = random_bands(4)
    expected = predictor(pixels).mask
    np.testing.assert_array_equal(predictor(pixels / 255).mask, expected)
    tensor = torch.from_numpy(pixels.copy())
    np.testing.assert_array_equal(predictor(tensor.permute(2, 0, 1)).mask, expected)
    np.testing.assert_array_equal(predictor([pixels, tensor])[1].mask, expected)
    with pytest.raises(InputError, match=r"expected \(H, W, 4\); .*bands \[4, 1, 2, 3\] of a file"):
        predictor(pixels[..., :3])
    with pytest.raises(InputError, match="its channels come first"):
        predictor(np.moveaxis(pixels, 2, 0))
    with pytest.raises(InputError, match=r"expected \(H, W, 4\); of a batch"):
        predictor(pixels[None])
    stored = Image.fromarray(pixels[..., [1, 2, 3, 0]])  # the file, whose fourth band is the first
    np.testing.assert_array_equal(predictor(stored).mask, expected)


def test_a_model_of_one_band_takes_flat_arrays() -> None:
    predictor = predictor_of((2,))
    band = random_bands(1)
    np.testing.assert_array_equal(predictor(band[..., 0]).mask, predictor(band).mask)
    with pytest.raises(InputError, match=r"expected \(H, W, 1\) or \(H, W\)"):
        predictor(random_bands(3))


def test_a_range_of_values_applies_to_what_was_not_read_yet(tmp_path: Path) -> None:
    predictor = predictor_of((1, 2), value_range=(0, 1000))
    deep = random_bands(2, np.uint16) % 1000
    path = write_tiff(tmp_path / "a.tif", deep)
    expected = predictor.segment(read_image(path, reading=predictor.reading))
    for given in (path, deep):
        found = predictor(given)
        np.testing.assert_array_equal(found.image, expected.image)
        np.testing.assert_array_equal(found.confidence, expected.confidence)


def test_a_model_of_rgb_refuses_other_bands(tmp_path: Path) -> None:
    predictor = predictor_of((1, 2, 3))
    predictor.reading = replace(predictor.reading, bands=None)
    path = write_tiff(tmp_path / "a.tif", random_bands(4), photometric="MINISBLACK")
    with pytest.raises(InputError, match=r"4 bands, .*for a model without data\.bands, save"):
        predictor(path)
