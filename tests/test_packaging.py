"""What is in the wheel."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_the_wheel_holds_assets_and_a_bundled_model(tmp_path: Path) -> None:
    for name in ("pyproject.toml", "README.md", "LICENSE", ".gitignore"):
        shutil.copy(ROOT / name, tmp_path / name)
    for folder in ("src/sceneparse/assets", "configs"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    shutil.copy(ROOT / "src/sceneparse/__init__.py", tmp_path / "src/sceneparse")
    for name in ("model.safetensors", "MODEL_CARD.md"):
        (tmp_path / "src/sceneparse/assets" / name).touch()
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", "dist"],
        cwd=tmp_path,
        check=True,
        capture_output=True,
    )
    (wheel,) = (tmp_path / "dist").iterdir()
    inside = set(zipfile.ZipFile(wheel).namelist())
    for name in ("model.safetensors", "MODEL_CARD.md", "ade20k.csv", "demo.yaml"):
        assert f"sceneparse/assets/{name}" in inside
    assert "sceneparse/configs/folder.yaml" in inside
