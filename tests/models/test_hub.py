"""ImageNet weights through timm, from a local stand-in for the Hugging Face hub."""

import os
import subprocess
import sys
import threading
from collections.abc import Generator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import save, save_file

ENCODER = "mobilenetv3_small_050"


@pytest.fixture
def hub(tmp_path: Path) -> Generator[str]:
    """Serve the weights of one model as the Hugging Face hub does; yield the address."""
    torch.manual_seed(1)
    tensors = timm.create_model(ENCODER).state_dict()
    save_file(tensors, tmp_path / "served.safetensors")
    body = save(tensors)

    class Hub(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            found = self.path.endswith("/model.safetensors")
            self.send_response(200 if found else 404)
            self.send_header("Content-Length", str(len(body) if found else 0))
            self.send_header("ETag", '"weights-1"')
            self.send_header("X-Repo-Commit", "0" * 40)
            self.end_headers()

        def do_GET(self) -> None:
            self.do_HEAD()
            if self.path.endswith("/model.safetensors"):
                self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.mark.slow
def test_weights_come_from_the_hub(hub: str, tmp_path: Path) -> None:
    code = f"""
import torch
from safetensors.torch import load_file
from sceneparse.models.encoder import Encoder
served = load_file({str(tmp_path / "served.safetensors")!r})
body = Encoder({ENCODER!r}, "imagenet").body.state_dict()
assert all(torch.equal(tensor, served[name]) for name, tensor in body.items())
print(len(body), "tensors")
"""
    done = run(code, HF_ENDPOINT=hub, HF_HOME=str(tmp_path / "home"), HF_HUB_DISABLE_XET="1")
    assert done.returncode == 0, done.stderr
    assert int(done.stdout.split()[0]) > 100


@pytest.mark.slow
def test_weights_that_cannot_be_downloaded_are_reported(tmp_path: Path) -> None:
    code = f"""
from sceneparse.errors import InputError
from sceneparse.models.encoder import Encoder
try:
    Encoder({ENCODER!r}, "imagenet")
except InputError as error:
    print(error)
"""
    done = run(code, HF_HUB_OFFLINE="1", HF_HOME=str(tmp_path))
    assert "hub did not provide ImageNet weights" in done.stdout
    assert "model.weights=none" in done.stdout


def run(code: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Run code in a new process, as the hub's client reads its settings on import."""
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "NO_PROXY": "127.0.0.1", **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
