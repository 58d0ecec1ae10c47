"""OpenVINO as a runtime: what it must not do."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

# An audit hook sees each call of Python, in all threads.
USE = """
import sys
seen = []
WATCHED = ("socket.connect", "socket.getaddrinfo", "socket.sendto", "subprocess.Popen", "os.fork",
           "os.posix_spawn", "urllib.Request")
sys.addaudithook(lambda event, _: seen.append(event) if event in WATCHED else None)
import numpy as np, sceneparse
model = sceneparse.load("bundled", runtime="openvino:fp32")
print(model.network)
model(np.zeros((32, 48, 3), np.uint8))
import openvino.tools.ovc
print(type(openvino.tools.ovc.telemetry).__module__)
print("openvino_telemetry" in sys.modules)
print(seen)
"""


@pytest.mark.parametrize("before", ["", "import openvino_telemetry\n"], ids=["plain", "imported"])
def test_openvino_reports_nothing_to_its_maker(tmp_path: Path, before: str) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "CI"}
    # Its files for opting out and for counting uses would lie in the home folder.
    environment |= {"HOME": str(tmp_path), "LOCALAPPDATA": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", before + USE],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    network, stub, is_imported, seen = done.stdout.splitlines()
    assert network == "OpenVINO, fp32 on cpu"
    assert stub == "openvino.tools.ovc.telemetry_stub"
    assert is_imported == str(bool(before))
    assert seen == "[]"
    assert not list(tmp_path.iterdir())
