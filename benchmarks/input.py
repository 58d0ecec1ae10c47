"""From files to an augmented, normalised batch of 16 at 256×256, in one process.

Both sides have the same operations and ranges: random resized crop, flip, brightness, contrast,
saturation, hue, normalisation; the mask has the same geometry. The peer is torchvision's transforms
v2 with each of the usual ways to read images, of which the fastest counts. Ours reads ahead with
the number of threads of training.
"""

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

import input_ours
import input_theirs
import material
from harness import Repeats, Runs, Side, alternate, parser
from input_ours import Parameters
from input_theirs import READERS
from machine import ROOT
from rows import Claim, Row, make_row, report, speed

NAME = "input"
SIZE, BATCH = 256, 16
# Several batches per step, because ours reads ahead.
BATCHES = 2
# Smallest share of the sides, largest change of the aspect ratio, probability.
GEOMETRY = {"crop": 0.5, "aspect": 4 / 3, "flip": 0.5}
JITTER = {"brightness": 0.3, "contrast": 0.2, "saturation": 0.3, "hue": 0.05}
NO_JITTER = dict.fromkeys(JITTER, 0.0)
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
LIMIT_8BIT = 2.0


def ours(root: str, source: str, *, jitter: bool) -> Callable[[], tuple[Tensor, Tensor]]:
    """Prepare our batches, read from `files` or `cache`."""
    # The loader's threads use all cores; torchvision's operations have threads of their own.
    torch.set_num_threads(1)
    ready = input_ours.batches(Path(root), source, _ranges(jitter=jitter), SIZE, BATCH)

    def step() -> tuple[Tensor, Tensor]:
        for _ in range(BATCHES):
            batch = next(ready)
            image = input_ours.normalise(batch)
        return image, torch.from_numpy(batch.mask)

    return step


def theirs(root: str, reader: str, *, jitter: bool) -> Callable[[], tuple[Tensor, Tensor]]:
    """Prepare batches of torchvision's transforms."""
    transform = input_theirs.transform(_ranges(jitter=jitter), SIZE, MEAN, STD)
    read = input_theirs.READ[reader]
    files = _shuffled(Path(root))

    def step() -> tuple[Tensor, Tensor]:
        for _ in range(BATCHES):
            samples = [transform(*read(*next(files))) for _ in range(BATCH)]
            image = torch.stack([sample[0] for sample in samples])
            # Raw id 0 is void; minus 1 it wraps to 255.
            mask = torch.stack([sample[1] for sample in samples]) - 1
        return image, mask

    return step


def difference(root: str) -> Callable[[], float]:
    """Prepare the mean difference of images augmented with equal parameters, in 1/255."""
    return lambda: float(np.mean([_difference(path) for path, _ in _pairs(Path(root))[:BATCH]]))


def _difference(path: Path) -> float:
    with Image.open(path) as file:
        pixels = np.array(file.convert("RGB"))
    height, width = pixels.shape[:2]
    seed = sum(path.stem.encode())
    random = np.random.default_rng(seed)
    left, top = int(random.integers(width // 3)), int(random.integers(height // 3))
    chosen = Parameters(
        box=(left, top, left + width // 2, top + height // 2),
        flip=bool(random.random() < GEOMETRY["flip"]),
        brightness=random.uniform(1 - JITTER["brightness"], 1 + JITTER["brightness"]),
        contrast=random.uniform(1 - JITTER["contrast"], 1 + JITTER["contrast"]),
        saturation=random.uniform(1 - JITTER["saturation"], 1 + JITTER["saturation"]),
        hue=random.uniform(-JITTER["hue"], JITTER["hue"]),
    )
    our_image = input_ours.image(pixels, chosen, SIZE)
    their_image = input_theirs.image(pixels, chosen, SIZE)
    return float(np.abs(our_image.astype(np.float32) - their_image).mean())


def _ranges(*, jitter: bool) -> dict[str, float]:
    return {**GEOMETRY, **(JITTER if jitter else NO_JITTER)}


def _pairs(root: Path) -> list[tuple[Path, Path]]:
    """List at most 256 images and masks, evenly spread; so few stay in the page cache."""
    images = sorted((root / "images" / "training").glob("*.jpg"))
    images = images[:: max(1, len(images) // 256)][:256]
    masks = root / "annotations" / "training"
    return [(path, masks / f"{path.stem}.png") for path in images]


def _shuffled(root: Path) -> Iterator[tuple[Path, Path]]:
    pairs = _pairs(root)
    random = np.random.default_rng(0)
    while True:
        for index in random.permutation(len(pairs)):
            yield pairs[index]


def main() -> None:
    """Measure and report."""
    options = parser(__doc__)
    options.add_argument(
        "--data",
        type=Path,
        default=ROOT.parent / "shared" / "ade20k",
        help="folder of ADE20K; without it, images are generated and no ratio is checked",
    )
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        report(NAME, _rows(chosen.data.resolve(), Path(folder), quick=chosen.quick), chosen)


def _rows(data: Path, folder: Path, *, quick: bool) -> list[Row]:
    real = data.is_dir() and not quick
    root, large = (data if real else folder / "usual"), folder / "large"
    if not real:
        material.write_images(root, 16, 96 if quick else 384, 128 if quick else 512)
    material.write_images(large, 16, 150 if quick else 1500, 200 if quick else 2000)
    sides = {
        "files": Side("ours", _side_arguments(root, source="files"), BATCHES),
        "cache": Side("ours", _side_arguments(root, source="cache"), BATCHES),
    }
    sides |= {
        name: Side("theirs", _side_arguments(root, reader=name), BATCHES, package)
        for name, package in READERS.items()
    }
    runs = alternate(NAME, sides, Repeats(rounds=3, warmup=4, timed=8), quick=quick)
    best = min((name for name in READERS if name in runs), key=lambda name: runs[name].median_s)
    peer = f"torchvision v2, {best}"
    megapixels = BATCH * _megapixels(root)
    note = "" if real else "generated images"
    files = Claim(
        benchmark=NAME,
        peer=peer,
        metric="speed from files",
        min_ratio=4 if real else None,
        limit="jpeg",
        amount=megapixels,
        note=note,
    )
    cache = Claim(
        benchmark=NAME,
        peer=peer,
        metric="speed from the cache",
        min_ratio=12 if real else None,
        limit="copy",
        amount=5 * BATCH * 3 * SIZE**2 / 1e9,
        note=note or "the limit is one conversion from bytes to fp32",
    )
    others = [name for name in READERS if name in runs and name != best]
    return [
        speed(files, runs["files"], runs[best], quick=quick),
        speed(cache, runs["cache"], runs[best], quick=quick),
        *(
            speed(
                _reported(f"torchvision v2, {name}", "speed from files"), runs["files"], runs[name]
            )
            for name in others
        ),
        _difference_row(root, real=real, quick=quick),
        *_reported_rows(root, best, "without jitter", jitter=False, quick=quick),
        *_reported_rows(large, best, "2000×1500 pixels", jitter=True, quick=quick),
    ]


def _side_arguments(root: Path, *, jitter: bool = True, **others: str) -> dict[str, Any]:
    return {"root": str(root), "jitter": jitter, **others}


def _reported(peer: str, metric: str) -> Claim:
    return Claim(benchmark=NAME, peer=peer, metric=metric)


def _reported_rows(root: Path, reader: str, what: str, *, jitter: bool, quick: bool) -> list[Row]:
    """Compare files and cache with the peer's fastest reader, on other images or operations."""
    sides = {
        source: Side("ours", _side_arguments(root, jitter=jitter, source=source), BATCHES)
        for source in ("files", "cache")
    }
    sides["theirs"] = Side(
        "theirs", _side_arguments(root, jitter=jitter, reader=reader), BATCHES, READERS[reader]
    )
    runs = alternate(NAME, sides, Repeats(rounds=1, warmup=3, timed=5), quick=quick)
    return [
        speed(
            _reported(f"torchvision v2, {reader}", f"speed from {source}, {what}"),
            runs[source],
            runs["theirs"],
            quick=quick,
        )
        for source in ("files", "cache")
    ]


def _difference_row(root: Path, *, real: bool, quick: bool) -> Row:
    """Compare the mean difference from the peer's images with its limit."""
    side = Side("difference", {"root": str(root)}, needs="torchvision")
    runs: dict[str, Runs] = alternate(NAME, {"difference": side}, Repeats(1, 0, 1), quick=quick)
    mean = float(runs["difference"].values[0])
    claim = Claim(
        benchmark=NAME,
        peer="torchvision v2, equal parameters",
        metric="mean difference of images",
        min_ratio=1 if real else None,
        note="theirs is the limit",
    )
    return make_row(claim, "/255", mean, LIMIT_8BIT, LIMIT_8BIT / mean, repeats=BATCH, quick=quick)


def _megapixels(root: Path) -> float:
    """Return the mean size of the images."""
    sizes: list[int] = []
    for path, _ in _pairs(root):
        with Image.open(path) as image:
            sizes.append(image.width * image.height)
    return float(np.mean(sizes)) / 1e6


if __name__ == "__main__":
    main()
