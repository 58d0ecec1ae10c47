"""`check` counts a data set correctly, and lists all that is wrong with it."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from sceneparse.cli.output import data_table
from sceneparse.errors import InputError
from sceneparse.tasks.check import CheckReport, check

IDS = {
    "training": [[[1, 1, 2], [0, 2, 1]], [[2, 2, 2], [2, 2, 2]]],
    "validation": [[[3, 3, 3, 1], [0, 0, 1, 1]]],
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Images in the layout of ADE20K with hand-written masks of three classes."""
    for split, masks in IDS.items():
        for kind in ("images", "annotations"):
            (tmp_path / kind / split).mkdir(parents=True)
        for index, ids in enumerate(masks):
            mask = np.array(ids, np.uint8)
            image = np.zeros((*mask.shape, 3), np.uint8)
            Image.fromarray(image).save(tmp_path / "images" / split / f"{index}.png")
            Image.fromarray(mask).save(tmp_path / "annotations" / split / f"{index}.png")
    return tmp_path


def inspected(root: Path) -> CheckReport:
    return check(root)


def printed(report: CheckReport, width: int = 120) -> str:
    console = Console(file=io.StringIO(), width=width)
    console.print(data_table(report))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_classes_sizes_and_void_are_counted(root: Path) -> None:
    training, validation = inspected(root).splits
    assert (training.name, validation.name) == ("training", "validation")
    assert training.pixels[:4].tolist() == [3, 8, 0, 0]
    assert training.images[:4].tolist() == [1, 2, 0, 0]
    assert (training.void, training.sizes.tolist()) == (1, [[2, 3], [2, 3]])
    assert validation.pixels[:4].tolist() == [3, 0, 3, 0]
    assert (validation.void, validation.sizes.tolist()) == (2, [[2, 4]])
    assert training.pixels[4:].sum() == validation.pixels[4:].sum() == 0


def test_summary_lists_sizes_and_counts_findings(root: Path) -> None:
    lines = inspected(root).summary().splitlines()
    assert lines == [
        "training: 2 images, 3×2 to 3×2, median 3×2 pixels, 8.3% unlabelled",
        "validation: 1 images, 4×2 to 4×2, median 4×2 pixels, 25.0% unlabelled",
        "3 of 150 classes occur",
        "3 warnings",
    ]


def test_table_lists_classes_by_share(root: Path) -> None:
    rows = [line.strip("│ ").split() for line in printed(inspected(root)).splitlines()]
    cells = [[cell for cell in row if cell != "│"] for row in rows]
    assert ["2", "building", "47.059%", "2", "0"] in cells
    assert ["1", "wall", "35.294%", "1", "1"] in cells
    assert ["3", "sky", "17.647%", "0", "1"] in cells
    order = [row[1] for row in cells if row[1:2] in (["wall"], ["building"], ["sky"])]
    assert order == ["building", "wall", "sky"]


def test_every_problem_is_listed_and_the_other_files_are_counted(root: Path) -> None:
    (root / "images" / "training" / "0.png").write_bytes(b"broken")
    (root / "images" / "validation" / "0.png").unlink()
    Image.new("RGB", (7, 7)).save(root / "images" / "validation" / "0.png")
    report = inspected(root)
    # The other training mask holds one class, which is also an error.
    broken, resized, _ = report.errors
    assert broken.text.startswith(f"{root / 'images' / 'training' / '0.png'}: not an image")
    assert broken.files == ("images/training/0.png",)
    assert resized.text.startswith(
        f"{root / 'annotations' / 'validation' / '0.png'}: 4×2 pixels, but 0.png has 7×7"
    )
    assert resized.files == ("annotations/validation/0.png",)
    assert report.splits[0].pixels[:2].tolist() == [0, 6]
    assert "validation: no readable images" in report.summary()
    assert report.summary().splitlines()[-1].startswith("3 errors")


def test_a_data_set_with_only_broken_files_is_reported(root: Path) -> None:
    for path in root.rglob("*.png"):
        path.write_bytes(b"")
    report = inspected(root)
    (finding,) = report.errors
    assert len(finding.files) == 3
    assert "0 of 150 classes occur" in report.summary()
    assert "wall" in printed(report)


def test_a_training_split_alone_is_enough(root: Path) -> None:
    for kind in ("images", "annotations"):
        for path in (root / kind / "validation").iterdir():
            path.unlink()
        (root / kind / "validation").rmdir()
    assert [split.name for split in inspected(root).splits] == ["training"]


def test_a_folder_data_set_is_counted_in_its_own_classes(rectangles_root: Path) -> None:
    report = inspected(rectangles_root)
    assert report.labels.class_names == ("background", "red", "green", "blue")
    assert [len(split.sizes) for split in report.splits] == [24, 6]
    assert sum(int(split.pixels.sum()) for split in report.splits) == 30 * 48 * 64
    assert report.findings == []
    assert report.summary().endswith("no problems found")


def test_names_in_square_brackets_are_shown_unchanged(tmp_path: Path) -> None:
    root = tmp_path / "[bold]" / "[" / "pets]"
    for kind in ("images", "masks"):
        (root / kind).mkdir(parents=True)
        for name in "ab":
            mode = "RGB" if kind == "images" else "L"
            Image.new(mode, (3, 3)).save(root / kind / f"{name}.png")
    (root / "labels.yaml").write_text("classes: ['[red]', '[/x]']")
    text = printed(inspected(root), width=400)
    assert "/[bold]/[/pets]" in "".join(text.split())  # a long title is wrapped
    assert "[red]" in text
    assert "[/x]" in text


@pytest.mark.parametrize(
    ("made", "message"),
    [
        ((), "no such folder"),
        (("other",), "no known data set; the folders in .*: other; give the folder that"),
        (("images",), r"labels\.yaml: no such file; write the class names there"),
        (("images", "annotations"), "no such folder"),
    ],
)
def test_a_folder_without_a_data_set_is_refused_with_what_is_missing(
    made: tuple[str, ...], message: str, tmp_path: Path
) -> None:
    for name in made:
        (tmp_path / "data" / name).mkdir(parents=True)
    with pytest.raises(InputError, match=message):
        inspected(tmp_path / "data")


@pytest.mark.real
def test_real_images_have_no_problems_and_all_classes(official_root: Path) -> None:
    report = inspected(official_root)
    assert report.findings == []
    assert report.summary().endswith("no problems found")
    assert sum(len(split.sizes) for split in report.splits) == 3
