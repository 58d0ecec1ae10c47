"""The network that PyTorch runs, and the predictor around it."""

import numpy as np
import pytest
import torch

from sceneparse.inference.backends.torch import TorchNetwork
from sceneparse.inference.predictor import Predictor
from sceneparse.inference.resize import Resize
from sceneparse.labels import Labels, ade20k_labels
from sceneparse.models.segmenter import Segmenter
from sceneparse.models.unet import UNet


def segmenter_of(labels: Labels) -> Segmenter:
    torch.manual_seed(0)
    return Segmenter(UNet(labels.num_classes, width=4))


def network_of(segmenter: Segmenter, labels: Labels) -> TorchNetwork:
    return TorchNetwork(
        segmenter,
        num_classes=labels.num_classes,
        input_stride=16,
        output_stride=1,
        device=torch.device("cpu"),
    )


def test_predictor_answers_at_the_size_of_the_image() -> None:
    labels = ade20k_labels()
    predictor = Predictor(network_of(segmenter_of(labels), labels), labels, Resize("stretch", 32))
    for height, width in ((20, 50), (97, 33)):
        image = np.zeros((height, width, 3), np.uint8)
        prediction = predictor(image)
        assert prediction.mask.shape == prediction.confidence.shape == (height, width)
        shares = [entry["share"] for entry in prediction.classes()]
        assert sum(shares) == pytest.approx(1)
        assert shares == sorted(shares, reverse=True)
        assert all(0 < entry["confidence"] <= 1 for entry in prediction.classes())


def test_predicting_leaves_the_network_in_training_as_it_was() -> None:
    labels = ade20k_labels()
    segmenter = segmenter_of(labels).train()
    network = network_of(segmenter, labels)
    before = {name: value.clone() for name, value in segmenter.state_dict().items()}
    network.logits(np.zeros((1, 32, 32, 3), np.uint8))
    assert segmenter.training
    for name, value in segmenter.state_dict().items():
        torch.testing.assert_close(value, before[name])


def test_logits_stay_on_the_device_in_fp32() -> None:
    labels = ade20k_labels()
    segmenter = segmenter_of(labels).to(torch.float64)
    logits = network_of(segmenter, labels).logits(np.zeros((2, 32, 48, 3), np.uint8))
    assert isinstance(logits, torch.Tensor)
    assert logits.dtype == torch.float32
    assert logits.shape == (2, 150, 32, 48)
