"""Describes the machine and the commit of a measurement."""

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
    """Describe processor and software, without the name of the computer."""
    cpu = processor()
    return {
        "processor": cpu.name,
        "instructions": [name for name in INSTRUCTIONS if name in cpu.instructions],
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "packages": {name: version for name in PACKAGES if (version := _version(name))},
    }


def commit() -> str | None:
    """Return the commit of the checkout, marked `-dirty` if the measured code differs from it."""
    # Results do not count: they are written between measurements.
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
