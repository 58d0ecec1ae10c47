"""Hundreds of broken uploads to the real command: no error of the server, and it goes on."""

import importlib
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.conftest import BENCHMARKS
from tests.serving.servers import file_of, photo

COUNT = 300


@pytest.fixture(scope="module")
def tools() -> Iterator[tuple[Any, Any]]:
    """The modules of the benchmark that starts servers and breaks uploads."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(BENCHMARKS)
        yield importlib.import_module("serve_process"), importlib.import_module("broken_uploads")


@pytest.mark.slow
def test_broken_uploads_are_refused_and_harm_nobody(tools: tuple[Any, Any]) -> None:
    serve_process, broken_uploads = tools
    small = ("bundled", "inference.size=64", "inference.flip=false")
    # Images of the bound of 25 million pixels take seconds.
    with serve_process.server_process(*small, "--max-megapixels", "2") as server:
        before = server.rss_mb()

        def send(upload: Any) -> tuple[str, int, str]:
            answer = server.ask(upload.path, upload.body, upload.headers)
            return upload.kind, answer.status, serve_process.answered_error(answer)

        with ThreadPoolExecutor(4) as threads:
            answers = list(threads.map(send, broken_uploads.broken_uploads(COUNT, seed=7)))
        statuses = Counter(status for _, status, _ in answers)
        assert {status for status in statuses if status >= 500} == set(), statuses
        assert {200, 400, 413, 415} <= set(statuses)
        assert all(error for _, status, error in answers if status >= 400)
        assert {kind for kind, _, _ in answers} == set(broken_uploads.KINDS)
        # Four uploads at a time, of which each takes less than 50 MB.
        assert server.rss_mb() - before < 300
        image = file_of(photo())
        assert server.ask("/v1/segment", image, {}).status == 200
    assert server.process.returncode == 0
    assert "Traceback" not in "\n".join(server.lines)
