"""Loading the bundled model, and loading models for prediction and fine-tuning."""

from importlib import resources
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.conftest import rectangles

import sceneparse
from sceneparse.artifacts.run_folder import WEIGHTS_FILE
from sceneparse.artifacts.weights import StoredModel, read_weights, write_weights
from sceneparse.config import RunConfig
from sceneparse.config.reading import parse_config
from sceneparse.errors import InputError
from sceneparse.factory import model_files
from sceneparse.factory.loading import load
from sceneparse.factory.torch_loading import (
    deployed,
    find_weights,
    predictor_of,
    segmenter_of,
    segmenter_to_train,
)
from sceneparse.labels import Labels
from sceneparse.models.settings import EncoderUNetModel

LABELS = Labels(("background", "red", "green", "blue"), ((0, 0, 0),) * 4, (0, 1, 2, 3))
EVERYTHING = """
model:
  kind: encoder_unet
  encoder: test_resnet
  weights: runs/gone
  decoder_channels: [16, 8]
  block: separable
  dropout: 0.2
  drop_path: 0.2
  freeze_stages: 2
  freeze_norm: true
transform: {size: 32}
inference: {size: 32}
training: {precision: fp32}
"""


def trained(text: str) -> StoredModel:
    """Make weights as a run of this config would write them."""
    config = parse_config(text, "test")
    torch.manual_seed(0)
    segmenter = config.model.untrained.build(4)
    return StoredModel(segmenter.state_dict(), config, LABELS)


@pytest.fixture
def bundled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StoredModel:
    """Replace the bundled model by another one."""
    weights = trained(EVERYTHING)
    write_weights(tmp_path / WEIGHTS_FILE, deployed(weights), half=True)
    monkeypatch.setattr(model_files, "BUNDLED", tmp_path / WEIGHTS_FILE)
    return weights


def test_the_bundled_model_is_the_default(bundled: StoredModel, tmp_path: Path) -> None:
    image, _ = rectangles(0)
    predictions = [
        predictor(image)
        for predictor in (
            sceneparse.load(device="cpu"),
            load("bundled", "cpu"),
            load(tmp_path / WEIGHTS_FILE, "cpu"),
        )
    ]
    for prediction in predictions:
        np.testing.assert_array_equal(prediction.confidence, predictions[0].confidence)
    assert predictions[0].labels == LABELS
    # The weights are rounded to fp16 and read as fp32.
    own = bundled.tensors["network.encoder.body.conv1.0.weight"]
    read = find_weights("bundled").tensors["network.encoder.body.conv1.0.weight"]
    assert read.dtype == torch.float32
    assert torch.equal(read, own.half().float())
    assert not torch.equal(read, own)


def test_an_installation_without_a_bundled_model_fails_with_a_hint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model_files, "BUNDLED", tmp_path / WEIGHTS_FILE)
    with pytest.raises(
        InputError, match="this installation has no bundled model; give a run folder"
    ):
        load()
    # A path spells a folder of the same name differently.
    with pytest.raises(InputError, match="no such weights file"):
        load("./bundled")


def test_the_bundled_model_is_small_and_has_a_model_card() -> None:
    assets = resources.files("sceneparse") / "assets"
    assert len((assets / WEIGHTS_FILE).read_bytes()) <= 12_000_000
    assert "licence" in (assets / "MODEL_CARD.md").read_text(encoding="utf-8").lower()
    weights = find_weights("bundled")
    assert weights.tensors.keys() == deployed(weights).tensors.keys()


def test_deployed_weights_predict_the_same_without_training_settings() -> None:
    whole = trained(EVERYTHING)
    bare = deployed(whole)
    model = bare.config.model
    assert isinstance(model, EncoderUNetModel)
    assert model.weights == "none"
    assert (model.drop_path, model.dropout, model.freeze_stages) == (0, 0, 0)
    assert model.block == "separable"
    image, _ = rectangles(0)
    one, other = (predictor_of(weights, torch.device("cpu"))(image) for weights in (whole, bare))
    np.testing.assert_array_equal(one.confidence, other.confidence)


@pytest.mark.parametrize("model", ["{width: 4, weights: W}", "{kind: encoder_unet, weights: W}"])
def test_an_untrained_network_is_built_without_reading_anything(
    model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model_files, "BUNDLED", tmp_path / WEIGHTS_FILE)
    for weights in ("nowhere", "bundled"):
        config = parse_config(f"model: {model.replace('W', weights)}", "test").model
        assert config.untrained.build(4)
        with pytest.raises(InputError, match=r"no such weights file|no bundled model"):
            segmenter_to_train(config, LABELS)
        with pytest.raises(ValueError, match="expected imagenet or none"):
            config.build(4)


def test_training_starts_from_the_bundled_model(bundled: StoredModel) -> None:
    config = parse_config(EVERYTHING, "test", ["model.weights=bundled"])
    segmenter, transfer = segmenter_to_train(config.model, LABELS)
    assert transfer is not None
    assert not transfer.not_loaded
    own = segmenter.state_dict()["network.encoder.body.conv1.0.weight"]
    expected = bundled.tensors["network.encoder.body.conv1.0.weight"].half().float()
    assert torch.equal(own, expected)


def test_weights_of_another_network_are_refused_with_both_names(tmp_path: Path) -> None:
    path = tmp_path / "old.safetensors"
    write_weights(path, trained("model: {width: 6}"))
    config = parse_config(f"model: {{width: 4, weights: {path}}}", "test")
    with pytest.raises(InputError, match="fit; found unet of width 6, expected unet of width 4"):
        segmenter_to_train(config.model, LABELS)
    config = parse_config(EVERYTHING, "test", [f"model.weights={path}"])
    with pytest.raises(InputError, match="expected encoder_unet over test_resnet"):
        segmenter_to_train(config.model, LABELS)


def test_imagenet_weights_of_a_plain_unet_do_not_exist() -> None:
    with pytest.raises(InputError, match=r"model: there are no ImageNet weights"):
        parse_config("model: {kind: unet, weights: imagenet}", "test")


def test_a_stored_config_with_a_path_round_trips(tmp_path: Path) -> None:
    weights = trained(EVERYTHING)
    write_weights(tmp_path / "w.safetensors", weights)
    assert read_weights(tmp_path / "w.safetensors").config == weights.config
    assert isinstance(weights.config, RunConfig)
    assert weights.config.model.weights == Path("runs/gone")


def test_a_network_with_tensors_that_no_file_stores_is_built_whole() -> None:
    # Its attention looks up positions in buffers that are computed, and not stored.
    text = "model: {kind: encoder_unet, encoder: tiny_vit_5m_224, weights: none}"
    config = parse_config(f"{text}\ndata: {{kind: synthetic}}", "test")
    labels = LABELS
    built = config.model.build(labels.num_classes, 3).eval()
    stored = built.state_dict()
    assert len(stored) < sum(1 for _ in (*built.parameters(), *built.buffers()))
    loaded = segmenter_of(StoredModel(stored, config, labels))
    image = torch.randint(0, 256, (1, 3, 64, 64), dtype=torch.uint8)
    with torch.inference_mode():
        assert torch.equal(loaded.features(image), built.features(image))
