"""Images and masks are paired by name; what is left out is named."""

import unicodedata
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sceneparse.data.dataset import PairedFiles
from sceneparse.data.pairing import pair_folders
from sceneparse.errors import InputError
from sceneparse.labels import Labels

LABELS = Labels(("a", "b"), ((0, 0, 0), (9, 9, 9)), (0, 1))


def write(root: Path, images: list[str], masks: list[str]) -> None:
    for kind, names, shape in (("images", images, (2, 2, 3)), ("masks", masks, (2, 2))):
        for name in names:
            path = root / kind / name
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.zeros(shape, np.uint8)).save(path)


def paired(root: Path, images: list[str], masks: list[str]) -> PairedFiles:
    write(root, images, masks)
    return pair_folders(root / "images", root / "masks", LABELS)


@pytest.mark.parametrize(
    ("image", "mask"),
    [
        ("{}.jpg", "{}_mask.png"),
        ("{}.jpg", "{}_label.png"),
        ("{}.jpg", "{}.jpg.png"),
        ("{}_0000.png", "{}.png"),
        ("{}_sat.jpg", "{}_mask.png"),
        ("{}.png", "{}_lesion_v2.png"),
        ("{}.JPG", "{}.PNG"),
        ("{}.png", "day/{}_mask.png"),
    ],
)
def test_masks_are_matched_by_a_common_ending(image: str, mask: str, tmp_path: Path) -> None:
    names = ["one", "two", "three"]
    if "/" in mask:
        image = f"day/{image}"
    pairs = paired(tmp_path, [image.format(n) for n in names], [mask.format(n) for n in names])
    assert len(pairs) == 3
    for found_image, found in zip(pairs.images, pairs.annotations, strict=True):
        name = next(name for name in names if found_image.name.startswith(name))
        assert found.path.name == mask.format(name).rpartition("/")[2]
    is_same = image.lower().rpartition(".")[0] == mask.lower().rpartition(".")[0]
    assert any("matched by" in note for note in pairs.notes) != is_same


def test_names_are_compared_without_their_unicode_form_and_case(tmp_path: Path) -> None:
    pairs = paired(tmp_path / "a", ["über.png"], [unicodedata.normalize("NFD", "über.png")])
    assert pairs.names == ("über",)
    assert not pairs.notes
    pairs = paired(tmp_path / "b", ["Haus.png", "B.png"], ["haus.png", "b.png"])
    assert [each.path.name for each in pairs.annotations] == ["b.png", "haus.png"]


def test_a_wrong_name_raises_an_error_with_the_likely_partner(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"IMG_0017\.png: image without .*rename IMG_0071\.png"):
        paired(tmp_path, ["IMG_0017.png", "b.png"], ["IMG_0071.png", "c.png"])
    with pytest.raises(InputError, match=r"mask without an image of the same name"):
        paired(tmp_path / "more", ["a.png"], ["a.png", "b_mask.png"])


def test_files_of_other_kinds_are_left_out_and_named(tmp_path: Path) -> None:
    write(tmp_path, ["a.png"], ["a.png"])
    for name in ("notes.txt", "b.psd", ".hidden.png", "Thumbs.db"):
        (tmp_path / "images" / name).write_bytes(b"")
    pairs = pair_folders(tmp_path / "images", tmp_path / "masks", LABELS)
    assert len(pairs) == 1
    (note,) = pairs.notes
    assert note.startswith("2 files in the folder of the images")
    assert note.endswith("b.psd, notes.txt")


def test_links_are_followed_once(tmp_path: Path) -> None:
    write(tmp_path, ["a.png", "day/b.png"], ["a.png", "day/b.png"])
    for kind in ("images", "masks"):
        (tmp_path / kind / "day" / "up").symlink_to(tmp_path / kind)
        elsewhere = tmp_path / f"other {kind}"
        elsewhere.mkdir()
        (tmp_path / kind / "a.png").rename(elsewhere / "c.png")
        (tmp_path / kind / "more").symlink_to(elsewhere)
    pairs = pair_folders(tmp_path / "images", tmp_path / "masks", LABELS)
    assert pairs.names == ("day/b", "more/c")
