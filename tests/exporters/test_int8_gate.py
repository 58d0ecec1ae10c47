"""The gate of int8 files."""

from collections.abc import Collection

import numpy as np
import pytest
from numpy.typing import NDArray

from sceneparse.errors import InputError
from sceneparse.exporters.int8_gate import Fp32Labels, QuantizationCost, layer_table, layers_to_keep
from sceneparse.exporters.parity import Parity
from sceneparse.exporters.samples import ParitySample, Samples
from sceneparse.labels import Labels, Mask

LABELS = Labels(("void", "red"), ((0, 0, 0), (9, 0, 0)), (0, 10))
EFFECTS = {f"layer {index}": 1 / (index + 1) for index in range(30)}


def loss(points: float) -> QuantizationCost:
    parity = Parity(7, 0.99, "image", (0.8, 0.8 - points / 100))
    return QuantizationCost(parity, has_masks=True)


def samples(*, with_masks: bool) -> Samples:
    """Two images, and masks that say what the image says, except in one of eight pixels."""

    def read(index: int) -> ParitySample:
        image = np.zeros((2, 4, 3), np.uint8)
        image[0] = 1
        mask = image[..., 0].copy()
        mask[0, index] = 0
        return ParitySample(str(index), image, mask if with_masks else None)

    return Samples(read, (0, 1))


def first_channel(image: NDArray[np.uint8]) -> Mask:
    return image[..., 0]


def one_more(image: NDArray[np.uint8]) -> Mask:
    """Label one pixel more as 1."""
    found = image[..., 0].copy()
    found[1, 3] = 1
    return found


def test_masks_score_both_models() -> None:
    reference = Fp32Labels(first_channel, samples(with_masks=True), LABELS, lambda *_: None)
    same = reference.cost(first_channel, lambda *_: None)
    assert same.points == 0
    assert same.passes
    worse = reference.cost(one_more, lambda *_: None)
    # IoU of 0 and 1: 4 of 5 and 3 of 4, then 3 of 5 and 3 of 5.
    assert worse.points == pytest.approx(100 * ((4 / 5 + 3 / 4) / 2 - 3 / 5))
    assert not worse.passes
    assert "mIoU 0.6000 instead of 0.7750" in str(worse)


def test_without_masks_the_labels_of_fp32_take_their_place() -> None:
    progress: list[tuple[str, int, int]] = []
    images = samples(with_masks=False)
    reference = Fp32Labels(first_channel, images, LABELS, lambda *each: progress.append(each))
    worse = reference.cost(one_more, lambda *each: progress.append(each))
    assert worse.points == pytest.approx(100 * (1 - (3 / 4 + 4 / 5) / 2))
    assert "87.50% of the labels agree with PyTorch in fp32 on 2 images" in str(worse)
    assert "as not all have a mask" in str(worse)
    assert progress[2::3] == [("segmenting in fp32", 2, 2), ("segmenting in int8", 2, 2)]


def test_a_gain_passes_and_no_number_does_not() -> None:
    assert loss(-3).passes
    assert loss(0.5 - 1e-9).passes
    assert not loss(0.51).passes
    assert not loss(float("nan")).passes


@pytest.mark.parametrize(("needed", "kept"), [(0, 0), (1, 1), (3, 4), (9, 15)])
def test_layers_with_the_largest_effect_stay_in_fp32_until_the_gate_passes(
    needed: int, kept: int
) -> None:
    def cost_with(layers: Collection[str]) -> QuantizationCost:
        assert list(layers) == list(EFFECTS)[: len(layers)]
        return loss(0.1 if len(layers) >= needed else 2)

    found = layers_to_keep(cost_with, lambda: EFFECTS, len(EFFECTS))
    assert found.kept == list(EFFECTS)[:kept]
    assert found.cost.passes
    assert found.errors == (EFFECTS if needed else {})


def test_more_than_half_of_the_layers_in_fp32_is_no_int8() -> None:
    tried: list[int] = []

    def cost_with(layers: Collection[str]) -> QuantizationCost:
        tried.append(len(layers))
        return loss(0.1 if len(layers) > 15 else 2)

    with pytest.raises(
        InputError, match=r"2\.00 points of mIoU lost with 15; expected at most 0\.5"
    ):
        layers_to_keep(cost_with, lambda: EFFECTS, len(EFFECTS))
    assert tried == [0, 1, 2, 4, 8, 15]


def test_the_table_shows_the_layers_that_matter() -> None:
    rows = layer_table(EFFECTS, ["layer 0", "layer 1"]).splitlines()
    assert [row.split() for row in rows[1:4]] == [
        ["layer", "0", "100.00%", "fp32"],
        ["layer", "1", "50.00%", "fp32"],
        ["layer", "2", "33.33%", "int8"],
    ]
    assert rows[-1] == "and 10 more in int8, each of which changes the logits by less"
    assert len({row.index("fp32") for row in rows[1:3]} | {rows[0].index("kept in")}) == 1
