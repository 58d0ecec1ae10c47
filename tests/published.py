"""Tiny data sets in the exact layouts of published data sets, with known raw ids."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sceneparse.labels import table_labels

SIZE = (24, 40)
# Raw ids of each image, by split and name.
Ids = NDArray[Any]
Masks = dict[str, dict[str, Ids]]


def striped(ids: Sequence[int], shift: int = 0, size: tuple[int, int] = SIZE) -> Ids:
    """Make a mask of stripes of the ids in turn."""
    places = np.arange(size[0] * size[1]).reshape(size) // 3 + shift
    return np.array(ids, np.uint16)[places % len(ids)]


def write_image(path: Path, size: tuple[int, int] = SIZE) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(len(path.name))
    Image.fromarray(random.integers(0, 256, (*size, 3), np.uint8)).save(path)


def write_ids(path: Path, ids: Ids, *, palette: bool = False) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(ids.astype(np.uint8))
    if palette:
        image.putpalette([value for index in range(256) for value in (index, 255 - index, 7)])
        assert image.mode == "P"
    image.save(path)


def write_cityscapes(root: Path) -> Masks:
    target: Masks = {"training": {}, "validation": {}}
    for split, folder, cities in (
        ("training", "train", ("aachen", "aachen", "bochum")),
        ("validation", "val", ("frankfurt", "munster")),
    ):
        for number, city in enumerate(cities):
            frame = f"{city}_{number:06d}_000019"
            image = root / "leftImg8bit" / folder / city / f"{frame}_leftImg8bit.png"
            mask = root / "gtFine" / folder / city / f"{frame}_gtFine_labelIds.png"
            target[split][image.stem] = striped(range(34), number)
            write_image(image)
            write_ids(mask, target[split][image.stem])
            # Further files of the data set, which are not read.
            write_ids(mask.with_name(f"{frame}_gtFine_instanceIds.png"), striped([1]))
            mask.with_name(f"{frame}_gtFine_polygons.json").write_text("{}")
    return target


def write_voc2012(root: Path) -> Masks:
    """Write VOC with SBD, and return the masks of the setting `augmented`."""
    lists = {"train": ["2007_000032", "2007_000039"], "val": ["2007_000033", "2008_000001"]}
    more = ["2008_000002", "2008_000007"]
    target: Masks = {"training": {}, "validation": {}}
    for number, name in enumerate([*lists["train"], *lists["val"], *more, "2009_unlisted"]):
        write_image(root / "JPEGImages" / f"{name}.jpg")
        ids = striped([*range(21), 255], number)
        if name in lists["val"] or name in lists["train"]:
            write_ids(root / "SegmentationClass" / f"{name}.png", ids, palette=True)
            target["validation" if name in lists["val"] else "training"][name] = ids
        elif name in more:
            write_ids(root / "SegmentationClassAug" / f"{name}.png", ids)
            target["training"][name] = ids
    # For images that both annotate, the mask of VOC takes precedence.
    write_ids(root / "SegmentationClassAug" / "2007_000032.png", striped([9]))
    lists["trainaug"] = [*more, *lists["train"]]
    folder = root / "ImageSets" / "Segmentation"
    folder.mkdir(parents=True)
    for name, names in lists.items():
        (folder / f"{name}.txt").write_text("\n".join(names) + "\n")
    return target


def write_coco_stuff(root: Path) -> Masks:
    labels = table_labels("coco_stuff")
    target: Masks = {"training": {}, "validation": {}}
    for split, folder, count in (("training", "train2017", 3), ("validation", "val2017", 2)):
        for number in range(count):
            name = f"{len(folder) * 1000 + number:012d}"
            target[split][name] = striped([*labels.raw_ids, 255], 100 * number)
            write_image(root / "images" / folder / f"{name}.jpg")
            mask = root / "annotations" / folder / f"{name}.png"
            write_ids(mask, target[split][name])
            write_ids(mask.with_name(f"{name}_labelTrainIds.png"), striped([254]))
    return target


def write_camvid11(root: Path) -> Masks:
    target: Masks = {}
    for split, folder in (("training", "train"), ("validation", "val"), ("test", "test")):
        target[split] = {}
        for number in range(2):
            name = f"{folder}_{number}"
            target[split][name] = striped(range(12), number)
            write_image(root / folder / f"{name}.png")
            write_ids(root / f"{folder}annot" / f"{name}.png", target[split][name])
        lines = [f"/SegNet/CamVid/{folder}/{name}.png /x/{name}.png" for name in target[split]]
        (root / f"{folder}.txt").write_text("\n".join(lines))
    return target


def write_camvid32(root: Path) -> Masks:
    labels = table_labels("camvid32")
    colors = np.zeros((32, 3), np.uint8)
    colors[list(labels.raw_ids)] = labels.palette
    target: Masks = {}
    for split, name_of_list in (("training", "train"), ("validation", "val"), ("test", "test")):
        target[split] = {}
        for number in range(2):
            name = f"{name_of_list}_{number}"
            ids = target[split][name] = striped(range(32), number)
            write_image(root / "701_StillsRaw_full" / f"{name}.png")
            mask = root / "LabeledApproved_full" / f"{name}_L.png"
            mask.parent.mkdir(exist_ok=True)
            Image.fromarray(colors[ids]).save(mask)
        lines = [f"/SegNet/CamVid/x/{name}.png /SegNet/y/{name}.png" for name in target[split]]
        (root / f"{name_of_list}.txt").write_text("\n".join(lines) + "\n\n")
    return target


def write_pascal_context(root: Path) -> Masks:
    target: Masks = {"training": {}, "validation": {}}
    folder = root / "ImageSets" / "SegmentationContext"
    folder.mkdir(parents=True)
    # The lists of VOC 2010 itself, which are not read.
    (root / "ImageSets" / "Segmentation").mkdir()
    (root / "ImageSets" / "Segmentation" / "train.txt").write_text("2010_000001\n")
    for split, name_of_list in (("training", "train"), ("validation", "val")):
        for number in range(2):
            name = f"2010_{name_of_list}{number}"
            target[split][name] = striped(range(60), number)
            write_image(root / "JPEGImages" / f"{name}.jpg")
            write_ids(root / "SegmentationClassContext" / f"{name}.png", target[split][name])
        (folder / f"{name_of_list}.txt").write_text("\n".join(target[split]) + "\n")
    return target


# Ids beyond one byte, and the last id of the data set.
OBJECTS = (*range(7, 3100, 10), 3688)


def write_ade20k_full(root: Path, objects: Sequence[int] = OBJECTS, images: int = 20) -> Masks:
    """Write images with all objects in each image, and rare objects in the first one."""
    target: Masks = {"training": {}, "validation": {}}
    rare = [5, 3001]
    for split, count in (("training", images), ("validation", 2)):
        for number in range(count):
            kind = split[:5].removesuffix("ida")
            name = f"ADE_{kind}_{number:08d}"
            scene = root / "images" / "ADE" / split / "urban" / ("street" if number else "alley")
            there = [0, *objects, *(rare if number == 0 else [])]
            ids = target[split][name] = striped(there, 11 * number)
            write_image(scene / f"{name}.jpg")
            instances = np.full(SIZE, number + 1)
            colors = np.stack([ids // 256 * 10, ids % 256, instances], axis=-1).astype(np.uint8)
            Image.fromarray(colors).save(scene / f"{name}_seg.png")
            Image.fromarray(colors).save(scene / f"{name}_parts_1.png")
            # A folder of instances, with an image that must not be listed as a sample.
            write_ids(scene / name / f"instance_000_{name}.png", striped([0, 255]))
            write_image(scene / name / "not_a_image.jpg")
            entries = [_object(id) for id in there if id]
            entries += [_object(4000, part_level=1), {**_object(1), "name_ndx": []}]
            document = {"annotation": {"filename": f"{name}.jpg", "object": entries}}
            (scene / f"{name}.json").write_text(json.dumps(document))
    (root / "index_ade20k.pkl").write_bytes(b"not to be read")
    return target


def _object(id: int, part_level: int = 0) -> dict[str, Any]:
    parts = {"hasparts": [], "ispartof": [], "part_level": part_level}
    return {"id": 0, "name": f"object {id}, thing", "name_ndx": id, "parts": parts}


WRITERS: dict[str, Callable[[Path], Masks]] = {
    "cityscapes": write_cityscapes,
    "voc2012": write_voc2012,
    "coco_stuff": write_coco_stuff,
    "camvid11": write_camvid11,
    "camvid32": write_camvid32,
    "pascal_context": write_pascal_context,
    "ade20k_full": write_ade20k_full,
}
