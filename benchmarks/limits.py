"""The limits of this machine: products, copies, exponentials, comparisons, counts, JPEGs.

The tables compare benchmarks with these limits, as a good ratio can also come from a slow peer.
Each limit is the best of several runs, with PyTorch's default number of threads except for counts
(one) and JPEGs (one per core).
"""

import io
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from PIL import Image

import material
from harness import Repeats, Side, alternate, parser
from rows import Claim, make_row, report

NAME = "limits"
# This many fp32 numbers fit into the L2 cache of a core.
CACHED = 2**18


def gemm(size: int, dtype: str) -> Callable[[], object]:
    """Prepare a product of square matrices."""
    left = torch.randn(size, size).to(getattr(torch, dtype))
    right = torch.randn(size, size).to(left.dtype)
    into = torch.empty_like(left)
    return lambda: torch.mm(left, right, out=into)


def copy(megabytes: int) -> Callable[[], object]:
    """Prepare a copy larger than any cache; bytes read and bytes written both count."""
    source = torch.ones(megabytes * 250_000)
    into = torch.empty_like(source)
    return lambda: into.copy_(source)


def exp(times: int) -> Callable[[], object]:
    """Prepare exponentials of numbers in cache."""
    values = torch.full((CACHED,), -1.0)
    into = torch.empty_like(values)
    return lambda: [torch.exp(values, out=into) for _ in range(times)][-1]


def maximum(times: int) -> Callable[[], object]:
    """Prepare the maximum and its index over 150 classes, in cache."""
    values = torch.randn(CACHED // (150 * 256), 150, 256)
    return lambda: [values.max(dim=1) for _ in range(times)][-1]


def count(times: int) -> Callable[[], object]:
    """Prepare NumPy's `bincount` of pairs of 150 classes, in one thread."""
    target = material.mask((512, 512), 150).astype(np.int64).clip(max=149)
    pairs = (target * 151 + target[::-1]).ravel()
    return lambda: [np.bincount(pairs, minlength=150 * 151) for _ in range(times)][-1]


def jpeg(side: int, images: int) -> Callable[[], object]:
    """Prepare decoding of JPEGs by Pillow, with a thread per core."""
    file = io.BytesIO()
    material.image(side, side).save(file, "JPEG", quality=90)
    pool = ThreadPoolExecutor(os.cpu_count())

    def decode(data: bytes) -> tuple[int, int]:
        with Image.open(io.BytesIO(data)) as image:
            image.load()
            return image.size

    return lambda: list(pool.map(decode, [file.getvalue()] * images))


def main() -> None:
    """Measure and report."""
    options = parser(__doc__).parse_args()
    quick: bool = options.quick
    times = 1 if quick else 100
    size = 128 if quick else 2048
    megabytes = 1 if quick else 256
    side, images = (128, 2) if quick else (2048, 8)
    rows_in_cache = CACHED // (150 * 256)
    sides = {
        "gemm_fp32 GFLOP/s": Side("gemm", {"size": size, "dtype": "float32"}, 2 * size**3 / 1e9),
        "gemm_bf16 GFLOP/s": Side("gemm", {"size": size, "dtype": "bfloat16"}, 2 * size**3 / 1e9),
        "copy GB/s": Side("copy", {"megabytes": megabytes}, 2 * megabytes / 1e3),
        "exp G/s": Side("exp", {"times": times}, times * CACHED / 1e9),
        "max G/s": Side("maximum", {"times": times}, times * rows_in_cache * 150 * 256 / 1e9),
        "count G/s": Side("count", {"times": times}, times * 512 * 512 / 1e9),
        "jpeg megapixels/s": Side("jpeg", {"side": side, "images": images}, images * side**2 / 1e6),
    }
    runs = alternate(NAME, sides, Repeats(rounds=1, warmup=2, timed=9), quick=quick)
    rows = []
    for name, measured in runs.items():
        metric, unit = name.split(" ", 1)
        claim = Claim(benchmark=NAME, peer="", metric=metric)
        rate = 1 / measured.fastest_s
        rows.append(make_row(claim, unit, rate, None, None, repeats=measured.repeats))
    report(NAME, rows, options)


if __name__ == "__main__":
    main()
