"""The loss of a point head: the hardest places, void that never counts, gradients, its scale."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sceneparse.losses.points import PointLoss
from sceneparse.models.point_head import PointHead
from sceneparse.points import ids_at, logits_at, values_at

COVERED = (4.5, 6.25)
SIZE = (18, 25)
CLASSES = 5


def example(seed: int = 0) -> tuple[Tensor, nn.Conv2d, PointHead, Tensor]:
    """Features whose last cells lie beyond the picture, heads, and ids with void in them."""
    torch.manual_seed(seed)
    features = torch.randn(2, 4, 5, 7)
    head, point_head = nn.Conv2d(4, CLASSES, 1), PointHead(4, CLASSES, 8, 2)
    target = torch.randint(0, CLASSES, (2, *SIZE), dtype=torch.uint8)
    target[:, :4] = 255
    target[1, :, 20:] = 255
    return features, head, point_head, target


def test_the_hardest_of_many_are_taken_and_no_void_before_them() -> None:
    features, head, _, target = example()
    loss = PointLoss(points=40, oversampling=3, importance=0.75)
    torch.manual_seed(7)
    drawn, others = torch.rand(2, 120, 2), torch.rand(2, 10, 2)
    torch.manual_seed(7)
    places = loss.places(features, head, COVERED, target, 255)
    assert places.shape == (2, 40, 2)
    assert torch.equal(places[:, 30:], others)
    for picture in range(2):
        coarse = head(values_at(features, drawn, COVERED)[picture][:, None])[:, 0]
        margin: dict[tuple[float, float], float] = {}
        for number in range(120):
            across, down = drawn[picture, number].tolist()
            first, second, *_ = sorted(coarse[:, number].tolist(), reverse=True)
            if target[picture, int(down * SIZE[0]), int(across * SIZE[1])] != 255:
                margin[across, down] = first - second
        hardest = set(sorted(margin, key=margin.__getitem__)[:30])
        assert {(x, y) for x, y in places[picture, :30].tolist()} == hardest


def test_the_loss_is_the_mean_over_labelled_places_times_the_valid_pixels() -> None:
    features, head, point_head, target = example()
    loss = PointLoss(points=50, weight=0.5)
    torch.manual_seed(3)
    found = loss(features, (head, point_head), COVERED, target, 255)
    torch.manual_seed(3)
    places = loss.places(features, head, COVERED, target, 255)
    at = values_at(features, places, COVERED)
    coarse = head(at[:, :, None])[:, :, 0]
    hidden = at
    for layer in point_head.layers:
        assert isinstance(layer, nn.Conv1d)
        assert layer.bias is not None
        hidden = F.relu(
            torch.einsum("bkp,ok->bop", torch.cat([hidden, coarse], 1), layer.weight[..., 0])
            + layer.bias[:, None]
        )
    assert point_head.predictor.bias is not None
    logits = (
        torch.einsum(
            "bkp,ok->bop", torch.cat([hidden, coarse], 1), point_head.predictor.weight[..., 0]
        )
        + point_head.predictor.bias[:, None]
    )
    mean = F.cross_entropy(logits, ids_at(target, places), ignore_index=255)
    torch.testing.assert_close(found, 0.5 * mean * (target != 255).sum())


def test_gradients_reach_features_and_both_heads() -> None:
    features, head, point_head, target = example()
    features.requires_grad_()
    PointLoss(points=50)(features, (head, point_head), COVERED, target, 255).backward()
    for tensor in (features, *head.parameters(), *point_head.parameters()):
        assert tensor.grad is not None
        assert tensor.grad.any()


def test_void_changes_neither_loss_nor_gradient() -> None:
    features, head, point_head, target = example()
    # What the network says where nothing is labelled is of no consequence.
    far = features.clone()
    target[:, :9] = 255
    # The rows of cells above this lie in void wholly, also as neighbours.
    far[:, :, :1] = 100
    results: list[tuple[Tensor, Tensor | None]] = []
    for values in (features, far):
        values.requires_grad_()
        torch.manual_seed(5)
        total = PointLoss(points=64)(values, (head, point_head), COVERED, target, 255)
        total.backward()
        results.append((total.detach(), values.grad))
    assert torch.equal(results[0][0], results[1][0])
    assert results[1][1] is not None
    assert not results[1][1][:, :, :1].any()


def test_a_batch_of_void_alone_has_no_loss_but_gradients_of_zero() -> None:
    features, head, point_head, target = example()
    loss = PointLoss(points=16)(features, (head, point_head), COVERED, target.fill_(255), 255)
    loss.backward()
    assert loss == 0
    for parameter in (*head.parameters(), *point_head.parameters()):
        assert parameter.grad is not None
        assert not parameter.grad.any()


def test_the_same_seed_draws_the_same_places() -> None:
    features, head, point_head, target = example()
    found: list[Tensor] = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        found.append(PointLoss(points=32)(features, (head, point_head), COVERED, target, 255))
    assert found[0] == found[1] != found[2]


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_mixed_precision_changes_it_little(dtype: torch.dtype) -> None:
    features, head, point_head, target = example()
    torch.manual_seed(1)
    exact = PointLoss(points=64)(features, (head, point_head), COVERED, target, 255)
    torch.manual_seed(1)
    with torch.autocast("cpu", dtype):
        mixed = PointLoss(points=64)(features, (head, point_head), COVERED, target, 255)
    assert mixed.dtype == torch.float32
    torch.testing.assert_close(mixed, exact, rtol=0.02, atol=0)


def test_a_disc_is_learned_that_no_upsampled_logits_can_draw() -> None:
    torch.manual_seed(0)
    # Where a cell is, and nothing else: a linear head can only cut along straight lines.
    down, across = torch.meshgrid(torch.arange(6.0), torch.arange(6.0), indexing="ij")
    features = (torch.stack([across, down]) / 2.5 - 1)[None]
    rows, columns = torch.meshgrid(torch.arange(48.0), torch.arange(48.0), indexing="ij")
    target = ((rows - 24) ** 2 + (columns - 20) ** 2 < 15**2).byte()[None]
    head, point_head = nn.Conv2d(2, 2, 1), PointHead(2, 2, 32, 2)
    optimizer = torch.optim.Adam([*head.parameters(), *point_head.parameters()], lr=0.01)
    loss = PointLoss(points=128)
    for _ in range(150):
        optimizer.zero_grad()
        total = loss(features, (head, point_head), (6, 6), target, 255)
        (total / target.numel()).backward()
        optimizer.step()
    places = torch.stack([columns + 0.5, rows + 0.5], dim=-1).flatten(0, 1)[None] / 48
    at = values_at(features, places, (6, 6))
    right = point_head(at, logits_at(at, head)).argmax(dim=1) == target.flatten(1)
    assert right.float().mean() > 0.97
