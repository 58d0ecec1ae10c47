"""Whatever a format writes, its reader reads back."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sceneparse.data.dataset import PairedFiles
from sceneparse.data.datasets.folder import FolderData
from sceneparse.data.formats.own_folder import labels_yaml
from sceneparse.data.formats.registry import FORMATS, find_format
from sceneparse.labels import Labels, Mask
from sceneparse.tasks.convert import convert

NAMES = ("background", "Straße 地面", 'a "b", c: #d', "ø")
COLORS = ((0, 0, 0), (200, 10, 10), (10, 200, 10), (10, 10, 200))


def random_mask(rng: np.random.Generator, height: int, width: int, classes: int) -> Mask:
    """Large areas, small ones inside, noise, single pixels and lines."""
    cells = rng.integers(0, classes, (max(1, height // 8), max(1, width // 8)), np.uint8)
    mask = np.array(Image.fromarray(cells).resize((width, height), Image.Resampling.NEAREST))
    for _ in range(4):
        top, left = int(rng.integers(0, height)), int(rng.integers(0, width))
        mask[top : top + int(rng.integers(1, 9)), left : left + int(rng.integers(1, 9))] = (
            rng.integers(0, classes)
        )
    noisy = rng.random((height, width)) < 0.03
    mask[noisy] = rng.integers(0, classes, int(noisy.sum()))
    return mask


def write_own(root: Path, labels: Labels, splits: dict[str, int], void: bool) -> dict[str, Mask]:
    rng = np.random.default_rng(7)
    raw_of: dict[str, Mask] = {}
    for split, count in splits.items():
        for index in range(count):
            height, width = rng.integers(1, 70, 2).tolist()
            mask = random_mask(rng, height, width, labels.num_classes + void)
            raw = np.array([*labels.raw_ids, *labels.ignored_ids], np.uint16)[mask]
            name = f"{'ä ö' if index == 1 else 'im'}{index}.v2"
            image = rng.integers(0, 255, (height, width, 3), np.uint8)
            for kind, pixels in (("images", image), ("masks", raw.astype(labels_dtype(labels)))):
                (root / kind / split).mkdir(parents=True, exist_ok=True)
                Image.fromarray(pixels).save(root / kind / split / f"{name}.png")
            raw_of[f"{split}/{name}"] = raw
    (root / "labels.yaml").write_text(labels_yaml(labels), encoding="utf-8")
    return raw_of


def labels_dtype(labels: Labels) -> type[np.generic]:
    return np.uint16 if max(*labels.raw_ids, *labels.ignored_ids, 0) > 255 else np.uint8


def names_of_pixels(files: PairedFiles, index: int) -> list[list[str]]:
    table = [*files.labels.class_names, *["(void)"] * 70000]
    return np.array(table[:65536], object)[files.mask(index)].tolist()


@pytest.mark.parametrize("name", sorted(FORMATS))
@pytest.mark.parametrize("void", [False, True], ids=["uncovered is background", "with void"])
@pytest.mark.parametrize(
    "splits",
    [{"training": 3, "validation": 2, "test": 1}, {"": 6}],
    ids=["with splits", "without splits"],
)
def test_written_masks_are_read_back_exactly(
    name: str, void: bool, splits: dict[str, int], tmp_path: Path
) -> None:
    labels = Labels(NAMES, COLORS, (0, 3, 7, 9), (255,) if void else ())
    write_own(tmp_path / "own", labels, splits, void)
    convert(tmp_path / "own", tmp_path / "out", to=name)

    found = find_format(tmp_path / "out")
    assert found is not None
    assert found.name == name
    expected = FolderData(root=tmp_path / "own").all_splits()
    read = FolderData(
        root=tmp_path / "out", uncovered="ignore" if void else "background"
    ).all_splits()
    assert read.keys() == expected.keys()
    for split, files in expected.items():
        assert list(read[split].names) == list(files.names)
        for index in range(len(files)):
            assert np.array_equal(read[split][index].image, files[index].image)
            assert names_of_pixels(read[split], index) == names_of_pixels(files, index), (
                split,
                files.names[index],
            )
