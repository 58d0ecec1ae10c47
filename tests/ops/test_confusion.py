"""Tensors are counted as arrays are."""

import numpy as np
import pytest
import torch

from sceneparse.metrics.scores import confusion_matrix
from sceneparse.ops.confusion import tensor_confusion_matrix


@pytest.mark.parametrize(("num_classes", "ignore_index"), [(1, 255), (9, 255), (300, 65535)])
@pytest.mark.parametrize("seed", range(3))
def test_tensors_and_arrays_have_the_same_matrix(
    num_classes: int, ignore_index: int, seed: int
) -> None:
    random = np.random.default_rng(seed)
    dtype = np.uint8 if ignore_index == 255 else np.int32
    prediction = random.integers(0, num_classes, (2, 17, 23)).astype(dtype)
    target = random.integers(0, num_classes, (2, 17, 23)).astype(dtype)
    target[random.random(target.shape) < 0.2] = ignore_index
    tensors = torch.from_numpy(prediction), torch.from_numpy(target)
    np.testing.assert_array_equal(
        tensor_confusion_matrix(*tensors, num_classes, ignore_index).numpy(),
        confusion_matrix(prediction, target, num_classes, ignore_index),
    )


def test_rows_are_the_ground_truth() -> None:
    prediction, target = torch.tensor([1, 1, 0]), torch.tensor([0, 0, 0])
    assert tensor_confusion_matrix(prediction, target, 2, 255).tolist() == [[1, 2, 0], [0, 0, 0]]
