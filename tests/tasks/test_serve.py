"""`sceneparse serve` as a process: its address, its signals and its mistakes."""

import importlib
import json
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tests.cli.command import run_command
from tests.conftest import BENCHMARKS
from tests.serving.servers import file_of, photo

import sceneparse
from sceneparse.errors import InputError

SMALL = ("inference.size=64", "inference.flip=false")
IMAGE = file_of(photo())
Fails = Callable[..., str]


@pytest.fixture
def fails(tmp_path: Path) -> Fails:
    """Run `sceneparse`, expect an error for the user, and return its message."""

    def run(*arguments: str) -> str:
        done = run_command(arguments, tmp_path)
        assert done.returncode == 2, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done.stderr

    return run


@pytest.fixture(scope="module")
def process() -> Iterator[Any]:
    """The module of the benchmarks that starts servers."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(BENCHMARKS)
        yield importlib.import_module("serve_process")


@pytest.mark.slow
def test_several_settings_of_a_model_are_served_side_by_side(process: Any, tmp_path: Path) -> None:
    path = tmp_path / "image.png"
    path.write_bytes(IMAGE)
    with process.server_process("bundled", *SMALL, "bundled", SMALL[0]) as server:
        (first, second) = json.loads(server.ask("/v1/labels").body)["models"]
        assert (first["id"], second["id"]) == ("bundled", "bundled-2")
        assert first["name"] == "bundled, size=64, flip=false"
        assert "flipped" not in first["description"]
        assert "flipped" in second["description"]
        for model, settings in (("bundled", SMALL), ("bundled-2", SMALL[:1])):
            answer = server.ask(f"/v1/segment?model={model}", IMAGE, {"Accept": "image/png"})
            (tmp_path / f"{model}.png").write_bytes(answer.body)
            predictor = sceneparse.load("bundled", overrides=settings)
            prediction = predictor(path)
            served = np.asarray(Image.open(tmp_path / f"{model}.png"))
            # The same code, on the same processor: the same bits.
            np.testing.assert_array_equal(served, predictor.labels.decode(prediction.mask))
    assert server.lines[0].startswith("bundled, size=64, flip=false: ")
    assert f"http://127.0.0.1:{server.port}" in server.lines[2]


@pytest.mark.parametrize(
    "number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.slow)]
)
def test_a_signal_stops_it_after_the_images_that_it_has(process: Any, number: int) -> None:
    large = file_of(photo(0, 900, 1200))
    answers: list[int] = []
    with process.server_process("bundled", *SMALL) as server:

        def send() -> None:
            answers.append(server.ask("/v1/segment", large, {}).status)

        threads = [threading.Thread(target=send) for _ in range(4)]
        for thread in threads:
            thread.start()
        while process.metric(server.ask("/metrics").body, "sceneparse_queue_length") < 4:
            assert len(answers) < 4, "they were faster than this test"
        server.process.send_signal(number)
        for thread in threads:
            thread.join()
        assert server.process.wait(30) == 0
    assert answers == [200] * 4
    with pytest.raises(ConnectionRefusedError):
        server.ask("/healthz")


def test_the_token_may_come_from_the_environment(process: Any) -> None:
    environment = {"SCENEPARSE_TOKEN": "s3cret"}
    with process.server_process("bundled", *SMALL, environment=environment) as server:
        assert server.ask("/v1/labels").status == 401
        right = {"Authorization": "Bearer s3cret"}
        assert server.ask("/v1/labels", headers=right).status == 200


def test_a_port_in_use_is_said_before_the_model_is_loaded(fails: Fails) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        message = fails("serve", "nothing.onnx", "--port", str(port))
    assert message == (
        f"error: port {port} of 127.0.0.1: in use by another program; choose another port "
        "(--port)\n"
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["runs/none"], "runs/none: no such weights file or run folder"),
        (["bundled", "inference.flop=true"], "flop"),
        (["inference.flip=true", "bundled"], "overrides belong after their model"),
        (["--port", "70000"], "port 70000: expected 0..65535 (--port)"),
        (["--host", "no.such.host.invalid", "--port", "0"], "use 127.0.0.1"),
        (["--host", "192.0.2.1", "--port", "0"], "host 192.0.2.1: cannot be used"),
        (["--token", "", "--port", "0"], "the token is empty"),
        (["--queue-size", "0"], "queue_size 0: expected more than 0 (--queue-size)"),
    ],
    ids=range(8),
)
def test_mistakes_have_a_message(fails: Fails, arguments: list[str], message: str) -> None:
    assert message in fails("serve", *arguments)


def test_a_missing_package_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sceneparse.tasks.serve.find_spec", lambda _name: None)
    with pytest.raises(InputError, match=r'fastapi is not installed; .*"sceneparse\[serve\]"'):
        sceneparse.serve()


def test_a_server_on_all_networks_without_a_token_is_warned_of(process: Any) -> None:
    command = ("bundled", *SMALL, "--host", "0.0.0.0")  # noqa: S104 - for a moment
    with process.server_process(*command) as server:
        assert any(line.startswith("warning: whoever reaches 0.0.0.0") for line in server.lines)


def test_models_are_served_where_torch_is_not_installed() -> None:
    code = "import sys; sys.modules['torch'] = None; import sceneparse.tasks.serve as serve;"
    code += "from sceneparse.serving.app import create_app;"
    code += "from sceneparse.serving.served_models import model_choices;"
    code += "print(serve.served_models(model_choices(['inference.size=64']))[0].id)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "bundled\n"
