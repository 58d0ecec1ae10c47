"""Tests of parquet files: columns, splits, names, the cache, and broken files."""

import io
import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
from numpy.typing import NDArray
from PIL import Image

from sceneparse.data.dataset import PairedFiles
from sceneparse.data.datasets.folder import FolderData
from sceneparse.data.datasets.recognise import recognise
from sceneparse.data.formats import parquet_unpacking
from sceneparse.data.formats.registry import find_format
from sceneparse.errors import InputError
from sceneparse.system.user_cache import cache_folder
from sceneparse.tasks.convert import convert

pa: Any = pyarrow
pq: Any = pyarrow.parquet
CELL = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
CLASSES = "classes: [background, cat, dog]\n"


def encoded(pixels: NDArray[np.uint8], kind: str = "PNG") -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind)
    return file.getvalue()


def image_of(value: int = 9, kind: str = "PNG") -> bytes:
    return encoded(np.full((2, 2, 3), value, np.uint8), kind)


def mask_of(*ids: int) -> bytes:
    return encoded(np.array(ids or (0, 1, 2, 2), np.uint8).reshape(2, 2))


def cell(content: bytes | None, path: str | None = None) -> dict[str, Any]:
    return {"bytes": content, "path": path}


def rows_of(*paths: str | None) -> dict[str, list[Any]]:
    return {
        "image": [cell(image_of(number), path) for number, path in enumerate(paths)],
        "label": [cell(mask_of()) for _ in paths],
    }


def put(
    path: Path,
    columns: dict[str, list[Any]] | None = None,
    types: dict[str, Any] | None = None,
    images: tuple[str, ...] = (),
    **options: Any,
) -> None:
    columns = columns or rows_of("a.png", "b.png")
    features = {name: {"_type": "Image"} for name in images}
    metadata = {"huggingface": json.dumps({"info": {"features": features}})} if images else None
    fields = [(name, (types or {}).get(name, CELL)) for name in columns]
    path.parent.mkdir(parents=True, exist_ok=True)
    table = pa.table(columns, schema=pa.schema(fields, metadata=metadata))
    pq.write_table(table, path, **options)


def make(root: Path, *args: Any, **options: Any) -> Path:
    root.mkdir(parents=True, exist_ok=True)
    (root / "labels.yaml").write_text(CLASSES)
    put(root / "data" / "train-00000-of-00001.parquet", *args, **options)
    return root


def opened(root: Path) -> dict[str, PairedFiles]:
    return FolderData(root=root, format="parquet").all_splits()


def error_of(root: Path) -> str:
    with pytest.raises(InputError) as caught:
        opened(root)
    return str(caught.value)


def test_a_folder_of_hugging_face_is_read(tmp_path: Path) -> None:
    make(tmp_path, rows_of("b.v1.png", "ä ö/a.png"), images=("image", "label"))
    put(tmp_path / "data" / "validation-00000-of-00002.parquet", rows_of("x.png"))
    put(tmp_path / "data" / "validation-00001-of-00002.parquet", rows_of("y.png"))
    put(tmp_path / "test" / "0000.parquet", rows_of("z.png"))
    found = find_format(tmp_path)
    assert found is not None
    assert found.name == "parquet"
    assert recognise(tmp_path) is None
    splits = FolderData(root=tmp_path).all_splits()
    assert {split: files.names for split, files in splits.items()} == {
        "training": ("b.v1", "ä ö/a"),
        "validation": ("x", "y"),
        "test": ("z",),
    }
    sample = splits["training"][1]
    assert sample.mask.tolist() == [[0, 1], [2, 2]]
    assert (sample.image == 1).all()
    assert splits["training"].images[0].read_bytes() == image_of(0)
    assert splits["training"].labels.class_names == ("background", "cat", "dog")
    assert splits["training"].notes == ()


@pytest.mark.parametrize(
    ("names", "images"),
    [
        (("image", "label"), ()),
        (("pixel_values", "label"), ("pixel_values", "label")),
        (("image", "annotation", "thumbnail"), ()),
        (("image", "semantic_segmentation"), ()),
        (("Image", "Mask"), ()),
        (("image", "anything"), ()),
        (("anything", "mask"), ()),
        (("image", "anything", "picture"), ("image", "anything")),
    ],
)
def test_columns_are_told_apart(
    names: tuple[str, ...], images: tuple[str, ...], tmp_path: Path
) -> None:
    rows = rows_of("a.png")
    columns = {names[0]: rows["image"], names[1]: rows["label"], "id": [3]}
    types = {"id": pa.int64()}
    for name in names[2:]:
        columns[name] = [image_of()]
        types[name] = pa.binary()
    make(tmp_path, columns, types, images)
    assert opened(tmp_path)["training"].mask(0).tolist() == [[0, 1], [2, 2]]


@pytest.mark.parametrize(
    ("names", "says"),
    [
        (("image", "label", "mask"), r"its columns: image \(struct<.*label .*mask"),
        (("image", "img", "mask"), "expected one column of images, such as `image`"),
        (("a", "b"), "rename the two"),
        (("image",), "expected one column of images"),
        (("image", "a", "b"), "remove others that hold images"),
    ],
)
def test_unclear_columns_are_refused(names: tuple[str, ...], says: str, tmp_path: Path) -> None:
    columns: dict[str, list[Any]] = {name: [cell(mask_of())] for name in names}
    make(tmp_path, {**columns, "class": [1]}, {"class": pa.int64()})
    with pytest.raises(InputError, match=says):
        opened(tmp_path)


def test_labels_of_classification_are_no_masks(tmp_path: Path) -> None:
    make(tmp_path, {"image": [cell(image_of())], "label": [1]}, {"label": pa.int64()})
    assert "label (int64)" in error_of(tmp_path)


@pytest.mark.parametrize("kind", [pa.binary(), pa.large_binary()])
def test_plain_bytes_are_named_by_their_rows(kind: Any, tmp_path: Path) -> None:
    columns = {"image": [image_of(i) for i in range(12)], "mask": [mask_of() for _ in range(12)]}
    make(tmp_path, columns, {"image": kind, "mask": kind}, row_group_size=5)
    files = opened(tmp_path)["training"]
    assert files.names == tuple(f"{number:02d}" for number in range(12))
    assert [int(files[index].image[0, 0, 0]) for index in range(12)] == list(range(12))


@pytest.mark.parametrize(
    "paths",
    [
        ("../a.png", "b.png"),
        ("/etc/a.png", "b.png"),
        ("x/../../a.png", "b.png"),
        ("C:\\a.png", "b.png"),
        ("x\\a.png", "b.png"),
        ("a.png", "A.jpg"),
        ("a.png", None),
        ("a.png", ""),
        (".hidden.png", "b.png"),
        ("x//a.png", "b.png"),
        ("a.png/", "b.png"),
        ("a\n.png", "b.png"),
        ("a" * 300, "b.png"),
        ("\u00fc.png", "u\u0308.png"),
    ],
)
def test_rows_are_numbered_where_paths_are_no_names(
    paths: tuple[str | None, ...], tmp_path: Path
) -> None:
    files = opened(make(tmp_path, rows_of(*paths)))["training"]
    assert files.names == ("0", "1")
    assert all(path.is_relative_to(cache_folder(tmp_path)) for path in files.images)
    assert [int(files[index].image[0, 0, 0]) for index in range(2)] == [0, 1]


@pytest.mark.parametrize(
    ("content", "suffix"),
    [
        (image_of(), ".png"),
        (image_of(kind="JPEG"), ".jpg"),
        (image_of(kind="TIFF"), ".tif"),
        (image_of(kind="WEBP"), ".webp"),
        (image_of(kind="BMP"), ".bmp"),
        (image_of(kind="PPM"), ".pnm"),
        (image_of(kind="JPEG2000"), ".jp2"),
        (image_of(kind="TGA"), ".tga"),
        (b"nothing", ".tga"),
    ],
)
def test_the_bytes_determine_the_suffix(content: bytes, suffix: str, tmp_path: Path) -> None:
    make(tmp_path, {"image": [cell(content, "a.tga")], "label": [cell(mask_of())]})
    files = opened(tmp_path)["training"]
    assert files.images[0].suffix == suffix
    if content == b"nothing":
        with pytest.raises(InputError, match=r"0_a\.tga: not an image"):
            _ = files[0]
    else:
        assert files[0].image.shape == (2, 2, 3)


def test_rows_without_mask_are_left_out_and_counted(tmp_path: Path) -> None:
    rows = rows_of("a", "b", "c", "d", "e")
    rows["label"][1] = None
    rows["label"][2] = cell(None)
    rows["label"][3] = cell(b"")
    rows["image"][4] = None
    files = opened(make(tmp_path, rows))["training"]
    # The path of the last image is missing too.
    assert files.names == ("0",)
    assert files.notes == ("4 rows without an image or without a mask are left out",)


def test_paths_instead_of_bytes_are_refused(tmp_path: Path) -> None:
    rows = rows_of("a.png", "b.png")
    rows["image"][1] = cell(None, "/home/me/b.png")
    message = error_of(make(tmp_path, rows))
    assert "row 1, image: names the file /home/me/b.png instead of holding it" in message


def test_masks_may_hold_the_colours_of_labels_yaml(tmp_path: Path) -> None:
    pixels = np.array([[[1, 2, 3], [200, 9, 9]]], np.uint8)
    columns = {"image": [cell(encoded(pixels))], "label": [cell(encoded(pixels))]}
    make(tmp_path, columns)
    text = "classes: [{id: 4, name: a, color: [1, 2, 3]}, {id: 2, name: b, color: [200, 9, 9]}]"
    (tmp_path / "labels.yaml").write_text(text)
    first = opened(tmp_path)["training"]
    assert first.mask(0).tolist() == [[0, 1]]
    (tmp_path / "labels.yaml").write_text(text.replace("1, 2, 3", "1, 2, 4"))
    second = opened(tmp_path)["training"]
    assert second.mask_digest != first.mask_digest
    with pytest.raises(InputError, match=r"colours of no class: \(1, 2, 3\)"):
        second.mask(0)


def test_classes_come_from_id2label(tmp_path: Path) -> None:
    make(tmp_path)
    (tmp_path / "labels.yaml").unlink()
    message = error_of(tmp_path)
    assert "write the names of the classes there, such as `classes: [background, cat" in message
    assert '{"0": "background", "1": "cat"} into id2label.json' in message
    names = tmp_path / "id2label.json"
    names.write_text('{"2": "cat", "0": "wall", "1": "ø"}')
    labels = opened(tmp_path)["training"].labels
    assert labels.class_names == ("wall", "ø", "cat")
    assert labels.raw_ids == (0, 1, 2)
    assert labels.ignored_ids == ()
    for text, says in [
        ("{", "not names of classes by their ids"),
        ("{}", "names no classes"),
        ('{"a": "x"}', "not names of classes by their ids"),
        ('{"1": 3}', "not names of classes by their ids"),
        ('["a"]', "not names of classes by their ids"),
        ('{"-1": "x"}', "the id -1, expected ids in"),
        ('{"70000": "x"}', "the id 70000, expected ids in"),
        ('{"1": "x", "2": "x"}', "two classes have the name x"),
    ]:
        names.write_text(text)
        assert says in error_of(tmp_path)


def test_files_are_unpacked_again_only_when_they_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = make(tmp_path / "data")
    first = opened(root)["training"].images[0]
    (root / "labels.yaml").write_text("classes: [a, b, c]")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert opened(root)["training"].images[0] == first
    monkeypatch.undo()
    path = root / "data" / "train-00000-of-00001.parquet"
    put(path, rows_of("c.png", "d.png"))
    os.utime(path, ns=(1, 1))
    files = opened(root)["training"]
    assert files.names == ("c", "d")
    assert not first.exists()
    assert len(list((cache_folder(root) / "parquet").glob("*/"))) == 1


def test_a_damaged_cache_is_renewed(tmp_path: Path) -> None:
    make(tmp_path)
    folder = opened(tmp_path)["training"].images[0].parents[2]
    for text in ("{", "[]", '[[["training", "a", "x"]], 0]'):
        (folder / "index.json").write_text(text)
        (tmp_path / "labels.yaml").write_text(CLASSES + "#" * len(text))
        assert opened(tmp_path)["training"].names == ("a", "b")
    assert [path.name for path in folder.parent.iterdir() if path.name != "lock"] == [folder.name]


def test_nothing_is_left_of_what_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path)
    content = image_of()
    rows = {"image": [cell(content), cell(None, "x")], "label": [cell(mask_of())] * 2}
    put(tmp_path / "data" / "train-00000-of-00001.parquet", rows)
    assert "names the file x" in error_of(tmp_path)
    cache = cache_folder(tmp_path) / "parquet"
    assert [path.name for path in cache.iterdir()] == ["lock"]

    put(tmp_path / "data" / "train-00000-of-00001.parquet")
    usage = shutil.disk_usage(tmp_path)
    for free, says in ((10, "or more; free some space"), (0, "found 0 MB of free disk space")):
        monkeypatch.setattr(shutil, "disk_usage", lambda _, free=free: usage._replace(free=free))
        assert says in error_of(tmp_path)
    monkeypatch.undo()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full)
        assert "cannot be unpacked there (No space left on device)" in error_of(tmp_path)
    assert [path.name for path in cache.iterdir()] == ["lock"]
    monkeypatch.setenv("SCENEPARSE_CACHE", str(tmp_path / "labels.yaml"))
    assert "set SCENEPARSE_CACHE to it" in error_of(tmp_path)


def test_few_bytes_that_stand_for_many_do_not_fill_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (100, 100, 3), np.uint8)
    content = cell(encoded(noise))
    make(tmp_path, {"image": [content] * 500, "label": [cell(mask_of())] * 500})
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=2_000_000))
    assert "the unpacked images have 2 MB or more" in error_of(tmp_path)


def test_without_pyarrow_the_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(tmp_path)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert 'pip install "sceneparse[parquet]"' in error_of(tmp_path)
    found = find_format(tmp_path)
    assert found is not None
    with pytest.raises(InputError, match=r"sceneparse\[parquet\]"):
        convert(tmp_path, tmp_path / "out", to="parquet")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "cannot be read as parquet"),
        (b"PAR1", "cannot be read as parquet"),
        (b"PAR1" + b"x" * 100 + b"\x40\0\0\0PAR1", "cannot be read as parquet"),
        (b"PARE" + b"x" * 100 + b"\x40\0\0\0PARE", "may be broken or encrypted"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n", "run `git lfs pull`"),
    ],
)
def test_broken_files_are_refused(content: bytes, says: str, tmp_path: Path) -> None:
    make(tmp_path)
    (tmp_path / "data" / "train-00000-of-00001.parquet").write_bytes(content)
    assert says in error_of(tmp_path)


def test_a_damaged_page_is_refused(tmp_path: Path) -> None:
    make(tmp_path)
    path = tmp_path / "data" / "train-00000-of-00001.parquet"
    content = bytearray(path.read_bytes())
    content[4:200] = bytes(196)
    path.write_bytes(content)
    assert "cannot be read as parquet" in error_of(tmp_path)


def test_too_many_rows_are_refused_before_they_are_read(tmp_path: Path) -> None:
    table = pa.table({"image": pa.nulls(5_000_001, CELL), "mask": pa.nulls(5_000_001, CELL)})
    make(tmp_path)
    pq.write_table(table, tmp_path / "data" / "train-00000-of-00001.parquet")
    assert "5000001 rows, expected at most 5000000" in error_of(tmp_path)


def test_files_with_and_without_split_are_refused(tmp_path: Path) -> None:
    make(tmp_path)
    put(tmp_path / "data" / "more.parquet")
    assert "more.parquet: neither its name nor its folder" in error_of(tmp_path)
    (tmp_path / "data" / "train-00000-of-00001.parquet").unlink()
    assert opened(tmp_path).keys() == {""}
    shutil.rmtree(tmp_path / "data")
    assert "no parquet files there" in error_of(tmp_path)


def test_own_folders_with_masks_are_not_read_as_parquet(tmp_path: Path) -> None:
    make(tmp_path)
    for folder in ("images", "masks"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.png").write_bytes(mask_of())
    assert FolderData(root=tmp_path).all_splits()[""].names == ("a",)


def test_what_is_written_can_be_read_by_hugging_face(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(tmp_path / "in", rows_of(*(f"{number}.png" for number in range(250))))
    convert(tmp_path / "in", tmp_path / "out", to="parquet")
    file = pq.ParquetFile(tmp_path / "out" / "data" / "train-00000-of-00001.parquet")
    assert file.metadata.num_rows == 250
    assert file.metadata.row_group(0).num_rows == 100
    document = json.loads(file.schema_arrow.metadata[b"huggingface"])
    assert document == {
        "info": {"features": {"image": {"_type": "Image"}, "label": {"_type": "Image"}}}
    }
    names = json.loads((tmp_path / "out" / "id2label.json").read_text())
    assert names == {"0": "background", "1": "cat", "2": "dog"}
    assert opened(tmp_path / "out")["training"].names == opened(tmp_path / "in")["training"].names


def test_two_processes_unpack_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from threading import Thread

    make(tmp_path)
    written: list[Path] = []
    write = vars(parquet_unpacking)["_write"]

    def counted(folder: Path, *args: Any) -> Any:
        written.append(folder)
        return write(folder, *args)

    monkeypatch.setattr(parquet_unpacking, "_write", counted)
    paths = {tmp_path / "data" / "train-00000-of-00001.parquet": "training"}
    found: list[Any] = []
    threads = [
        Thread(target=lambda: found.append(parquet_unpacking.unpack_rows(tmp_path, paths)))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(written) == 1
    assert len(found) == 4
    assert all(each == found[0] for each in found)
