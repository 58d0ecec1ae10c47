"""Data as people bring it, from the cases in ../shared: read exactly, or refused with the fix."""

import re
import runpy
import subprocess
import sys
from collections.abc import Iterable
from contextlib import redirect_stdout
from dataclasses import replace
from functools import cache
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from tests.conftest import SHARED

from sceneparse import factory
from sceneparse.data.checks.quick import quick_check
from sceneparse.data.dataset import PairedFiles
from sceneparse.data.datasets.file_data import PublishedData
from sceneparse.data.datasets.folder import FolderData
from sceneparse.data.io.decode import read_image
from sceneparse.errors import InputError
from sceneparse.factory.data import find_data
from sceneparse.labels import Mask
from sceneparse.tasks.check import check
from sceneparse.tasks.convert import convert

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("cases")
    script = SHARED / "cases" / "make_cases.py"
    if not script.is_file():
        pytest.skip("needs ../shared/cases")
    subprocess.run([sys.executable, str(script), str(out)], check=True, capture_output=True)
    return out


@cache
def _script() -> dict[str, Any]:
    with (
        TemporaryDirectory() as out,
        pytest.MonkeyPatch.context() as patch,
        redirect_stdout(StringIO()),
    ):
        patch.setattr(sys, "argv", ["make_cases.py", out])
        return runpy.run_path(str(SHARED / "cases" / "make_cases.py"))


def scene(seed: int) -> tuple[Image.Image, Mask, list[tuple[str, list[int]]]]:
    """Return the image, the ids and the shapes of a scene of the cases."""
    return _script()["scene"](seed)


def shown_ids(image: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Return what an image of the cases shows: 0 green ground, 1 a red box, 2 a blue disc."""
    red, green, blue = (image[..., channel].astype(int) for channel in range(3))
    return np.where(red - green > 60, 1, np.where(blue - green > 60, 2, 0))


def opened(data: PublishedData | FolderData) -> dict[str, PairedFiles]:
    splits = {split: factory.dataset(data, split) for split in ("training", "validation")}
    return {split: found for split, found in splits.items() if isinstance(found, PairedFiles)}


def assert_exact(splits: Iterable[PairedFiles], count: int) -> None:
    samples = [files[index] for files in splits for index in range(len(files))]
    assert len(samples) == count
    for sample in samples:
        np.testing.assert_array_equal(sample.mask, shown_ids(sample.image), sample.name)


@pytest.mark.parametrize(
    ("name", "count", "kinds"),
    [
        ("02_color_masks", 6, set()),
        ("07_train_val", 6, set()),
        ("08_splits_on_top", 6, set()),
        ("11_equal_channels", 6, set()),
        ("12_suffix", 6, {"files"}),
        ("13_unicode", 3, set()),
        ("16_subfolders", 8, set()),
        ("17_palettes", 6, set()),
        ("22_scripts", 6, set()),
    ],
)
def test_a_case_is_read_exactly(name: str, count: int, kinds: set[str], cases: Path) -> None:
    data = find_data(cases / name)
    splits = opened(data)
    assert_exact(splits.values(), count)
    assert {finding.kind for finding in quick_check(data, splits)} == kinds
    assert check(cases / name).errors == []


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("09_black_white", r"write `classes: \{0: background, 255: crack\}` into .*labels\.yaml"),
        ("09_black_white_ignored", r"one class alone.*`classes: \{0: background, 255: crack\}`"),
        ("14_orientation", r"EXIF orientation 6.*data\.exif_orientation=ignore; else turn"),
        ("18_all_void", "nothing to learn"),
        ("19_one_class", "one class alone, `thing`, and 78% of the pixels are ignored"),
    ],
)
def test_a_case_is_refused_before_training(name: str, says: str, cases: Path) -> None:
    data = find_data(cases / name)
    with pytest.raises(InputError, match=says):
        quick_check(data, opened(data))
    assert check(cases / name).errors


def test_colour_masks_of_cvat_are_converted_exactly(cases: Path, tmp_path: Path) -> None:
    converted = convert(cases / "01_cvat_masks", tmp_path / "own")
    assert converted.images == {"": 6}
    assert converted.labels.class_names == ("background", "box", "disc")
    assert converted.labels.colors == ((0, 0, 0), (184, 61, 245), (51, 221, 255))
    files = FolderData(root=tmp_path / "own").unsplit()
    assert files.names == tuple(f"cam{index}" for index in range(6))
    for index in range(6):
        # JPEG changes the colours at the edges; the same scene is a PNG file in another case.
        scene = read_image(cases / "02_color_masks" / "images" / f"shot{index:02d}.png")
        np.testing.assert_array_equal(files.mask(index), shown_ids(scene))
    assert check(cases / "01_cvat_masks").errors == []


def test_masks_on_stored_pixels_are_read_with_the_field_of_the_message(cases: Path) -> None:
    data = replace(find_data(cases / "14_orientation"), exif_orientation="ignore")
    splits = opened(data)
    quick_check(data, splits)
    for files in splits.values():
        for index in range(len(files)):
            sample = files[index]
            # JPEG changes the colours at the edges.
            assert (sample.mask == shown_ids(sample.image)).mean() > 0.97


def test_twelve_bits_are_read_with_the_field_of_the_warning(cases: Path) -> None:
    data = find_data(cases / "15_twelve_bits")
    (warning,) = quick_check(data, opened(data))
    assert warning.severity == "warning"
    assert "data.image_range=[0, 4095]" in warning.text
    dark = opened(data)["training"][0].image
    data = replace(data, image_range=(0, 4095))
    assert quick_check(data, opened(data)) == []
    bright = opened(data)["training"][0].image
    assert dark.max() < 10
    assert bright.max() > 60


def test_masks_of_roboflow_are_read_and_converted_exactly(cases: Path, tmp_path: Path) -> None:
    root = cases / "03_roboflow_masks"
    data = find_data(root)
    splits = opened(data)
    assert quick_check(data, splits) == []
    assert check(root).errors == []
    assert splits["training"].labels.class_names == ("background", "box", "disc")
    convert(root, tmp_path / "out")
    read = FolderData(root=tmp_path / "out").all_splits()
    assert {split: len(files) for split, files in read.items()} == {
        "test": 1,
        "training": 4,
        "validation": 2,
    }
    # The same scenes as in this case, without the losses of JPEG.
    scenes: dict[str, NDArray[np.int64]] = {}
    for files in opened(find_data(cases / "16_subfolders")).values():
        scenes |= {files.names[i]: shown_ids(files[i].image) for i in range(len(files))}
    names = [*(f"shot{number:02d}" for number in range(6)), "day2/late6"]
    for files in read.values():
        for index, name in enumerate(files.names):
            np.testing.assert_array_equal(files.mask(index), scenes[names[int(name[3])]], name)


def test_own_classes_in_the_layout_of_voc_are_asked_for(cases: Path) -> None:
    root = cases / "10_own_voc"
    data = find_data(root)
    (warning,) = quick_check(data, opened(data))
    assert warning.kind == "published_layout"
    assert f"write a labels.yaml with their names into {root}" in warning.text
    (root / "labels.yaml").write_text("classes: [ground, box, disc]\n")
    data = find_data(root)
    splits = opened(data)
    assert [len(files) for files in splits.values()] == [4, 2]
    assert splits["training"].labels.class_names == ("ground", "box", "disc")
    assert quick_check(data, splits) == []
    (root / "labels.yaml").unlink()


def scene_number(name: str) -> int:
    """Return the number of the scene in the name of its image, such as 2 in `a2`."""
    found = re.search(r"\d", name)
    assert found
    return int(found[0])


def ids_by_name(files: PairedFiles, index: int) -> NDArray[np.int64]:
    """Return a mask with 0 for ground or background, 1 for box and 2 for disc."""
    number = {"ground": 0, "background": 0, "box": 1, "disc": 2}
    table = np.array([number[name] for name in files.labels.class_names])
    return table[files[index].mask]


def inside(ids: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Tell which pixels have eight neighbours of their own class."""
    padded = np.pad(ids, 1, mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3))
    return (windows == ids[..., None, None]).all(axis=(2, 3))


@pytest.mark.parametrize(
    ("name", "splits", "is_polygons"),
    [
        ("04_labelme", {"": 4}, True),
        ("05_coco", {"training": 4}, True),
        ("06_label_studio", {"": 4}, False),
    ],
)
def test_a_format_is_imported_as_it_shows(
    name: str, splits: dict[str, int], is_polygons: bool, cases: Path, tmp_path: Path
) -> None:
    overrides = ["data.uncovered=background"]
    converted = convert(cases / name, tmp_path / "own", overrides=overrides)
    assert converted.images == splits
    data = FolderData(root=tmp_path / "own")
    for files in data.all_splits().values():
        for index, sample in enumerate(files.names):
            expected = scene(scene_number(sample))[1].astype(np.int64)
            found = ids_by_name(files, index)
            compared = inside(expected) if is_polygons else np.ones_like(expected, np.bool_)
            np.testing.assert_array_equal(found[compared], expected[compared], sample)
    assert check(tmp_path / "own").errors == []


@pytest.mark.parametrize("name", ["04_labelme", "05_coco"])
def test_shapes_are_refused_until_uncovered_pixels_are_explained(name: str, cases: Path) -> None:
    data = find_data(cases / name)
    with pytest.raises(InputError, match=r"lie in no shape.*data\.uncovered=background"):
        quick_check(data, opened(data))
    data = find_data(cases / name, ["data.uncovered=background"])
    findings = quick_check(data, opened(data))
    assert "overlaps" in {finding.kind for finding in findings}
