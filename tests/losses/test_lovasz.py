"""The Lovász extension and its gradient."""

import pytest
import torch
from tests.losses.examples import lovasz_reference

from sceneparse.losses.lovasz import jaccard_gradient, lovasz


def test_lovasz_is_the_jaccard_loss_for_hard_predictions() -> None:
    torch.manual_seed(0)
    is_true, predicted = torch.rand(2, 200).unbind()
    is_true, predicted = is_true < 0.3, predicted < 0.4
    errors = (is_true != predicted).double()
    iou = float((is_true & predicted).sum() / (is_true | predicted).sum())
    assert float(lovasz(errors, is_true)) == pytest.approx(1 - iou)


def test_jaccard_gradient_is_the_gradient_of_the_set_function() -> None:
    torch.manual_seed(0)
    is_true = torch.rand(60) < 0.3
    errors = torch.rand(60, dtype=torch.float64).sort(descending=True).values.requires_grad_()
    probability = torch.where(is_true, 1 - errors, errors)
    (expected,) = torch.autograd.grad(lovasz_reference(probability, is_true), errors)
    torch.testing.assert_close(jaccard_gradient(is_true), expected)


def test_pixels_after_the_last_of_a_class_have_no_gradient() -> None:
    is_true = torch.tensor([True, False, True, False, False])
    assert jaccard_gradient(is_true)[3:].tolist() == [0, 0]
    torch.testing.assert_close(jaccard_gradient(is_true[:3]), jaccard_gradient(is_true)[:3])
