"""The runtime for browsers, and the bundled model as a page with it."""

import shutil
from pathlib import Path

import pytest

from sceneparse.tasks.export import export


def html_of_bundled(path: Path) -> Path:
    """Write the bundled model as a page; without npm, the test is skipped."""
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed")
    return export("bundled", out=path).path
