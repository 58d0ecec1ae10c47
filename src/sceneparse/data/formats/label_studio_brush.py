"""The run lengths in which Label Studio stores what a brush has painted.

They are the `rle` of a region: a stream of bits, the highest of each byte first, of RGBA values
row by row (rle-pack, https://github.com/thi-ng/umbrella).

```
32 bits            number of values, 4 × width × height
5 bits             bits of a value, less 1
4 × 4 bits         four sizes of counts in bits, each less 1
then, until all values are there:
1 bit              1 for one value that repeats, 0 for different values
2 bits             which of the four sizes the count has
that many bits     the count, less 1
value, or values   8 bits each
```

A pixel is painted if its alpha is not zero.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sceneparse.data.formats.run_lengths import runs_of_pixels
from sceneparse.data.formats.shapes import Region
from sceneparse.errors import InputError

_HEADER_BITS, _VALUE_BITS, _CHANNELS = 53, 8, 4
# Those that Label Studio writes.
_COUNT_BITS = (3, 4, 8, 16)


@dataclass(frozen=True)
class BrushStrokes:
    """An area that was painted with a brush.

    Attributes:
        raw_id: The raw id of its class.
        rle: Its run lengths in the coding of Label Studio.
    """

    raw_id: int
    rle: bytes

    def region(self, height: int, width: int) -> Region:
        """Return the pixels that it covers."""
        return Region(0, 0, decode(self.rle, height, width))


def decode(rle: bytes, height: int, width: int) -> NDArray[np.bool_]:
    """Return the painted pixels `(height, width)` of an image.

    Raises:
        InputError: If the run lengths are broken, or of an image of another size.
    """
    header = int.from_bytes(rle[:7].ljust(7, b"\0"))
    number, value_bits = header >> 24, (header >> 19 & 31) + 1
    count_bits = [(header >> shift & 15) + 1 for shift in (15, 11, 7, 3)]
    if 8 * len(rle) < _HEADER_BITS or value_bits != _VALUE_BITS:
        raise _broken("without a header, or with values that are not of 8 bits")
    if number != _CHANNELS * height * width:
        raise _broken(f"of {number} values, expected {_CHANNELS}×{width}×{height}")
    alpha = np.zeros(height * width, np.uint8)
    # A window of four bytes may begin at the last one.
    padded = rle + bytes(4)
    content = np.frombuffer(padded, np.uint8)
    at, done = _HEADER_BITS, 0
    while done < number:
        window = int.from_bytes(padded[at >> 3 : (at >> 3) + 4]) << (at & 7)
        size = count_bits[window >> 29 & 3]
        end = done + (window >> (29 - size) & ((1 << size) - 1)) + 1
        repeats = bool(window >> 31 & 1)
        at += 3 + size
        after = at + _VALUE_BITS * (1 if repeats else end - done)
        if end > number or after > 8 * len(rle):
            raise _broken("that end too early, or too late")
        # Pixel k has its alpha in value 4 k + 3.
        pixels = slice(done // _CHANNELS, end // _CHANNELS)
        if repeats:
            value = int.from_bytes(padded[at >> 3 : (at >> 3) + 2]) >> (8 - (at & 7)) & 255
            if value:
                alpha[pixels] = value
        else:
            first = at + _VALUE_BITS * (_CHANNELS * pixels.start + 3 - done)
            alpha[pixels] = _every_fourth(content, first, pixels.stop - pixels.start)
        at, done = after, end
    return (alpha > 0).reshape(height, width)


def encode(pixels: NDArray[np.bool_]) -> bytes:
    """Return the run lengths of painted pixels `(H, W)`, painted in opaque white.

    The bytes are those that the `mask2rle` of Label Studio gives.
    """
    counts = np.array(runs_of_pixels(pixels), np.int64) * _CHANNELS
    values = np.arange(len(counts)) % 2 * 255
    counts, values = counts[counts > 0], values[counts > 0]
    longest = 1 << _COUNT_BITS[-1]
    parts = -(-counts // longest)
    lengths = np.full(int(parts.sum()), longest)
    lengths[np.cumsum(parts) - 1] = counts - (parts - 1) * longest
    kinds = np.searchsorted(1 << np.array(_COUNT_BITS[:-1]), lengths)
    sizes = np.array(_COUNT_BITS)[kinds]
    runs = (((4 | kinds) << sizes | (lengths - 1)) << _VALUE_BITS) | np.repeat(values, parts)
    header = _CHANNELS * pixels.size << 5 | _VALUE_BITS - 1
    for size in _COUNT_BITS:
        header = header << 4 | size - 1
    codes = np.concatenate([[header], runs])
    widths = np.concatenate([[_HEADER_BITS], 3 + sizes + _VALUE_BITS])
    # In parts, since numbers of 8 bytes stand for bits.
    parts_of_bits = [
        _bits(codes[at : at + _PART], widths[at : at + _PART]) for at in range(0, len(codes), _PART)
    ]
    bits = np.concatenate(parts_of_bits)
    # Label Studio writes a byte of zeros where the bits fill the last one.
    return np.packbits(bits).tobytes().ljust(len(bits) // 8 + 1, b"\0")


_PART = 2**16


def _bits(codes: NDArray[np.int64], widths: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return the bits of numbers, each written with its own width."""
    ends = np.repeat(np.cumsum(widths), widths)
    shifts = ends - 1 - np.arange(len(ends))
    return (np.repeat(codes, widths) >> shifts & 1).astype(np.bool_)


def _every_fourth(content: NDArray[np.uint8], first: int, count: int) -> NDArray[np.uint8]:
    """Return every fourth of values of 8 bits, the first of which begins at bit `first`."""
    start, shift = divmod(first, 8)
    stop = start + _CHANNELS * count
    high = content[start:stop:_CHANNELS].astype(np.uint16)
    low = content[start + 1 : stop + 1 : _CHANNELS]
    return ((high << 8 | low) >> (8 - shift) & 255).astype(np.uint8)


def _broken(what: str) -> InputError:
    return InputError(f"brush strokes {what}; export the annotations again")
