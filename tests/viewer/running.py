"""`sceneparse serve` in a process of its own."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

# Only the address has a port.
_ADDRESS = re.compile(r"http://127\.0\.0\.1:\d+")


@contextmanager
def running_server(*arguments: str, folder: Path) -> Generator[str]:
    """Serve models on a free port until the end of the `with`, and give the address."""
    log = folder / "server.log"
    command = [sys.executable, "-m", "sceneparse", "serve", *arguments, "--port", "0"]
    with log.open("w") as output:
        process = subprocess.Popen(
            command,
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=output,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
    assert process.stdout is not None
    try:
        shown = ""
        for line in process.stdout:
            shown += line
            if address := _ADDRESS.search(line):
                yield address[0]
                break
        else:
            raise AssertionError(shown + log.read_text())
    finally:
        process.send_signal(signal.SIGTERM)
        process.stdout.close()
        process.wait(timeout=60)
