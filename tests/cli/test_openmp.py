"""Commands set how OpenMP threads wait; imports do not, and settings of the user win."""

import os
import subprocess
import sys

import pytest

from sceneparse.cli import OPENMP_WAITING

IMPORT = "import os, sceneparse.cli; sceneparse.load"
# The callback of --version ends the command by SystemExit.
COMMAND = """
import os, sys
from sceneparse.cli import main
sys.argv = ["sceneparse", "--version"]
try:
    main()
except SystemExit:
    pass
assert "torch" not in sys.modules, "OpenMP has read its settings already"
"""
PRINT = "\nprint({name: os.environ.get(name) for name in ('GOMP_SPINCOUNT', 'OMP_WAIT_POLICY')})"
UNSET = {"GOMP_SPINCOUNT": None, "OMP_WAIT_POLICY": None}


@pytest.mark.parametrize(
    ("code", "user", "expected"),
    [
        (IMPORT, {}, UNSET),
        (COMMAND, {}, {**UNSET, **OPENMP_WAITING}),
        (COMMAND, {"GOMP_SPINCOUNT": "7"}, {**UNSET, "GOMP_SPINCOUNT": "7"}),
        (COMMAND, {"OMP_WAIT_POLICY": "active"}, {**UNSET, "OMP_WAIT_POLICY": "active"}),
    ],
)
def test_a_command_sets_thread_waiting_unless_the_user_has(
    code: str, user: dict[str, str], expected: dict[str, str | None]
) -> None:
    environment = {name: value for name, value in os.environ.items() if name not in UNSET}
    done = subprocess.run(
        [sys.executable, "-c", code + PRINT],
        env={**environment, **user},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == str(expected)
