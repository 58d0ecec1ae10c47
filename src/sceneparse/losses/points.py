"""What a point head learns from: a few places of each picture, most of them hard ones."""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sceneparse.points import ids_at, logits_at, margins, values_at


@dataclass(frozen=True)
class PointLoss:
    """Cross-entropy of a point head at places drawn as for PointRend (Kirillov et al., 2020, 3.2).

    What is drawn is a function of the generator's state alone, which the loop sets in every step.
    Like any loss here it is a mean, over the labelled places, times the number of valid pixels.

    Attributes:
        points: Places in each picture, N.
        oversampling: So many times as many are drawn evenly, k, to choose hard ones from.
        importance: Share of the places that are hard, beta, in 0..1; the others are drawn evenly.
        weight: What the loss is multiplied by.
    """

    points: int = 2048
    oversampling: float = 3.0
    importance: float = 0.75
    weight: float = 1.0

    def __call__(
        self,
        features: Tensor,
        heads: tuple[nn.Conv2d, nn.Module],
        covered: tuple[float, float],
        target: Tensor,
        ignore_index: int,
    ) -> Tensor:
        """Compute the loss; the gradient goes to the features and to both heads.

        Args:
            features: What the heads see, `(B, D, h, w)`.
            heads: The 1×1 convolution to C classes, and the point head.
            covered: Rows and columns of cells that the target spans.
            target: Train ids `(B, H, W)`.
            ignore_index: Train id of void.
        """
        head, point_head = heads
        places = self.places(features, head, covered, target, ignore_index)
        true = ids_at(target, places)
        at = values_at(features, places, covered)
        logits = point_head(at, logits_at(at, head))
        with torch.autocast(logits.device.type, enabled=False):
            total = F.cross_entropy(
                logits.to(at.dtype), true, ignore_index=ignore_index, reduction="sum"
            )
        counted = (true != ignore_index).sum().clamp(min=1)
        valid = (target != ignore_index).sum()
        return self.weight * total * (valid / counted)

    @torch.no_grad()
    def places(
        self,
        features: Tensor,
        head: nn.Conv2d,
        covered: tuple[float, float],
        target: Tensor,
        ignore_index: int,
    ) -> Tensor:
        """Draw places `(B, points, 2)`: the hardest of many, and others.

        Hard is where the best of the coarse logits is hardly above the second. Of places without a
        label none is hard.
        """
        hard = round(self.importance * self.points)
        many = math.ceil(self.oversampling * self.points)
        device, batch = features.device, len(features)
        drawn = torch.rand(batch, many, 2, device=device)
        unsure = margins(logits_at(values_at(features, drawn, covered), head))
        unsure = unsure.masked_fill(ids_at(target, drawn) == ignore_index, math.inf)
        chosen = unsure.topk(hard, dim=1, largest=False, sorted=False).indices
        others = torch.rand(batch, self.points - hard, 2, device=device)
        return torch.cat([drawn.gather(1, chosen[..., None].expand(-1, -1, 2)), others], dim=1)
