"""Tests of mixing: the second sample, the pasted regions, and the probabilities."""

from collections import Counter
from typing import Any

import numpy as np
import pytest

from sceneparse.augmentation.mixing import SampleMixer, find_rare_classes, half_of_classes
from sceneparse.augmentation.parameters import (
    CropBox,
    MixParameters,
    PasteHalfOfClasses,
    PasteRectangle,
    RandomCrop,
)
from sceneparse.augmentation.parameters import PasteRareClasses as Rare
from sceneparse.augmentation.settings import TransformSettings
from sceneparse.augmentation.transform import Transform
from sceneparse.data.dataset import Sample

VOID = 255
WHOLE_IMAGE = RandomCrop(1, 1, False, ((0, 0),))
# Class 2 is rare, class 3 is rarer, and class 4 does not occur.
PIXELS = np.array([[90, 10, 0, 0, 0], [60, 40, 0, 0, 0], [80, 0, 3, 0, 0], [99, 0, 0, 1, 0]])


def sample(first: int, classes: int = 4) -> Sample:
    """Make a sample with ids from `first` on, whose image encodes the id and the sample."""
    ids = (np.indices((32, 32))[1] * classes // 32 + first).astype(np.uint8)
    ids[:4] = VOID
    image = np.stack([ids, np.full_like(ids, first), ids], -1)
    return Sample(image, ids, str(first))


def make_mixer(**probabilities: Any) -> SampleMixer:
    return SampleMixer(
        4,
        VOID,
        TransformSettings(**probabilities),
        rare_classes=find_rare_classes(PIXELS, 0.05, VOID),
    )


def draw_mixes(make_mixer: SampleMixer, count: int = 1500) -> list[MixParameters | None]:
    return [make_mixer.draw(np.random.default_rng(index)) for index in range(count)]


def check_pasted(out: Sample, one: Sample, other: Sample, part: np.ndarray) -> None:
    assert out.name == one.name
    for mine, first, second in ((out.mask, one.mask, other.mask), (out.image, *pair(one, other))):
        expected = np.where(part if mine.ndim == 2 else part[..., None], second, first)
        np.testing.assert_array_equal(mine, expected)


def pair(one: Sample, other: Sample) -> tuple[np.ndarray, np.ndarray]:
    return one.image, other.image


def test_each_kind_of_mixing_has_its_probability() -> None:
    found = draw_mixes(make_mixer(cutmix=0.2, classmix=0.3, copy_paste=0.1))
    kinds = Counter(type(mix.region).__name__ if mix else "none" for mix in found)
    expected = {
        "PasteRectangle": 0.2,
        "PasteHalfOfClasses": 0.3,
        "PasteRareClasses": 0.1,
        "none": 0.4,
    }
    for name, share in expected.items():
        assert abs(kinds[name] / len(found) - share) < 0.04
    assert not any(draw_mixes(make_mixer(), 50))


def test_mixing_does_not_change_the_other_random_parameters() -> None:
    plain = Transform(32, TransformSettings(crop=0.5, flip=0.5, hue=0.1, noise=1), 0, VOID)
    with_mixing = Transform(32, plain.settings, 0, VOID, mixing=make_mixer(cutmix=1))
    for index in range(10):
        assert with_mixing.draw_parameters(0, index)._replace(mix=None) == plain.draw_parameters(
            0, index
        )


def test_cutmix_pastes_a_rectangle_of_half_the_area_anywhere() -> None:
    one, other = sample(0), sample(100)
    mixer = make_mixer(cutmix=1)
    covered = np.zeros((32, 32))
    for mix in draw_mixes(mixer, 300):
        assert mix is not None
        assert isinstance(mix.region, PasteRectangle)
        out = mixer.paste(one, other, mix)
        part = out.image[..., 1] == 100
        rows, columns = np.flatnonzero(part.any(axis=1)), np.flatnonzero(part.any(axis=0))
        box = np.zeros_like(part)
        box[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] = True
        np.testing.assert_array_equal(part, box)
        assert 0.43 < part.mean() < 0.57
        check_pasted(out, one, other, part)
        covered += part
    assert covered.min() > 0


def test_classmix_pastes_half_of_the_classes_but_no_void() -> None:
    one, other = sample(0), sample(100, 5)
    mixer = make_mixer(classmix=1)
    seen: Counter[int] = Counter()
    for mix in draw_mixes(mixer, 200):
        assert mix is not None
        assert isinstance(mix.region, PasteHalfOfClasses)
        out = mixer.paste(one, other, mix)
        chosen = half_of_classes(other.mask, VOID, mix.region.seed)
        assert chosen.sum() == 3
        assert not chosen[VOID]
        check_pasted(out, one, other, chosen[other.mask])
        seen.update(np.flatnonzero(chosen).tolist())
    assert set(seen) == set(range(100, 105))
    assert max(seen.values()) < 1.5 * min(seen.values())


def test_copy_paste_pastes_rare_classes_of_a_sample_with_one() -> None:
    mixer = make_mixer(copy_paste=1)
    partners = Counter(mix.partner for mix in draw_mixes(mixer) if mix)
    # Both rare classes are equally likely, though one has fewer pixels.
    assert set(partners) == {2, 3}
    assert abs(partners[2] / partners.total() - 0.5) < 0.05
    one, other = sample(0), sample(0)
    other = other._replace(image=other.image + np.uint8(9))
    out = mixer.paste(one, other, MixParameters(2, WHOLE_IMAGE, False, Rare()))
    check_pasted(out, one, other, (other.mask == 2) | (other.mask == 3))


def test_rare_classes_have_a_small_share_of_labelled_pixels() -> None:
    found = find_rare_classes(PIXELS, 0.05, VOID)
    assert found is not None
    assert np.flatnonzero(found.is_rare).tolist() == [2, 3]
    assert [holders.tolist() for holders in found.sample_indices] == [[2], [3]]
    assert find_rare_classes(PIXELS[:2], 0.05, VOID) is None
    assert find_rare_classes(np.zeros((2, 3), np.int64), 0.5, VOID) is None


def test_partners_follow_the_sampling_distribution() -> None:
    even = Counter(mix.partner for mix in draw_mixes(make_mixer(cutmix=1)) if mix)
    assert all(abs(even[index] / even.total() - 0.25) < 0.05 for index in range(4))
    uneven = SampleMixer(
        4, VOID, TransformSettings(cutmix=1), cumulative=np.cumsum([1.0, 1.0, 1.0, 7.0])
    )
    counts = Counter(mix.partner for mix in draw_mixes(uneven) if mix)
    assert abs(counts[3] / counts.total() - 0.7) < 0.05


@pytest.mark.parametrize("kind", ["cutmix", "classmix", "copy_paste"])
def test_partners_have_their_own_crop_and_flip(kind: str) -> None:
    settings: dict[str, Any] = {"crop": 0.5, "flip": 0.5, kind: 1}
    transform = Transform(32, TransformSettings(**settings), 0, VOID, mixing=make_mixer(**settings))
    all_parameters = [transform.draw_parameters(0, index) for index in range(20)]
    assert all(
        parameters.mix and parameters.mix.crop != parameters.crop for parameters in all_parameters
    )
    assert len({parameters.mix and parameters.mix.flip for parameters in all_parameters}) == 2
    for parameters in all_parameters:
        assert parameters.mix
        needed = transform.partner(parameters)
        assert needed == (parameters.mix.partner, parameters.mix.crop.min_image_size(32))


def test_a_mixed_sample_combines_the_two_crops() -> None:
    augmentation = TransformSettings(crop=0.6, flip=0.5)
    transform = Transform(24, augmentation, 0, VOID, mixing=make_mixer(cutmix=1))
    one, other = sample(0), sample(100)
    for index in range(10):
        parameters = transform.draw_parameters(0, index)
        assert parameters.mix
        assert isinstance(parameters.mix.region, PasteRectangle)
        out = transform(one, parameters, other)
        mine = transform.crop(one, parameters.crop, flip=parameters.flip)
        theirs = transform.crop(other, parameters.mix.crop, flip=parameters.mix.flip)
        check_pasted(out, mine, theirs, out.image[..., 1] == 100)


def test_a_pasted_rectangle_has_the_given_box() -> None:
    mix = MixParameters(1, WHOLE_IMAGE, False, PasteRectangle(CropBox(0.25, 0.5, 0.5, 0.25)))
    out = make_mixer(cutmix=1).paste(sample(0), sample(100), mix)
    expected = np.zeros((32, 32), bool)
    expected[8:24, 16:24] = True
    np.testing.assert_array_equal(out.image[..., 1] == 100, expected)
