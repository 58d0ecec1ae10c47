"""The logits of a batch, computed tile by tile, and the gradients with respect to their inputs."""

from collections.abc import Iterator
from functools import cached_property
from typing import NamedTuple

import torch
from torch import Tensor

from sceneparse.losses.first_pass import FirstPass
from sceneparse.losses.tile_gradient import TileIndex, tile_softmax
from sceneparse.ops.upsampling import BITS_PER_NAT, Tile, tile_bytes, tiles


class FeatureRows(NamedTuple):
    """Rows of the feature map of one image, whose logits are computed together.

    Attributes:
        image: Index of the image.
        rows: The rows.
        features: Input of the head, fp32 `(h, w, D)`.
        logits: Output of the head, in bits, `(h, C, w)`.
    """

    image: int
    rows: slice
    features: Tensor
    logits: Tensor


class LogitTile(NamedTuple):
    """The logits of a tile.

    Attributes:
        tile_index: Image, rows and columns of the tile in its batch.
        logits: In bits, `(R, C, K)`; may be overwritten.
        upsampling: The upsampling that computes them; none where the target has the size of the
            feature map.
    """

    tile_index: TileIndex
    logits: Tensor
    upsampling: Tile | None


class TiledBatch:
    """Features, head and ground truth of a batch.

    Attributes:
        features: Input of the head, `(B, D, h, w)`.
        head_bits: Weights of the head `(C, D)`, for logits in bits.
        bias_bits: Bias of the head `(C,)`, for logits in bits.
        target: Train ids `(B, H, W)`.
        covered: Rows and columns of the padded feature map that the target covers.
        ignore_index: Train id of void.
        has_first_pass: Whether a loss has read `first_pass`.
    """

    def __init__(
        self,
        features: Tensor,
        weight: Tensor,
        bias: Tensor,
        target: Tensor,
        covered: tuple[float, float],
        ignore_index: int,
    ) -> None:
        """Store the inputs; nothing is computed yet.

        Args:
            features: Input of the head, `(B, D, h, w)`.
            weight: Weights of the head, `(C, D, 1, 1)`.
            bias: Bias of the head, `(C,)`.
            target: Train ids `(B, H, W)`.
            covered: Rows and columns of the padded feature map that the target covers.
            ignore_index: Train id of void.
        """
        self.features, self.target = features, target
        self.covered, self.ignore_index = covered, ignore_index
        self.head_bits = weight.flatten(1).float() * BITS_PER_NAT
        self.bias_bits = bias.float() * BITS_PER_NAT
        self.has_first_pass = False

    @property
    def num_classes(self) -> int:
        """Number of classes, C."""
        return self.head_bits.shape[0]

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the target."""
        return self.target.shape[1], self.target.shape[2]

    @cached_property
    def first_pass(self) -> FirstPass:
        """Results of a pass over all tiles, computed when a loss first reads them."""
        self.has_first_pass = True
        first_pass = FirstPass(self.target, self.num_classes, self.ignore_index)
        for tile in (tile for rows in self.feature_rows() for tile in self.logit_tiles(rows)):
            max_logit = tile.logits.amax(dim=1, keepdim=True)
            shifted, target = tile.logits.sub_(max_logit), self.target[tile.tile_index]
            first_pass.add(
                tile_softmax(shifted, max_logit[:, 0], target, self.ignore_index, tile.tile_index)
            )
        return first_pass

    def feature_rows(self) -> Iterator[FeatureRows]:
        """Yield the logits at the size of the feature map: whole images, or rows of a tile."""
        height, step = self.features.shape[2], self._rows_per_step
        for index in range(self.features.shape[0]):
            for top in range(0, height, step):
                rows = slice(top, min(top + step, height))
                features = self.features[index, :, rows].permute(1, 2, 0).float()
                logits = (self.head_bits @ features.transpose(1, 2)).add_(self.bias_bits[:, None])
                yield FeatureRows(index, rows, features, logits)

    def logit_tiles(self, rows: FeatureRows) -> Iterator[LogitTile]:
        """Yield the logits at the size of the target, tile by tile."""
        if self._tiles is None:
            yield LogitTile((rows.image, rows.rows, slice(None)), rows.logits, None)
            return
        for tile in self._tiles:
            yield LogitTile((rows.image, *tile.pixels), tile.upsampled(rows.logits), tile)

    @cached_property
    def _rows_per_step(self) -> int:
        if self._tiles is not None:
            return self.features.shape[2]
        row_bytes = 4 * self.num_classes * self.size[1]
        return max(1, tile_bytes(self.features.device) // row_bytes)

    @cached_property
    def _tiles(self) -> list[Tile] | None:
        feature_size = (self.features.shape[2], self.features.shape[3])
        if self.size == feature_size == self.covered:
            return None
        device = self.features.device
        return tiles(self.size, feature_size, self.covered, self.num_classes, device)

    @cached_property
    def gradients(self) -> "HeadGradients":
        """Gradients with respect to features and head, to which tiles are added."""
        return HeadGradients(self, accumulate=self.has_first_pass)


class HeadGradients:
    """Gradients with respect to the features and the head, summed over the feature rows.

    Attributes:
        features: `(B, D, h, w)`.
        weight: `(C, D)`.
        bias: `(C,)`.
    """

    def __init__(self, batch: TiledBatch, *, accumulate: bool) -> None:
        """Start with zero.

        Args:
            batch: The batch.
            accumulate: Add to the gradient of a feature more than once. It is then held in fp32:
                a class of few pixels can give a gradient that is too large for fp16.
        """
        self.features = (
            torch.zeros_like(batch.features, dtype=torch.float32)
            if accumulate
            else torch.empty_like(batch.features)
        )
        self.weight, self.bias = (
            torch.zeros_like(batch.head_bits),
            torch.zeros_like(batch.bias_bits),
        )
        self._head = batch.head_bits / BITS_PER_NAT
        self._accumulate = accumulate

    def add(self, rows: FeatureRows, gradient: Tensor) -> None:
        """Backpropagate through the head.

        Args:
            rows: The feature rows.
            gradient: With respect to their logits, in nats, `(h, C, w)`.
        """
        flat = gradient.transpose(0, 1).flatten(1)
        grad_features = (gradient.transpose(1, 2) @ self._head).permute(2, 0, 1)
        if self._accumulate:
            self.features[rows.image, :, rows.rows] += grad_features
        else:
            self.features[rows.image, :, rows.rows] = grad_features
        self.weight += flat @ rows.features.flatten(0, 1)
        self.bias += flat.sum(dim=1)
