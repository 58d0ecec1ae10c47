"""Lovász-softmax: what its extension is, and which pixels may be left out of the order."""

import pytest
import torch
from tests.losses.examples import lovasz_of

from sceneparse.losses.lovasz import jaccard_steps, lovasz


def test_for_predictions_that_are_right_or_wrong_it_is_the_jaccard_loss() -> None:
    torch.manual_seed(0)
    is_true, predicted = torch.rand(2, 200).unbind()
    is_true, predicted = is_true < 0.3, predicted < 0.4
    errors = (is_true != predicted).double()
    iou = float((is_true & predicted).sum() / (is_true | predicted).sum())
    assert float(lovasz(errors, is_true)) == pytest.approx(1 - iou)


def test_steps_are_those_of_the_set_of_wrong_pixels() -> None:
    torch.manual_seed(0)
    is_true = torch.rand(60) < 0.3
    errors = torch.rand(60, dtype=torch.float64).sort(descending=True).values.requires_grad_()
    probability = torch.where(is_true, 1 - errors, errors)
    (expected,) = torch.autograd.grad(lovasz_of(probability, is_true), errors)
    torch.testing.assert_close(jaccard_steps(is_true), expected)


def test_what_is_no_worse_than_the_best_pixel_of_a_class_does_not_matter() -> None:
    is_true = torch.tensor([True, False, True, False, False])
    assert jaccard_steps(is_true)[3:].tolist() == [0, 0]
    torch.testing.assert_close(jaccard_steps(is_true[:3]), jaccard_steps(is_true)[:3])
