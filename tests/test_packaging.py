"""The contents of the wheel, and the versions with which it is tested."""

import runpy
import shutil
import subprocess
import sys
import tomllib
import zipfile
from itertools import chain
from pathlib import Path

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[1]


def test_the_wheel_contains_assets_and_a_bundled_model(tmp_path: Path) -> None:
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
    for name in ("model.safetensors", "MODEL_CARD.md", "ade20k.csv"):
        assert f"sceneparse/assets/{name}" in inside
    assert "sceneparse/configs/folder.yaml" in inside


def test_the_oldest_constraints_differ_only_in_pytorch() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    texts = [*project["dependencies"], *chain(*project["optional-dependencies"].values())]
    required: dict[str, SpecifierSet] = {
        canonicalize_name(found.name): found.specifier for found in map(Requirement, texts)
    }
    current = _versions((ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines())
    oldest = _versions(runpy.run_path(str(ROOT / ".ci/constraints_oldest.py"))["constraints"]())
    for name, specifier in required.items():
        assert specifier.contains(current[name])
        assert specifier.contains(oldest[name])
    for name in ("torch", "torchvision"):
        (bound,) = (part.version for part in required[name] if part.operator == ">=")
        assert oldest.pop(name) == Version(bound)
    assert oldest.items() <= current.items()
    # The constraints leave the packages that PyTorch pins to PyTorch.
    assert all(name not in oldest for name in ("triton", "sympy", "nvidia-cudnn-cu13"))


def _versions(lines: list[str]) -> dict[str, Version]:
    pairs = [line.split("==") for line in lines if not line.startswith("#")]
    return {canonicalize_name(name): Version(version) for name, version in pairs}
