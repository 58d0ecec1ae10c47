"""Rules of the house style that no linter checks."""

import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from sceneparse.config.schema import fields_of

ROOT = Path(__file__).parents[1]
SOURCES = sorted((ROOT / "src").rglob("*.py"))


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT / "src")))
def test_a_file_is_short(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 320


@pytest.mark.parametrize(
    "statement",
    [
        "import sceneparse",
        "import sceneparse.cli",
        "from sceneparse import Labels, Predictor",
        "from sceneparse import serve; from sceneparse.serving.app import create_app",
        "from sceneparse.config.reading import parse_config as p; p('loss: {kind: focal}', '')",
    ],
)
def test_torch_is_not_imported_by(statement: str) -> None:
    heavy = "{'torch', 'timm', 'matplotlib', 'torchvision'}"
    code = f"import sys; {statement}; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_everything_public_can_be_imported() -> None:
    import sceneparse

    for _ in range(2):  # importing a submodule must not hide a function of the same name
        assert all(callable(getattr(sceneparse, name)) for name in sceneparse.__all__)
    with pytest.raises(AttributeError, match="nothing"):
        _ = sceneparse.nothing


def test_the_reference_matches_the_code() -> None:
    script = runpy.run_path(str(ROOT / "docs" / "make_reference.py"))
    assert script["TARGET"].read_text(encoding="utf-8") == script["reference"](), "run `make docs`"


def test_every_field_of_transform_is_documented() -> None:
    from sceneparse.augmentation.settings import TransformSettings

    text = (ROOT / "docs" / "augmentation.md").read_text(encoding="utf-8")
    assert [name for name in fields_of(TransformSettings) if f"`{name}`" not in text] == []
