"""How much memory some lines of Python take, in a process of their own."""

import os
import subprocess
import sys
import textwrap

_PEAK = """
from pathlib import Path

def peak() -> float:
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024
"""


def printed(code: str) -> list[str]:
    """Run lines that may call `peak()`, the MiB that were resident at most; return their words."""
    done = subprocess.run(
        [sys.executable, "-c", _PEAK + textwrap.dedent(code)],
        capture_output=True,
        text=True,
        check=True,
        # What is freed is given back at once: else the peak holds what the C library keeps.
        env=os.environ | {"MALLOC_MMAP_THRESHOLD_": "65536"},
    )
    return done.stdout.split()
