"""Files, folders and patterns name images, in an order that does not change."""

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from sceneparse.errors import InputError
from sceneparse.tasks.image_files import FoundImages, find_images


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in (
        "b.jpg", "a.PNG", "notes.txt", "day 2/c.jpg", "day 2/deep/d.jpg", ".hidden/e.jpg", ".f.jpg",
        "out/b.jpg", "[1].jpg", "1.jpg",
    ):  # fmt: skip
        path = tmp_path / "images" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    return tmp_path / "images"


def names(found: FoundImages) -> list[str]:
    return [name.as_posix() for name in found.names]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("*.jpg", ["1", "[1]", "b"]),
        ("**/*.jpg", ["1", "[1]", "b", "day 2/c", "day 2/deep/d"]),
        ("day*/*", ["day 2/c"]),
        ("day*/**", ["day 2/c", "day 2/deep/d"]),
        ("day 2/**/*.jpg", ["c", "deep/d"]),
        ("?.[Pp]*", ["a"]),
        ("[[]1].jpg", ["[1]"]),
    ],
)
def test_a_pattern_finds_images_in_order_named_below_its_fixed_part(
    pattern: str, expected: list[str], root: Path
) -> None:
    found = find_images([root / pattern], (root / "out").resolve())
    assert names(found) == sorted(expected)
    assert [source for source in found.sources if isinstance(source, bytes)] == []


def test_a_pattern_is_relative_to_where_one_is(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root)
    assert names(find_images([Path("*.jpg")], None)) == ["1", "[1]", "b"]
    assert find_images([Path("day 2/*.jpg")], None).sources == [Path("day 2/c.jpg")]


def test_a_file_whose_name_looks_like_a_pattern_is_that_file(root: Path) -> None:
    assert find_images([root / "[1].jpg"], None).sources == [root / "[1].jpg"]


def test_other_files_that_match_are_left_out(root: Path) -> None:
    found = find_images([root / "*"], root / "out")
    assert found.left_out == [root / "notes.txt"]


@pytest.mark.parametrize("pattern", ["*.gif", "nowhere/*.jpg", "*.txt"])
def test_a_pattern_without_images_is_refused(pattern: str, root: Path) -> None:
    with pytest.raises(InputError, match=r"no image matches this pattern, expected files with"):
        find_images([root / pattern], None)


def test_an_image_given_twice_is_listed_once_under_its_first_name(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / "link.jpg").symlink_to(root / "b.jpg")
    monkeypatch.chdir(root.parent)
    given = [Path("images"), root / "b.jpg", root / "day 2", Path("images/day 2/../1.jpg")]
    once = find_images([Path("images")], None)
    assert find_images(given, None) == once
    assert "link" in names(once)
    assert names(find_images([root / "day 2" / "c.jpg", root], None)).count("c") == 1


@pytest.mark.parametrize(
    ("pattern", "advice"),
    [("**.jpg", "**/*.jpg"), ("day**/a**.jpg", "**/day*/**/a*.jpg"), ("***", "**/*")],
)
def test_two_stars_beside_a_name_are_refused_with_what_to_write(
    pattern: str, advice: str, root: Path
) -> None:
    with pytest.raises(InputError, match=r"found `\*\*` beside other characters") as caught:
        find_images([root / pattern], None)
    assert str(caught.value).endswith(f"; write {root / advice}")


def test_folders_that_cannot_be_read_are_told(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scandir = os.scandir

    def refuse(path: str) -> Any:
        if Path(path).name in refused:
            raise PermissionError(errno.EACCES, "Permission denied", path)
        return scandir(path)

    refused = {"day 2"}
    monkeypatch.setattr(os, "scandir", refuse)  # the permissions of files do not bind root
    found = find_images([root], root / "out")
    assert found.unreadable == [root / "day 2"]
    assert "b" in names(found)
    refused.add("images")
    with pytest.raises(InputError, match=r"found no images, but .*images cannot be read; get"):
        find_images([root], None)


def test_bytes_are_one_image_without_a_name() -> None:
    assert find_images(b"content", None) == ([b"content"], [Path("image")], [], [])
