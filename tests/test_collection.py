"""Every test is collected, and CI skips only tests that it cannot run."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# Lists the test modules that pytest finds, without importing them.
LIST_MODULES = """
import sys
import pytest

class Unread(pytest.Module):
    def collect(self):
        return []

class Lister:
    def pytest_pycollect_makemodule(self, module_path, parent):
        print("found", module_path)
        return Unread.from_parent(parent, path=module_path)

sys.exit(pytest.main(["--collect-only", "-q"], plugins=[Lister()]))
"""

SKIPPING = """
import pytest

@pytest.fixture
def absent():
    pytest.skip("the GPU is at home")

def test_by_a_fixture(absent): ...

@pytest.mark.skipif(True, reason="no browser")
def test_by_a_mark(): ...

def test_that_passes(): ...
"""


@pytest.mark.slow
def test_every_test_file_is_collected() -> None:
    done = subprocess.run(
        [sys.executable, "-c", LIST_MODULES], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 5, done.stdout + done.stderr  # pytest's "no tests were collected"
    found = {line.removeprefix("found ") for line in done.stdout.splitlines() if "found " in line}
    assert found == {str(path) for path in (ROOT / "tests").rglob("test_*.py")}


def test_every_file_with_tests_has_the_name_of_a_test_file() -> None:
    """A file of tests under another name would never be collected."""
    others = [
        path
        for path in (ROOT / "tests").rglob("*.py")
        if not path.name.startswith("test_") and "\ndef test_" in path.read_text(encoding="utf-8")
    ]
    assert others == []


@pytest.mark.slow
def test_a_skip_in_ci_fails_unless_it_is_allowed(tmp_path: Path) -> None:
    (tmp_path / "test_skipping.py").write_text(SKIPPING, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "tests.skips", "--rootdir", "."]
    environment = {key: value for key, value in os.environ.items() if key != "CI"}
    environment["PYTHONPATH"] = str(ROOT)
    outcomes = [
        subprocess.run(
            command, cwd=tmp_path, env=chosen, capture_output=True, text=True, check=False
        )
        for chosen in (environment, {**environment, "CI": "true"})
    ]
    assert "1 passed, 2 skipped" in outcomes[0].stdout
    assert "1 passed, 2 errors" in outcomes[1].stdout, outcomes[1].stdout
    assert "the GPU is at home" in outcomes[1].stdout
    assert "no browser" in outcomes[1].stdout
