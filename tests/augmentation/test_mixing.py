"""What another sample adds: the right one, the right parts, as often as asked."""

from collections import Counter
from typing import Any

import numpy as np
import pytest

from sceneparse.augmentation.change import Box, Crop, Cut, HalfOfClasses, Mix
from sceneparse.augmentation.change import RareClasses as Rare
from sceneparse.augmentation.mixing import Mixing, half_of_classes, rarity
from sceneparse.augmentation.settings import TransformSettings
from sceneparse.augmentation.transform import Transform
from sceneparse.data.dataset import Sample

VOID = 255
WHOLE = Cut(1, 1, False, ((0, 0),))
# Class 2 is rare, and class 3 rarer; class 4 does not occur.
PIXELS = np.array([[90, 10, 0, 0, 0], [60, 40, 0, 0, 0], [80, 0, 3, 0, 0], [99, 0, 0, 1, 0]])


def sample(first: int, classes: int = 4) -> Sample:
    """Make a sample whose mask holds ids from one on, and whose image tells id and sample."""
    ids = (np.indices((32, 32))[1] * classes // 32 + first).astype(np.uint8)
    ids[:4] = VOID
    image = np.stack([ids, np.full_like(ids, first), ids], -1)
    return Sample(image, ids, str(first))


def mixing(**probabilities: Any) -> Mixing:
    return Mixing(4, VOID, TransformSettings(**probabilities), rarity=rarity(PIXELS, 0.05, VOID))


def mixes(mixing: Mixing, count: int = 1500) -> list[Mix | None]:
    return [mixing.drawn(np.random.default_rng(index)) for index in range(count)]


def check_parts(out: Sample, one: Sample, other: Sample, part: np.ndarray) -> None:
    assert out.name == one.name
    for mine, first, second in ((out.mask, one.mask, other.mask), (out.image, *pair(one, other))):
        expected = np.where(part if mine.ndim == 2 else part[..., None], second, first)
        np.testing.assert_array_equal(mine, expected)


def pair(one: Sample, other: Sample) -> tuple[np.ndarray, np.ndarray]:
    return one.image, other.image


def test_each_kind_comes_as_often_as_asked_and_never_two() -> None:
    found = mixes(mixing(cutmix=0.2, classmix=0.3, copy_paste=0.1))
    kinds = Counter(type(mix.part).__name__ if mix else "none" for mix in found)
    expected = {"Box": 0.2, "HalfOfClasses": 0.3, "RareClasses": 0.1, "none": 0.4}
    for name, share in expected.items():
        assert abs(kinds[name] / len(found) - share) < 0.04
    assert not any(mixes(mixing(), 50))


def test_another_probability_leaves_the_draws_of_a_sample_as_they_are() -> None:
    plain = Transform(32, TransformSettings(crop=0.5, flip=0.5, hue=0.1, noise=1), 0, VOID)
    mixed = Transform(32, plain.settings, 0, VOID, mixing=mixing(cutmix=1))
    for index in range(10):
        assert mixed.change(0, index)._replace(mix=None) == plain.change(0, index)


def test_a_rectangle_is_half_of_the_area_anywhere() -> None:
    one, other = sample(0), sample(100)
    mixer = mixing(cutmix=1)
    covered = np.zeros((32, 32))
    for mix in mixes(mixer, 300):
        assert mix is not None
        assert isinstance(mix.part, Box)
        out = mixer.mixed(one, other, mix)
        part = out.image[..., 1] == 100
        rows, columns = np.flatnonzero(part.any(axis=1)), np.flatnonzero(part.any(axis=0))
        box = np.zeros_like(part)
        box[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] = True
        np.testing.assert_array_equal(part, box)
        assert 0.43 < part.mean() < 0.57
        check_parts(out, one, other, part)
        covered += part
    assert covered.min() > 0


def test_half_of_the_classes_are_laid_over_and_void_never_is() -> None:
    one, other = sample(0), sample(100, 5)
    mixer = mixing(classmix=1)
    seen: Counter[int] = Counter()
    for mix in mixes(mixer, 200):
        assert mix is not None
        assert isinstance(mix.part, HalfOfClasses)
        out = mixer.mixed(one, other, mix)
        chosen = half_of_classes(other.mask, VOID, mix.part.seed)
        assert chosen.sum() == 3
        assert not chosen[VOID]
        check_parts(out, one, other, chosen[other.mask])
        seen.update(np.flatnonzero(chosen).tolist())
    assert set(seen) == set(range(100, 105))
    assert max(seen.values()) < 1.5 * min(seen.values())


def test_rare_classes_are_laid_over_out_of_a_sample_that_holds_one() -> None:
    mixer = mixing(copy_paste=1)
    partners = Counter(mix.partner for mix in mixes(mixer) if mix)
    # Both rare classes alike, though one is in fewer pixels.
    assert set(partners) == {2, 3}
    assert abs(partners[2] / partners.total() - 0.5) < 0.05
    one, other = sample(0), sample(0)
    other = other._replace(image=other.image + np.uint8(9))
    out = mixer.mixed(one, other, Mix(2, WHOLE, False, Rare()))
    check_parts(out, one, other, (other.mask == 2) | (other.mask == 3))


def test_what_is_rare_is_told_by_the_share_of_labelled_pixels() -> None:
    found = rarity(PIXELS, 0.05, VOID)
    assert found is not None
    assert np.flatnonzero(found.is_rare).tolist() == [2, 3]
    assert [holders.tolist() for holders in found.holders] == [[2], [3]]
    assert rarity(PIXELS[:2], 0.05, VOID) is None
    assert rarity(np.zeros((2, 3), np.int64), 0.5, VOID) is None


def test_partners_follow_the_law_by_which_samples_are_drawn() -> None:
    even = Counter(mix.partner for mix in mixes(mixing(cutmix=1)) if mix)
    assert all(abs(even[index] / even.total() - 0.25) < 0.05 for index in range(4))
    uneven = Mixing(
        4, VOID, TransformSettings(cutmix=1), cumulative=np.cumsum([1.0, 1.0, 1.0, 7.0])
    )
    counts = Counter(mix.partner for mix in mixes(uneven) if mix)
    assert abs(counts[3] / counts.total() - 0.7) < 0.05


@pytest.mark.parametrize("kind", ["cutmix", "classmix", "copy_paste"])
def test_partners_are_cut_by_draws_of_their_own(kind: str) -> None:
    settings: dict[str, Any] = {"crop": 0.5, "flip": 0.5, kind: 1}
    transform = Transform(32, TransformSettings(**settings), 0, VOID, mixing=mixing(**settings))
    changes = [transform.change(0, index) for index in range(20)]
    assert all(change.mix and change.mix.cut != change.cut for change in changes)
    assert len({change.mix and change.mix.flip for change in changes}) == 2
    for change in changes:
        assert change.mix
        needed = transform.partner(change)
        assert needed == (change.mix.partner, change.mix.cut.needed(32))


def test_a_mix_is_the_two_cuts_put_together() -> None:
    augmentation = TransformSettings(crop=0.6, flip=0.5)
    transform = Transform(24, augmentation, 0, VOID, mixing=mixing(cutmix=1))
    one, other = sample(0), sample(100)
    for index in range(10):
        change = transform.change(0, index)
        assert change.mix
        assert isinstance(change.mix.part, Box)
        out = transform(one, change, other)
        mine = transform.cut(one, change.cut, flip=change.flip)
        theirs = transform.cut(other, change.mix.cut, flip=change.mix.flip)
        check_parts(out, mine, theirs, out.image[..., 1] == 100)


def test_a_rectangle_keeps_to_its_shares() -> None:
    mix = Mix(1, WHOLE, False, Box(Crop(0.25, 0.5, 0.5, 0.25)))
    out = mixing(cutmix=1).mixed(sample(0), sample(100), mix)
    expected = np.zeros((32, 32), bool)
    expected[8:24, 16:24] = True
    np.testing.assert_array_equal(out.image[..., 1] == 100, expected)
