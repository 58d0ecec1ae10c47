"""Tests of labels: encoding and decoding of ids, label files, and contradictory labels."""

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sceneparse.errors import InputError
from sceneparse.labels import Labels, ade20k_labels, table_labels, table_names
from sceneparse.labels.label_files import distinct_colors, labels_from_text, read_labels
from sceneparse.system.yaml_text import write_yaml

FACTS = Path(__file__).parents[3] / "shared" / "facts" / "ade20k_classes.csv"
PETS = Labels(
    class_names=("cat", "dog", "bird"),
    colors=((1, 2, 3), (4, 5, 6), (7, 8, 9)),
    raw_ids=(7, 3, 200),
    ignored_ids=(0, 9),
)


def make_labels(count: int) -> Labels:
    names = tuple(f"class {index}" for index in range(count))
    return Labels(names, distinct_colors(count), tuple(range(1, count + 1)), (0,))


def test_encode_turns_raw_ids_into_train_ids_and_ignored_ids_into_ignore_index() -> None:
    mask = PETS.encode(np.array([[7, 3, 200], [0, 9, 7]], np.uint8))
    np.testing.assert_array_equal(mask, [[0, 1, 2], [255, 255, 0]])
    assert mask.dtype == np.uint8


@pytest.mark.parametrize(
    "labels", [PETS, make_labels(1), make_labels(255), make_labels(256), make_labels(300)]
)
def test_decode_undoes_encode(labels: Labels) -> None:
    raw = np.array([*labels.raw_ids, labels.ignored_ids[0]] * 2, np.uint16).reshape(2, -1)
    decoded = labels.decode(labels.encode(raw))
    np.testing.assert_array_equal(decoded, raw)
    assert decoded.dtype == (np.uint8 if raw.max() <= 255 else np.uint16)


def test_decode_keeps_ignore_index_without_ignored_ids() -> None:
    labels = Labels(("a", "b"), distinct_colors(2), (1, 2))
    np.testing.assert_array_equal(labels.decode(np.array([0, 1, 255], np.uint8)), [1, 2, 255])


@pytest.mark.parametrize(
    ("count", "ignore_index", "dtype"),
    [(1, 255, np.uint8), (255, 255, np.uint8), (256, 65535, np.uint16), (300, 65535, np.uint16)],
)
def test_ignore_index_is_no_train_id_and_fits_the_smallest_dtype(
    count: int, ignore_index: int, dtype: type[np.uint8]
) -> None:
    labels = make_labels(count)
    assert (labels.ignore_index, labels.dtype) == (ignore_index, dtype)
    mask = labels.encode(np.array([0, 1, count], np.uint16))
    assert mask.tolist() == [ignore_index, 0, count - 1]
    assert mask.dtype == dtype


def test_unknown_ids_raise_an_error_with_known_ids_and_the_fix() -> None:
    with pytest.raises(InputError) as caught:
        PETS.encode(np.array([[1, 2], [7, 250]], np.uint8))
    message = str(caught.value)
    assert message.startswith("values 1..2, 250 are neither a class (3, 7, 200)")
    assert "ignored (0, 9)" in message
    assert "fix the mask" in message


@pytest.mark.parametrize("value", [0, 4, 65535])
def test_each_unknown_id_is_reported(value: int) -> None:
    labels = Labels(("a", "b"), distinct_colors(2), (1, 2))
    with pytest.raises(InputError, match=f"values {value} are"):
        labels.encode(np.array([[1, value]], np.uint16))


def test_many_unknown_ids_give_a_short_message() -> None:
    with pytest.raises(InputError) as caught:
        PETS.encode(np.arange(0, 60000, 2, dtype=np.uint16))
    assert len(str(caught.value)) < 300
    assert "…" in str(caught.value)


def test_ade20k_has_150_classes_and_ignores_raw_0() -> None:
    labels = ade20k_labels()
    assert labels.num_classes == 150
    assert labels.raw_ids == tuple(range(1, 151))
    assert labels.encode(np.array([[0, 1, 150]], np.uint8)).tolist() == [[255, 0, 149]]
    assert len(set(labels.class_names)) == 150
    assert labels.palette.dtype == np.uint8
    assert labels.palette[2].tolist() == [6, 230, 230]  # sky


def test_ade20k_equals_the_published_table() -> None:
    if not FACTS.is_file():
        pytest.skip("../shared/facts is absent")
    with FACTS.open(encoding="utf-8") as file:
        facts = list(csv.DictReader(file))
    table = Path(__file__).parents[2] / "src" / "sceneparse" / "assets" / "ade20k.csv"
    with table.open(encoding="utf-8") as file:
        synonyms = [row["synonyms"] for row in csv.DictReader(file)]
    labels = ade20k_labels()
    assert labels.raw_ids == tuple(int(row["id"]) for row in facts)
    assert synonyms == [row["name"] for row in facts]
    # The published table has semicolons between synonyms and inside them: "screen;door;screen".
    for name, row in zip(labels.class_names, facts, strict=True):
        assert f" {name} " in f" {row['name'].replace(';', ' ')} "
    assert labels.colors == tuple((int(row["r"]), int(row["g"]), int(row["b"])) for row in facts)


def test_every_table_has_unique_class_names() -> None:
    assert table_names() == sorted(set(table_names()))
    for name in table_names():
        labels = table_labels(name)
        assert len(set(labels.class_names)) == labels.num_classes
        assert labels.ignored_ids or name == "ade20k"
        assert read_labels(name) == (ade20k_labels() if name == "ade20k" else labels)


def test_voc_colours_equal_the_published_palette() -> None:
    # VOClabelcolormap of the development kit: each group of three bits of the id sets a bit of RGB.
    labels = table_labels("voc2012")
    for raw, color in zip(labels.raw_ids, labels.colors, strict=True):
        expected = [
            sum((raw >> (3 * bit + channel) & 1) << (7 - bit) for bit in range(3))
            for channel in range(3)
        ]
        assert list(color) == expected


def test_an_ignored_id_may_be_65535() -> None:
    labels = Labels(("a", "b"), distinct_colors(2), (0, 7), (65535,))
    mask = labels.encode(np.array([[0, 65535, 7]], np.uint16))
    assert mask.tolist() == [[0, labels.ignore_index, 1]]
    assert labels.decode(mask).tolist() == [[0, 65535, 7]]


@pytest.mark.parametrize(
    "labels", [PETS, make_labels(300), ade20k_labels(), table_labels("coco_stuff")]
)
def test_json_gives_the_same_labels_back(labels: Labels, tmp_path: Path) -> None:
    assert labels_from_text(labels.to_json(), "x") == labels
    (tmp_path / "labels.json").write_text(labels.to_json(), encoding="utf-8")
    assert read_labels(str(tmp_path / "labels.json")) == labels


def test_json_keeps_non_ascii_names() -> None:
    labels = Labels(("Straße", "空", 'a "b", c'), distinct_colors(3), (1, 2, 3))
    assert labels_from_text(labels.to_json(), "x") == labels


@pytest.mark.parametrize("colors", [1, 2, 40, 150])
def test_distinct_colors_differ(colors: int) -> None:
    assert len(set(distinct_colors(colors))) == colors


@pytest.mark.parametrize(
    ("names", "colors", "raw_ids", "ignored", "message"),
    [
        ((), (), (), (), "without class names"),
        (("a", "b"), ((0, 0, 0),), (0, 1), (), "2 names, 1 colours and 2 ids"),
        (("a", "b"), ((0, 0, 0),) * 2, (1, 1), (), "duplicate id 1;"),
        (("a", "b"), ((0, 0, 0),) * 2, (0, 1), (1,), "duplicate id 1;"),
        (("a",), ((0, 0, 0),), (0,), (5, 5), "duplicate id 5;"),
        (("a",), ((0, 0, 0),), (-1,), (), r"ids -1\.\.-1; expected class ids in 0\.\.65534"),
        (("a",), ((0, 0, 0),), (65535,), (), r"65535\.\.65535; expected class ids in 0\.\."),
        (("a",), ((0, 0, 0),), (0,), (65536,), r"ignored ids in 0\.\.65535"),
        (("a",), ((0, 0, 256),), (0,), (), r"colours outside 0\.\.255"),
    ],
)
def test_contradictory_labels_are_refused(
    names: tuple[str, ...],
    colors: tuple[tuple[int, int, int], ...],
    raw_ids: tuple[int, ...],
    ignored: tuple[int, ...],
    message: str,
) -> None:
    with pytest.raises(InputError, match=message):
        Labels(names, colors, raw_ids, ignored)


@pytest.mark.parametrize(
    ("text", "names", "raw_ids", "ignored"),
    [
        ("classes: [a, b]", ("a", "b"), (0, 1), ()),
        ("classes: {4: a, 2: b}\nignored_ids: [255]", ("a", "b"), (4, 2), (255,)),
        ("classes: {'4': a}", ("a",), (4,), ()),
        ("classes: [{id: 5, name: a}, {id: 6, name: b}]", ("a", "b"), (5, 6), ()),
        ("classes: [1, 2.5]\nignored_ids:", ("1", "2.5"), (0, 1), ()),
    ],
)
def test_classes_may_be_a_list_a_mapping_or_entries(
    text: str, names: tuple[str, ...], raw_ids: tuple[int, ...], ignored: tuple[int, ...]
) -> None:
    labels = labels_from_text(text, "labels.yaml")
    assert (labels.class_names, labels.raw_ids, labels.ignored_ids) == (names, raw_ids, ignored)


def test_missing_colours_get_defaults_and_given_ones_are_kept() -> None:
    entries: list[Any] = [{"name": "a", "color": [9, 8, 7]}, "b"]
    labels = labels_from_text(write_yaml({"classes": entries}), "x")
    assert labels.colors == ((9, 8, 7), distinct_colors(2)[1])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[a, b]", "expected a key `classes`"),
        ("names: [a, b]", "expected a key `classes`"),
        ("classes: []", "expected a key `classes`"),
        ("classes: cat dog", r"expected a list such as \[wall, floor\], found 'cat dog'"),
        ("classes: 3", "expected a list .* found 3"),
        ("classes: [true, false]", "named True, which YAML reads as a boolean; quote"),
        ("classes: [a, null]", "expected the name of a class, found None"),
        ("classes: [[a, b]]", "expected the name of a class, found"),
        ("classes: {a: 0}", "expected an id as an integer, found 'a'"),
        ("classes: {1: {name: a}}", "expected the name of a class, found {'name'"),
        ("classes: [{color: [1, 2, 3]}]", "expected the name of a class, found None"),
        ("classes: [{id: 1.5, name: a}]", "an integer, found 1.5"),
        ("classes: [{id: true, name: a}]", "an integer, found True"),
        ("classes: [{id: 1, name: a}, {id: 1, name: b}]", "duplicate id 1;"),
        ("classes: [a]\nignored_ids: 255", r"such as \[0, 255\], found 255"),
        ("classes: [a]\nignored_ids: 0", "found 0"),
        ("classes: [a]\nignored_ids: '255'", "found '255'"),
        ("classes: [a]\nignore: [255]", "unknown key `ignore`; known: classes, ignored_ids"),
        ("classes: [{name: a, colour: [1, 2, 3]}]", "unknown key `colour`; known: id, name, color"),
        ("classes: [{name: a, color: [0.5, 0, 1]}]", "0..255 as an integer, found 0.5"),
        ("classes: [{name: a, color: '#ff0000'}]", r"such as \[120, 120, 120\], found '#ff0000'"),
        ("classes: [{name: a, color: [1, 2, 3, 4]}]", "expected a colour such as"),
        ("classes: [{name: a, color: [1, 2, 300]}]", r"outside 0\.\.255"),
    ],
)
def test_errors_in_a_labels_file_name_the_file_and_the_value_found(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        labels_from_text(text, "pets/labels.yaml")
    assert str(caught.value).startswith("pets/labels.yaml: ")


def test_unreadable_labels_files_raise_an_error_with_the_reason(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"no such labels file; give labels\.json.* ade20k, camvid"
    ):
        read_labels(str(tmp_path / "none.json"))
    (tmp_path / "a.json").write_text("{")
    with pytest.raises(InputError, match=r"a\.json: not YAML"):
        read_labels(str(tmp_path / "a.json"))
    (tmp_path / "b.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match=r"b\.json: cannot be read"):
        read_labels(str(tmp_path / "b.json"))


def test_classes_are_found_by_name_and_by_id() -> None:
    assert PETS.train_ids(["bird", 7, "3", "cat"]) == (0, 1, 2)
    assert PETS.train_ids([]) == ()
    # A name comes before an id.
    numbers = Labels(("one", "3"), ((1, 1, 1), (2, 2, 2)), (3, 4))
    assert numbers.train_ids(["3"]) == (1,)
    assert numbers.train_ids(["one", 4]) == (0, 1)


def test_an_unknown_class_is_refused_with_similar_names() -> None:
    with pytest.raises(InputError, match=r"'Brid': no class of this model; did you mean bird\?"):
        PETS.train_ids(["cat", "Brid"])
    with pytest.raises(InputError, match=r"'12': no class .* names or ids of its 3 classes"):
        PETS.train_ids([12])
