"""Image files are found by the paths in annotations, and only below the data set."""

from pathlib import Path

import pytest
from PIL import Image

from sceneparse.data.formats.image_finder import ImageFinder
from sceneparse.errors import InputError


@pytest.fixture(params=[".", "../data", "../other/../data", "absolute"])
def root(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data set with images of one name in two folders, given by its path in several forms."""
    folder = tmp_path / "data"
    for name in ("a/one.png", "b/one.png", "b/two.png"):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (2, 2)).save(path)
    Image.new("RGB", (2, 2)).save(tmp_path / "outside.png")
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(folder)
    return folder if request.param == "absolute" else Path(request.param)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("a/one.png", "a/one.png"),
        ("./b/../b/one.png", "b/one.png"),
        ("two.png", "b/two.png"),
        ("C:\\photos\\two.png", "b/two.png"),
    ],
)
def test_an_image_is_found_by_its_path(root: Path, written: str, expected: str) -> None:
    found = ImageFinder(root).find(written, root, root / "annotations.json")
    assert found == root / expected


@pytest.mark.parametrize("written", ["../outside.png", "a/../../outside.png"])
def test_no_image_outside_of_the_data_set_is_found(root: Path, written: str) -> None:
    with pytest.raises(InputError, match="it is not there below"):
        ImageFinder(root).find(written, root, root / "annotations.json")


def test_a_name_in_two_folders_is_refused(root: Path) -> None:
    with pytest.raises(InputError, match="there are 2 of this name"):
        ImageFinder(root).find("one.png", root, root / "annotations.json")
