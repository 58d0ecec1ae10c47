"""A tiny U-Net learns coloured rectangles with every loss."""

import numpy as np
import pytest
import torch
from tests.conftest import rectangles

from sceneparse import factory
from sceneparse.config.reading import parse_config
from sceneparse.labels import Labels
from sceneparse.metrics.scores import Scores
from sceneparse.ops.confusion import tensor_confusion_matrix

LABELS = Labels(("background", "red", "green", "blue"), ((0, 0, 0),) * 4, (0, 1, 2, 3))
LOSSES = (
    "{kind: cross_entropy, class_weights: [0.5, 1, 1, 1.5]}",
    pytest.param("{kind: focal}", marks=pytest.mark.slow),
    "{kind: dice}",
    pytest.param("{kind: generalised_dice}", marks=pytest.mark.slow),
    "{kind: lovasz}",
    "{kind: sum, terms: [{kind: cross_entropy}, {kind: dice, weight: 0.5}, {kind: lovasz}]}",
)


@pytest.mark.parametrize("loss", LOSSES)
def test_rectangles_are_learned_in_fifty_steps(loss: str) -> None:
    config = parse_config(f"model: {{width: 8}}\nloss: {loss}\noptimizer: {{lr: 0.01}}", "test")
    torch.manual_seed(0)
    segmenter = config.model.build(4).train()
    optimizer = factory.optimizer(config.optimizer, segmenter)
    loss_function = config.loss.build(LABELS)
    pairs = [rectangles(index, (32, 32)) for index in range(24)]
    images = torch.from_numpy(np.stack([image for image, _ in pairs])).permute(0, 3, 1, 2)
    masks = torch.from_numpy(np.stack([ids for _, ids in pairs]))
    for step in range(50):
        part = slice(4 * step % 24, 4 * step % 24 + 4)
        total = segmenter(images[part], masks[part], loss_function).total
        optimizer.zero_grad()
        (total / masks[part].numel()).backward()
        optimizer.step()
    prediction = segmenter(images).argmax(dim=1)
    counts = tensor_confusion_matrix(prediction, masks, 4, LABELS.ignore_index).numpy()
    assert Scores.from_confusion(counts).miou > 0.9
