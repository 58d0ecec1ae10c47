"""Values at places between the cells of a grid, and how sure logits are there.

Interpolating and applying a 1×1 convolution may be done in either order: a head applied to the
features at a place gives what its upsampled logits are there. So no logits of all cells are needed.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def values_at(values: Tensor, places: Tensor, covered: tuple[float, float]) -> Tensor:
    """Interpolate values `(B, K, h, w)` at places bilinearly, to `(B, K, P)` in fp32 or better.

    It is `upsample.upsample` at places of any kind.

    Args:
        values: One per cell.
        places: Across and down in each picture, both in 0..1, `(B, P, 2)`.
        covered: Rows and columns of cells that the picture takes up.
    """
    rows, columns = values.shape[2:]
    dtype = torch.promote_types(values.dtype, torch.float32)
    # -1 and 1 are the outer edges of the first and of the last cell, whether the picture covers it
    # or not; beyond the middle of a cell at the border its value stays.
    span = torch.tensor([covered[1] / columns, covered[0] / rows], dtype=dtype)
    grid = places.to(dtype) * (2 * span.to(places.device)) - 1
    with torch.autocast(values.device.type, enabled=False):
        found = F.grid_sample(
            values.to(dtype), grid[:, None], padding_mode="border", align_corners=False
        )
    return found[:, :, 0]


def ids_at(ids: Tensor, places: Tensor) -> Tensor:
    """Return the ids `(B, H, W)` of the pixels in which places `(B, P, 2)` lie, int64 `(B, P)`."""
    height, width = ids.shape[1:]
    across = (places[..., 0] * width).long().clamp(0, width - 1)
    down = (places[..., 1] * height).long().clamp(0, height - 1)
    return ids.flatten(1).gather(1, down * width + across).long()


def logits_at(values: Tensor, head: nn.Conv2d) -> Tensor:
    """Apply a 1×1 convolution to values at places `(B, D, P)`, in their precision: `(B, C, P)`."""
    bias = None if head.bias is None else head.bias.to(values.dtype)
    with torch.autocast(values.device.type, enabled=False):
        return F.conv1d(values, head.weight[..., 0].to(values.dtype), bias)


def margins(logits: Tensor) -> Tensor:
    """Return by how much the best logit is above the second: of `(B, C, P)` the `(B, P)`.

    The smaller, the less sure: the measure of PointRend (Kirillov et al., 2020, section 3.2).
    """
    best = logits.topk(min(2, logits.shape[1]), dim=1).values
    return best[:, 0] - best[:, -1]
