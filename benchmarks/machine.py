"""On what a figure was measured."""

import os
import platform
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any

import psutil
import torch

from sceneparse.system.processor import processor

ROOT = Path(__file__).resolve().parents[1]
INSTRUCTIONS = ("avx2", "avx512f", "avx512_bf16", "amx_bf16", "bf16")
PACKAGES = (
    "torch",
    "torchvision",
    "timm",
    "numpy",
    "pillow",
    "segmentation-models-pytorch",
    "torchmetrics",
    "opencv-python-headless",
)


def machine() -> dict[str, Any]:
    """Describe the processor and the software; nothing that names the computer."""
    found = processor()
    return {
        "processor": found.name,
        "instructions": [name for name in INSTRUCTIONS if name in found.instructions],
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "packages": {name: version for name in PACKAGES if (version := _version(name))},
    }


def commit() -> str | None:
    """Return the commit of the checkout, marked where what is measured was changed since."""
    # Results are written while others are still measured; they change nothing.
    measured = ["src", "configs", "benchmarks", ":!benchmarks/results"]
    try:
        name = _git("rev-parse", "--short=12", "HEAD")
        changed = _git("status", "--porcelain", "--", *measured)
    except (OSError, subprocess.SubprocessError):
        return None
    return f"{name}-dirty" if changed else name


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
