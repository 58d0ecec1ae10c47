"""`evaluate` says exactly how data differ from what a model was trained on."""

import shutil
from pathlib import Path

import pytest
from tests.conftest import write_rectangles

from sceneparse.artifacts.run_folder import RunFolder
from sceneparse.errors import InputError
from sceneparse.tasks.evaluate import evaluate
from sceneparse.tasks.train import train


@pytest.fixture(scope="module")
def trained(rectangles_config: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A run of one epoch, and its data in a folder of their own."""
    folder = tmp_path_factory.mktemp("evaluate")
    write_rectangles(folder / "data", {"training": 4, "validation": 2})
    overrides = (f"data.root={folder / 'data'}", "training.epochs=1", "report.images=1")
    train(rectangles_config, out=folder / "run", overrides=overrides)
    return folder / "run", folder / "data"


def with_classes(data: Path, classes: str, target: Path) -> Path:
    shutil.copytree(data, target)
    (target / "labels.yaml").write_text(f"classes: {classes}\n")
    return target


@pytest.mark.parametrize(
    ("classes", "says"),
    [
        (
            "[background, green, red, blue]",
            "the same 4 classes in another order: class 1 of the model is `red`, that of the data "
            "`green`",
        ),
        (
            "[background, red, lime, blue]",
            "the model alone has: green; the data alone have: lime; rename the classes",
        ),
        (
            "[background, red, green, blue, white]",
            "the model has 4 classes, the data set 5; the data alone have: white",
        ),
    ],
)
def test_other_classes_are_named_exactly(
    classes: str, says: str, trained: tuple[Path, Path], tmp_path: Path
) -> None:
    run, data = trained
    with pytest.raises(InputError) as caught:
        evaluate(run, data=with_classes(data, classes, tmp_path / "data"))
    assert says in str(caught.value)


def test_moved_data_are_asked_for_and_score_the_same(
    trained: tuple[Path, Path], tmp_path: Path
) -> None:
    run, data = trained
    before = evaluate(run).scores.miou
    moved = tmp_path / "moved"
    shutil.move(data, moved)
    try:
        with pytest.raises(InputError, match="trained on data there; give the folder") as caught:
            evaluate(run)
        assert caught.value.parameters == ("data",)
        assert evaluate(run, data=moved).scores.miou == before
        assert RunFolder(run).weights.is_file()
    finally:
        shutil.move(moved, data)
