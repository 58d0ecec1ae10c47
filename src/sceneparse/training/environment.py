"""Describe what a run was made with: versions, commit, hardware."""

import os
import platform
import shlex
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import psutil
import torch

from sceneparse import __version__
from sceneparse.system.processor import processor

PACKAGE = Path(__file__).resolve().parents[1]
PACKAGES = ("torch", "torchvision", "timm", "numpy", "pillow", "safetensors")


def environment(seed: int) -> dict[str, Any]:
    """Return a description of machine and software, for `environment.json`."""
    return {
        "sceneparse": __version__,
        "commit": _commit(),
        "seed": seed,
        "python": platform.python_version(),
        "packages": {name: metadata.version(name) for name in PACKAGES},
        "system": platform.platform(),
        "processor": processor().name,
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "accelerators": [
            torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())
        ],
        "command": shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]]),
    }


def _commit() -> str | None:
    """Return the commit of the source tree, marked if it was changed; `None` when installed."""
    try:
        # A package that is installed inside another checkout must not report its commit.
        if Path(_git("rev-parse", "--show-toplevel")) / "src" / PACKAGE.name != PACKAGE:
            return None
        return _git("describe", "--always", "--dirty", "--abbrev=12", "--exclude=*")
    except (OSError, subprocess.SubprocessError):
        return None


def _git(*arguments: str) -> str:
    answer = subprocess.run(  # noqa: S603 - fixed arguments
        ["git", *arguments],  # noqa: S607
        cwd=PACKAGE,
        capture_output=True,
        text=True,
        check=True,
        timeout=10,
    )
    return answer.stdout.strip()
