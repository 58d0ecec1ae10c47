"""`find_data` finds data sets by a folder or by a config with options."""

from dataclasses import replace
from pathlib import Path

import pytest
from tests.conftest import write_rectangles
from tests.published import OBJECTS, WRITERS

from sceneparse import factory
from sceneparse.config.reading import read_config
from sceneparse.data.cache.reader import CachedDataset
from sceneparse.data.datasets.ade20k_full import Ade20kFullData
from sceneparse.data.datasets.folder import FolderData
from sceneparse.data.settings import DATASETS
from sceneparse.errors import InputError
from sceneparse.factory.data import find_data
from sceneparse.tasks.cache import cache_data
from sceneparse.tasks.check import check


def config(root: Path, text: str) -> Path:
    path = root.parent / "run.yaml"
    path.write_text(f"data: {{root: {root}, {text}}}")
    return path


@pytest.mark.parametrize(
    ("name", "options", "classes"),
    [
        ("ade20k_full", "kind: ade20k_full, min_images: 1", len(OBJECTS) + 2),
        ("pascal_context", "kind: pascal_context, background: true", 60),
        ("camvid32", "kind: camvid, classes: 32", 31),
        ("cityscapes", "kind: cityscapes", 19),
    ],
)
def test_the_cache_of_a_config_serves_its_runs(
    name: str, options: str, classes: int, tmp_path: Path
) -> None:
    WRITERS[name](tmp_path / "data")
    path = config(tmp_path / "data", options)
    cache_data(path)
    for split in ("training", "validation"):
        dataset = factory.dataset(read_config(path).data, split)
        assert isinstance(dataset, CachedDataset)
        assert dataset.cached_count == len(dataset)
        assert dataset.labels.num_classes == classes
    report = check(path)
    assert report.labels.num_classes == classes
    assert not report.errors


def test_a_cache_of_other_classes_is_not_used(tmp_path: Path) -> None:
    WRITERS["pascal_context"](tmp_path / "data")
    cache_data(tmp_path / "data")
    path = config(tmp_path / "data", "kind: pascal_context, background: true")
    assert not isinstance(factory.dataset(read_config(path).data, "training"), CachedDataset)


def test_a_config_of_a_folder_names_that_folder(tmp_path: Path) -> None:
    write_rectangles(tmp_path / "data", {"training": 2, "validation": 1}, (8, 9))
    assert find_data(config(tmp_path / "data", "kind: folder")) == FolderData(
        root=tmp_path / "data"
    )


def test_a_config_of_generated_scenes_is_refused(tmp_path: Path) -> None:
    (tmp_path / "run.yaml").write_text("data: {kind: synthetic}")
    with pytest.raises(InputError, match=r"run\.yaml: its scenes are generated .* data synth"):
        find_data(tmp_path / "run.yaml")


def test_a_config_with_a_missing_data_folder_names_the_folder(tmp_path: Path) -> None:
    path = config(tmp_path / "data", "kind: cityscapes")
    with pytest.raises(
        InputError, match=r"data: no such folder; set data\.root to the folder of l"
    ):
        check(path)


def test_a_folder_without_a_data_set_is_refused_with_its_contents(tmp_path: Path) -> None:
    WRITERS["voc2012"](tmp_path / "VOCdevkit" / "VOC2012")
    with pytest.raises(InputError, match=r"VOCdevkit: no known data set.*: VOC2012; give"):
        check(tmp_path / "VOCdevkit")


@pytest.mark.parametrize("name", WRITERS)
def test_a_folder_of_a_published_data_set_is_recognised(name: str, tmp_path: Path) -> None:
    target = WRITERS[name](tmp_path / "data")
    found = find_data(tmp_path / "data")
    kind = {"camvid11": "camvid", "camvid32": "camvid"}.get(name, name)
    assert type(found) is DATASETS[kind]
    if isinstance(found, Ade20kFullData):
        found = replace(found, min_images=1)
    for split in ("training", "validation"):
        assert len(factory.dataset(found, split)) == len(target[split])


def test_a_folder_data_set_is_recognised(rectangles_root: Path) -> None:
    assert find_data(rectangles_root) == FolderData(root=rectangles_root)


def test_overrides_say_how_to_read_a_folder(rectangles_root: Path, tmp_path: Path) -> None:
    found = find_data(rectangles_root, ["data.image_range=[0, 100]"])
    assert found == FolderData(root=rectangles_root, image_range=(0, 100))
    with pytest.raises(InputError, match="unknown"):
        find_data(rectangles_root, ["data.imagerange=[0, 100]"])
    # A folder whose format is named need not be recognised.
    with pytest.raises(InputError, match="no known data set"):
        find_data(tmp_path)
    assert find_data(tmp_path, ["data.format=coco"]) == FolderData(root=tmp_path, format="coco")
