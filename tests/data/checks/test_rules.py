"""Each rule finds the fault that was planted, and clean data have none."""

import io
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from tests.conftest import write_rectangles

from sceneparse.data.checks.duplicates import (
    NEAR_BITS,
    NEAR_BRIGHTNESS,
    fingerprint,
    near_pairs,
)
from sceneparse.data.datasets.synthetic import synthetic
from sceneparse.tasks.check import check

SIZE = (48, 64)
Planter = Callable[[Path], object]


def mask_path(root: Path, index: int, split: str = "training") -> Path:
    return root / "masks" / split / f"{index:03d}.png"


def image_path(root: Path, index: int, split: str = "training") -> Path:
    return root / "images" / split / f"{index:03d}.png"


def change_masks(
    change: Callable[[NDArray[np.uint8], int], NDArray[np.generic]], only: int | None = None
) -> Planter:
    """Return a function that changes all masks, or one of them."""

    def plant(root: Path) -> None:
        for number, path in enumerate(sorted((root / "masks").rglob("*.png"))):
            if only is None or number == only:
                Image.fromarray(change(np.array(Image.open(path)), number)).save(path)

    return plant


def change_images(change: Callable[[Image.Image], Image.Image], only: int | None = None) -> Planter:
    """Return a function that changes all images, or one of them."""

    def plant(root: Path) -> None:
        for number, path in enumerate(sorted((root / "images").rglob("*.png"))):
            if only is None or number == only:
                with Image.open(path) as image:
                    changed = change(image.copy())
                changed.save(path)

    return plant


def labels(text: str) -> Planter:
    return lambda root: (root / "labels.yaml").write_text(text)


def both(*planters: Planter) -> Planter:
    def plant(root: Path) -> None:
        for planter in planters:
            planter(root)

    return plant


def as_jpeg(ids: NDArray[np.uint8], _: int) -> NDArray[np.uint8]:
    """Compress a mask as a JPEG and store what comes out as PNG."""
    buffer = io.BytesIO()
    Image.fromarray(ids * 60).save(buffer, "JPEG", quality=60)
    return np.asarray(Image.open(buffer)) // 6


def turned(orientation: int) -> Planter:
    def plant(root: Path) -> None:
        exif = Image.Exif()
        exif[0x0112] = orientation
        path = image_path(root, 2)
        Image.open(path).save(path, exif=exif)

    return plant


def copied(source: str, target: str) -> Planter:
    def plant(root: Path) -> None:
        for kind in ("images", "masks"):
            shutil.copy(root / kind / source, root / kind / target)

    return plant


def without_blue(split: str) -> Planter:
    def plant(root: Path) -> None:
        for path in (root / "masks" / split).iterdir():
            Image.fromarray(np.array(Image.open(path)) % 3).save(path)

    return plant


def palettes(root: Path) -> None:
    for number, path in enumerate(sorted((root / "masks").rglob("*.png"))):
        order = [(0, 1, 2, 3), (3, 2, 0, 1)][number % 2]
        ids = np.array(Image.open(path))
        image = Image.fromarray(np.array(order, np.uint8)[ids]).convert("P")
        colors = [(10, 0, 0), (20, 0, 0), (30, 0, 0), (40, 0, 0)]
        image.putpalette([value for index in range(4) for value in colors[order.index(index)]])
        image.save(path)


def truncated(path: Callable[[Path], Path]) -> Planter:
    return lambda root: path(root).write_bytes(path(root).read_bytes()[:70])


NAMES = "[background, red, green, blue]"
IGNORING = f"classes: {NAMES}\nignored_ids: [255]"


# A name for each planted fault, how to plant it, the kind of the finding, and words in its text.
def bordered(ids: NDArray[np.uint8], _: int) -> NDArray[np.uint8]:
    """Draw the edge of each rectangle as class 4."""
    other = ids.copy()
    for axis in (0, 1):
        for step in (-2, -1, 1, 2):
            other[(np.roll(ids, step, axis) != ids) & (ids > 0)] = 4
    return other


FAULTS: dict[str, tuple[Planter, str, str]] = {
    "void border": (
        both(
            labels("classes: [background, red, green, blue, edge]"),
            change_masks(bordered),
        ),
        "void_border",
        "`edge` lies in thin bands between two others",
    ),
    "truncated image": (truncated(lambda root: image_path(root, 1)), "unreadable", "truncated"),
    "truncated mask": (truncated(lambda root: mask_path(root, 1)), "unreadable", "truncated"),
    "empty file": (
        lambda root: image_path(root, 1).write_bytes(b""),
        "unreadable",
        "not an image",
    ),
    "text as image": (
        lambda root: image_path(root, 1).write_text("<html>"),
        "unreadable",
        "not an image",
    ),
    "mask of another size": (
        change_masks(lambda ids, _: ids[:-1], only=3),
        "unreadable",
        "replace the mask by one of the size",
    ),
    "JPEG mask": (
        lambda root: Image.open(mask_path(root, 1)).save(mask_path(root, 1), "JPEG"),
        "unreadable",
        "a JPEG mask",
    ),
    "unknown colour": (
        lambda root: Image.open(image_path(root, 1)).save(mask_path(root, 1)),
        "unreadable",
        "colours of no class",
    ),
    "fractions": (
        lambda root: (
            (
                mask_path(root, 1).unlink(),
                Image.fromarray(np.full(SIZE, 0.5, np.float32)).save(
                    mask_path(root, 1).with_suffix(".tif")
                ),
            )
        ),
        "unreadable",
        "a mask with fractions",
    ),
    "turned image": (turned(6), "unreadable", "set data.exif_orientation=ignore"),
    "upside down": (turned(3), "orientation", "set data.exif_orientation=ignore"),
    "ids from 1": (
        change_masks(lambda ids, _: ids + 1),
        "unknown_ids",
        "`classes: {1: background, 2: red, 3: green, 4: blue}`",
    ),
    "border of 255": (
        change_masks(lambda ids, _: np.where(ids == 3, 255, ids).astype(np.uint8)),
        "unknown_ids",
        "`ignored_ids: [255]`",
    ),
    "black and white": (
        both(
            labels("classes: [background, crack]"),
            change_masks(lambda ids, _: (ids > 0).astype(np.uint8) * 255),
        ),
        "unknown_ids",
        "`classes: {0: background, 255: crack}`",
    ),
    "white ignored": (
        both(
            labels("classes: [background, crack]\nignored_ids: [255]"),
            change_masks(lambda ids, _: (ids > 0).astype(np.uint8) * 255),
        ),
        "one_class",
        "`classes: {0: background, 255: crack}`",
    ),
    "one stray id": (
        change_masks(lambda ids, _: np.where(ids == 3, 77, ids).astype(np.uint8), only=4),
        "unknown_ids",
        "ids 77 are neither",
    ),
    "JPEG-compressed masks": (change_masks(as_jpeg), "unknown_ids", "neither a class"),
    "all ignored": (
        both(labels(IGNORING), change_masks(lambda ids, _: np.full_like(ids, 255))),
        "nothing_labelled",
        "nothing to learn",
    ),
    "one class": (change_masks(lambda ids, _: ids * 0), "one_class", "`background`"),
    "one class and the rest ignored": (
        both(
            labels("classes: [thing]\nignored_ids: [255]"),
            change_masks(lambda ids, _: np.where(ids > 0, 0, 255).astype(np.uint8)),
        ),
        "one_class",
        "`classes: {0: thing, 255: background}`",
    ),
    "differing palettes": (palettes, "palettes", "write the colour of each class"),
    "12 bits in 16": (
        lambda root: (
            [
                Image.fromarray(
                    np.asarray(Image.open(path).convert("L")).astype(np.uint16) * 16
                ).save(path)
                for path in (root / "images").rglob("*.png")
            ]
        ),
        "small_range",
        "data.image_range=[0, 4095]",
    ),
    "dark images": (
        change_images(lambda image: Image.fromarray(np.asarray(image) // 10)),
        "small_range",
        "data.image_range=[0, ",
    ),
    "blank image": (
        change_images(lambda image: Image.new("RGB", image.size, (9, 9, 9)), only=2),
        "blank",
        "images of one colour",
    ),
    "duplicate": (copied("training/001.png", "training/004.png"), "duplicates", "count twice"),
    "leak": (copied("training/001.png", "validation/000.png"), "leak", "scores are too high"),
    "class absent in training": (
        without_blue("training"),
        "not_in_training",
        "never in the training masks, so they cannot be learned",
    ),
    "class absent in validation": (
        without_blue("validation"),
        "not_in_validation",
        "no score tells",
    ),
    "class that never occurs": (
        labels("classes: [background, red, green, blue, unicorn]"),
        "never_present",
        "unicorn",
    ),
    "another kind of mask": (
        change_masks(lambda ids, _: np.repeat(ids[..., None], 3, 2), only=1),
        "mask_kinds",
        "1 colour",
    ),
    "left out": (
        lambda root: (root / "images" / "training" / "x.psd").write_bytes(b""),
        "files",
        "x.psd",
    ),
    "ending": (
        lambda root: (
            [
                path.rename(path.with_name(f"{path.stem}_mask.png"))
                for path in list((root / "masks").rglob("*.png"))
            ]
        ),
        "files",
        "without `_mask`",
    ),
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write_rectangles(tmp_path / "data", {"training": 10, "validation": 5}, SIZE)
    return tmp_path / "data"


def test_clean_data_have_no_findings(root: Path) -> None:
    assert check(root).findings == []


@pytest.mark.parametrize("name", FAULTS)
def test_a_planted_fault_is_found(name: str, root: Path) -> None:
    plant, kind, words = FAULTS[name]
    plant(root)
    found = {finding.kind: str(finding) for finding in check(root).findings}
    assert words in found[kind], found
    others = {"files"} if kind != "files" else set()
    # A fault may have a second symptom, but nothing is invented that has nothing to do with it.
    symptoms = {
        "unreadable": {"not_in_validation", "mask_kinds"},
        "blank": {"duplicates"},
        "one_class": set(),
        "mask_kinds": set(),
    }
    assert set(found) - {kind} - others <= symptoms.get(kind, set()), found


def test_scaled_and_compressed_images_are_near_and_others_far() -> None:
    scenes = synthetic("training", 30, (96, 128), 0)
    images = [scenes[index].image for index in range(len(scenes))]
    changed: list[NDArray[np.uint8]] = []
    for image in images:
        buffer = io.BytesIO()
        Image.fromarray(image).resize((100, 75)).save(buffer, "JPEG", quality=85)
        changed.append(np.asarray(Image.open(buffer)))
    prints = [fingerprint(image) for image in [*images, *changed]]
    pairs = near_pairs(prints)
    assert pairs == [
        (first, second)
        for first in range(60)
        for second in range(first + 1, 60)
        if np.bitwise_count(prints[first].bits ^ prints[second].bits).sum() <= NEAR_BITS
        and abs(prints[first].cells - prints[second].cells.astype(float)).mean() <= NEAR_BRIGHTNESS
    ]
    assert all(second == first + 30 for first, second in pairs)
    assert len(pairs) >= 25


def test_a_bright_and_a_dark_sky_are_no_duplicates() -> None:
    sky = np.repeat(np.linspace(0, 60, 96)[:, None, None], 128, 1).repeat(3, 2).astype(np.uint8)
    prints = [fingerprint(sky), fingerprint(sky + 100)]
    np.testing.assert_array_equal(prints[0].bits, prints[1].bits)
    assert near_pairs(prints) == []
    assert near_pairs([prints[0], prints[0]]) == [(0, 1)]
