"""The logits of a batch, made a tile at a time, and what a first look at all of them finds."""

from collections.abc import Iterator
from functools import cached_property
from typing import NamedTuple

import torch
from torch import Tensor

from sceneparse.losses.pixels import TileIndex, tile_softmax
from sceneparse.losses.survey import Survey
from sceneparse.ops.upsampling import BITS_PER_NAT, Tile, tile_bytes, tiles


class Band(NamedTuple):
    """Rows of cells of one image, whose logits are made together.

    Attributes:
        image: Which image.
        rows: Which rows.
        seen: What the head sees, fp32 `(h, w, D)`.
        cells: What it says of them, in bits, `(h, C, w)`.
    """

    image: int
    rows: slice
    seen: Tensor
    cells: Tensor


class Part(NamedTuple):
    """A piece of a band.

    Attributes:
        place: The pixels that it covers.
        bits: Their logits in bits, `(R, C, K)`, to be overwritten.
        tile: How they are mixed from cells; none where each cell is a pixel.
    """

    place: TileIndex
    bits: Tensor
    tile: Tile | None


class Batch:
    """Features, head and ground truth of a batch.

    Attributes:
        features: What the head sees, `(B, D, h, w)`.
        head_bits: The head's weights `(C, D)`, for logits in bits.
        bias_bits: Its bias `(C,)`.
        target: Train ids `(B, H, W)`.
        covered: Rows and columns of cells that the target spans.
        ignore_index: Train id of void.
        was_surveyed: Whether a loss has asked for the survey.
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
        """Describe a batch; nothing is computed yet.

        Args:
            features: As above.
            weight: Of the head, `(C, D, 1, 1)`.
            bias: Of the head, `(C,)`.
            target: As above.
            covered: As above.
            ignore_index: As above.
        """
        self.features, self.target = features, target
        self.covered, self.ignore_index = covered, ignore_index
        self.head_bits = weight.flatten(1).float() * BITS_PER_NAT
        self.bias_bits = bias.float() * BITS_PER_NAT
        self.was_surveyed = False

    @property
    def num_classes(self) -> int:
        """Number of classes, C."""
        return self.head_bits.shape[0]

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the target."""
        return self.target.shape[1], self.target.shape[2]

    @cached_property
    def survey(self) -> Survey:
        """What a first pass over all tiles finds; made when a loss first asks for it."""
        self.was_surveyed = True
        survey = Survey(self.target, self.num_classes, self.ignore_index)
        for part in (part for band in self.bands() for part in self.parts(band)):
            highest = part.bits.amax(dim=1, keepdim=True)
            shifted, target = part.bits.sub_(highest), self.target[part.place]
            survey.add(tile_softmax(shifted, highest[:, 0], target, self.ignore_index, part.place))
        return survey

    def bands(self) -> Iterator[Band]:
        """Yield the logits of all cells: of a whole image, or of the rows that make a tile."""
        height, step = self.features.shape[2], self._rows_at_once
        for index in range(self.features.shape[0]):
            for top in range(0, height, step):
                rows = slice(top, min(top + step, height))
                seen = self.features[index, :, rows].permute(1, 2, 0).float()
                cells = (self.head_bits @ seen.transpose(1, 2)).add_(self.bias_bits[:, None])
                yield Band(index, rows, seen, cells)

    def parts(self, band: Band) -> Iterator[Part]:
        """Yield the logits of the pixels of a band."""
        if self._tiles is None:
            yield Part((band.image, band.rows, slice(None)), band.cells, None)
            return
        for tile in self._tiles:
            yield Part((band.image, *tile.pixels), tile.upsampled(band.cells), tile)

    @cached_property
    def _rows_at_once(self) -> int:
        if self._tiles is not None:
            return self.features.shape[2]
        row_bytes = 4 * self.num_classes * self.size[1]
        return max(1, tile_bytes(self.features.device) // row_bytes)

    @cached_property
    def _tiles(self) -> list[Tile] | None:
        cells = (self.features.shape[2], self.features.shape[3])
        if self.size == cells == self.covered:
            return None
        return tiles(self.size, cells, self.covered, self.num_classes, self.features.device)

    @cached_property
    def gradients(self) -> "HeadGradients":
        """What comes of the features and the head, to be filled."""
        return HeadGradients(self, adds=self.was_surveyed)


class HeadGradients:
    """Gradients of the features and the head, added up band by band.

    Attributes:
        features: As the features, `(B, D, h, w)`.
        weight: `(C, D)`.
        bias: `(C,)`.
    """

    def __init__(self, batch: Batch, *, adds: bool) -> None:
        """Begin with zero.

        Args:
            batch: Whose.
            adds: Whether more than one thing is added to a feature: it is then held in fp32, as
                one that a few pixels alone decide may also be too large for fp16.
        """
        self.features = (
            torch.zeros_like(batch.features, dtype=torch.float32)
            if adds
            else torch.empty_like(batch.features)
        )
        self.weight, self.bias = (
            torch.zeros_like(batch.head_bits),
            torch.zeros_like(batch.bias_bits),
        )
        self._head = batch.head_bits / BITS_PER_NAT
        self._adds = adds

    def add(self, band: Band, gradient: Tensor) -> None:
        """Add what the gradient of a band's logits in nats, `(h, C, w)`, makes of them."""
        flat = gradient.transpose(0, 1).flatten(1)
        grad = (gradient.transpose(1, 2) @ self._head).permute(2, 0, 1)
        if self._adds:
            self.features[band.image, :, band.rows] += grad
        else:
            self.features[band.image, :, band.rows] = grad
        self.weight += flat @ band.seen.flatten(0, 1)
        self.bias += flat.sum(dim=1)
