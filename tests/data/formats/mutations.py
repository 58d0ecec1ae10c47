"""Files with random mistakes."""

from collections.abc import Iterator

import numpy as np

# What people and programs write where something else is expected.
_PIECES = (
    *(b"null", b"{}", b"[]", b'""', b"-1", b"0", b"1e308", b"1e999", b"99999999999999999999"),
    *(b"true", b'"\\ud800"', b'"\\u0000"', b'"../x"', b"NaN", b"[[]]", b"0.5", b"\xff", b""),
)


def mutated(content: bytes, count: int, seed: int = 0) -> Iterator[bytes]:
    """Yield copies of a JSON file with values replaced, bytes changed, or parts left out."""
    rng = np.random.default_rng(seed)
    for _ in range(count):
        changed = bytearray(content)
        for _ in range(int(rng.integers(1, 4))):
            at, kind = int(rng.integers(len(changed) + 1)), int(rng.integers(4))
            if kind == 0:
                changed[at : at + 1] = bytes([int(rng.integers(32, 127))])
            elif kind == 1:
                del changed[at : at + int(rng.integers(1, 20))]
            else:
                start = changed.find(b":", at)
                ends = [changed.find(end, start) for end in (b",", b"}", b"]")]
                stop = min((end for end in ends if end > start), default=-1)
                if 0 < start < stop:
                    changed[start + 1 : stop] = _PIECES[int(rng.integers(len(_PIECES)))]
        yield bytes(changed)
