"""Logits of an image in slabs: parts of its feature map, which need not exist at the same time."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Protocol, TypeVar

import numpy as np

from sceneparse.inference.network import ImageLogits, Logits, like


class HasSources(Protocol):
    """A rectangle of the output."""

    @property
    def sources(self) -> tuple[slice, slice]:
        """The rows and columns of the feature map that it is interpolated from."""
        ...


AnyTile = TypeVar("AnyTile", bound=HasSources)


class LogitSlabs:
    """The logits of one image, cut along rows or columns into slabs; they are read once, in order.

    The logits of a whole image are one slab.

    Attributes:
        shape: Classes, height and width of all slabs together.
        covered: Rows and columns of the feature map that the image covers, fractions included.
    """

    def __init__(
        self,
        slabs: Iterable[Logits],
        *,
        shape: tuple[int, int, int],
        covered: tuple[float, float],
        axis: int = 0,
    ) -> None:
        """Take slabs, which are computed as late as possible if `slabs` is a generator.

        Args:
            slabs: Each `(C, h', w')`; one side is that of the feature map.
            shape: Classes, height and width of all slabs together.
            covered: Rows and columns of the feature map that the image covers.
            axis: 0 if slabs follow each other from top to bottom, 1 if from left to right.
        """
        self.shape = shape
        self.covered = covered
        self._axis = axis
        self._slabs = iter(slabs)
        self._peeked: deque[Logits] = deque()

    @classmethod
    def of(cls, logits: "ImageLogits | LogitSlabs") -> "LogitSlabs":
        """Return the logits of a whole image as one slab, and slabs as they are."""
        if isinstance(logits, LogitSlabs):
            return logits
        classes, height, width = logits.values.shape
        return cls([logits.values], shape=(classes, height, width), covered=logits.covered)

    @property
    def first(self) -> Logits:
        """The next slab, which is not taken by that."""
        if not self._peeked:
            self._peeked.append(next(self._slabs))
        return self._peeked[0]

    def whole(self) -> ImageLogits:
        """Put the slabs together."""
        slab = self._next()
        if slab.shape == self.shape:
            return ImageLogits(slab, self.covered)
        values: Any = like(np.empty(self.shape, np.float32), slab)
        start = 0
        while True:
            stop = start + slab.shape[1 + self._axis]
            values[self._along(slice(start, stop))] = slab
            if stop == self.shape[1 + self._axis]:
                return ImageLogits(values, self.covered)
            start, slab = stop, self._next()

    def parts(self, tiles: Sequence[AnyTile]) -> Iterator[tuple[AnyTile, Logits]]:
        """Yield each tile with the part `(C, h', w')` of the logits that it needs.

        Slabs are held no longer than tiles need them. The parts do not depend on where the logits
        are cut, so that results do not either.

        Args:
            tiles: They are yielded in another order if the slabs are.
        """
        axis = self._axis
        held: deque[tuple[int, Any]] = deque()
        stop = 0
        for tile in sorted(tiles, key=lambda tile: tile.sources[axis].start):
            wanted = tile.sources[axis]
            while held and _end(held[0], axis) <= wanted.start:
                held.popleft()
            while stop < wanted.stop:
                held.append((stop, self._next()))
                stop = _end(held[-1], axis)
            pieces = [
                slab[self._along(slice(max(0, wanted.start - start), wanted.stop - start))]
                for start, slab in held
                if start < wanted.stop
            ]
            across = tile.sources[1 - axis]
            yield tile, _joined(pieces, axis)[self._along(slice(None), across)]

    def _next(self) -> Any:
        return self._peeked.pop() if self._peeked else next(self._slabs)

    def _along(self, along: slice, across: slice = slice(None)) -> tuple[slice, slice, slice]:
        """Return an index of `(C, h, w)`."""
        sides = (along, across) if self._axis == 0 else (across, along)
        return (slice(None), *sides)


def _end(held: tuple[int, Any], axis: int) -> int:
    start, slab = held
    return start + slab.shape[1 + axis]


def _joined(pieces: Sequence[Any], axis: int) -> Any:
    if len(pieces) == 1:
        return pieces[0]
    moved = [piece.swapaxes(1, 1 + axis) for piece in pieces]
    rows = sum(piece.shape[1] for piece in moved)
    shape = (moved[0].shape[0], rows, moved[0].shape[2])
    joined: Any = like(np.empty(shape, np.float32), moved[0])
    start = 0
    for piece in moved:
        joined[:, start : start + piece.shape[1]] = piece
        start += piece.shape[1]
    return joined.swapaxes(1, 1 + axis)
