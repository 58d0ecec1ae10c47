"""Writes GPU, driver and software versions as JSON, without the name of the computer."""

import json
import os
import platform
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import torch


def describe_gpu() -> dict[str, Any]:
    """Describe GPU, driver and software."""
    has_gpu = torch.cuda.is_available()
    properties = torch.cuda.get_device_properties(0) if has_gpu else None
    return {
        "gpu": torch.cuda.get_device_name(0) if has_gpu else None,
        "gpu_memory_gib": round(properties.total_memory / 2**30, 1) if properties else None,
        "capability": list(torch.cuda.get_device_capability(0)) if has_gpu else None,
        "driver": _driver(),
        "cuda": torch.version.cuda,
        "cudnn": torch.backends.cudnn.version() if has_gpu else None,
        "torch": torch.__version__,
        "triton": _version("triton"),
        "timm": _version("timm"),
        "python": platform.python_version(),
        "processor": platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
    }


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _driver() -> str | None:
    command = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=20)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.splitlines()[0].strip()


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(json.dumps(describe_gpu()), encoding="utf-8")
