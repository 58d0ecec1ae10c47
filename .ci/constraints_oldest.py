"""Print constraints.txt with PyTorch at the lower bound that pyproject.toml states."""

import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# Each release of PyTorch pins its own versions of these packages.
FOLLOWS_TORCH = re.compile(r"(nvidia|cuda)-|(triton|sympy)==")
LOWERED = re.compile(r"(torch|torchvision)>=([\d.]+)")


def constraints() -> list[str]:
    """Return the lines of the constraints, PyTorch first."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    required = project["optional-dependencies"]["train"]
    lowered = {match[1]: match[2] for text in required if (match := LOWERED.match(text))}
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    kept = [
        line
        for line in lines
        if not FOLLOWS_TORCH.match(line) and line.partition("==")[0] not in lowered
    ]
    return [*(f"{name}=={version}" for name, version in lowered.items()), *kept]


if __name__ == "__main__":
    sys.stdout.writelines(f"{line}\n" for line in constraints())
