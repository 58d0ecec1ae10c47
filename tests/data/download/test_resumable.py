"""Downloads from a local server that cuts, stalls, lies and changes the file."""

import json
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.file_server import IMPATIENT, Behaviour, FileServer, Serve

from sceneparse.data.download.partial_file import PartialFile
from sceneparse.data.download.resumable import Listener, Patience, fetch
from sceneparse.errors import InputError

SIZE = 600_000
CONTENT = np.random.default_rng(0).bytes(SIZE)
OTHER = np.random.default_rng(1).bytes(SIZE)
GOOD = Behaviour()
CUT = Behaviour(cut_after=200_000)


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Start servers of `CONTENT`, and stop them after the test."""
    with ExitStack() as stack:

        def start(*behaviours: Behaviour) -> FileServer:
            return stack.enter_context(FileServer(CONTENT, *behaviours))

        yield start


class Fetching:
    """Downloads to one file, and keeps what is reported."""

    def __init__(self, folder: Path) -> None:
        self.partial = PartialFile(folder / "archive.zip")
        self.lines: list[str] = []
        self.progress: list[int] = []

    def __call__(self, urls: str | Sequence[str], patience: Patience = IMPATIENT) -> bytes:
        listener = Listener(self.progress.append, self.lines.append)
        urls = [urls] if isinstance(urls, str) else urls
        fetch(urls, self.partial, SIZE, listener, patience)
        return self.partial.path.read_bytes()

    def fails(self, urls: str | Sequence[str]) -> str:
        with pytest.raises(InputError) as caught:
            self(urls)
        assert caught.value.parameters == ("url",)
        message = str(caught.value)
        assert "\n" not in message
        assert "give the address of another copy or the path of an archive" in message
        return message


@pytest.fixture
def fetching(tmp_path: Path) -> Fetching:
    return Fetching(tmp_path)


def test_a_file_arrives_in_one_request(serve: Serve, fetching: Fetching) -> None:
    server = serve()
    assert fetching(server.url) == CONTENT
    assert server.ranges == [None]
    assert server.requests[0]["accept-encoding"] == "identity"
    assert fetching.progress == sorted(fetching.progress)
    assert fetching.progress[-1] == SIZE
    assert fetching.lines == []


def test_a_complete_file_is_not_asked_for_again(serve: Serve, fetching: Fetching) -> None:
    server = serve()
    fetching(server.url)
    fetching(server.url)
    assert len(server.requests) == 1


def test_a_cut_connection_is_resumed_at_its_byte(serve: Serve, fetching: Fetching) -> None:
    server = serve(CUT, CUT, GOOD)
    assert fetching(server.url) == CONTENT
    assert server.ranges == [None, "bytes=200000-", "bytes=400000-"]
    assert [request.get("if-range") for request in server.requests] == [None, *['"first"'] * 2]
    assert len(fetching.lines) == 2
    assert (
        "closed the connection, after 0.2 of 0.6 MB; trying again in 0.001 s" in fetching.lines[0]
    )


def test_attempts_are_counted_only_while_nothing_new_arrives(
    serve: Serve, fetching: Fetching
) -> None:
    server = serve(Behaviour(cut_after=50_000))
    assert fetching(server.url) == CONTENT
    assert len(server.requests) == 12


def test_a_later_run_goes_on_where_one_has_failed(serve: Serve, fetching: Fetching) -> None:
    server = serve(CUT, Behaviour(cut_after=0))
    message = fetching.fails(server.url)
    assert "closed the connection, 3 times in a row" in message
    assert (
        f"0.2 of 0.6 MB are kept in {fetching.partial.path}, and the same command goes" in message
    )
    assert len(server.requests) == 4
    server.then(GOOD)
    assert fetching(server.url) == CONTENT
    assert server.ranges[-1] == "bytes=200000-"


def test_a_stalled_connection_times_out_and_is_resumed(serve: Serve, fetching: Fetching) -> None:
    server = serve(Behaviour(stall_after=250_000), GOOD)
    assert fetching(server.url) == CONTENT
    assert server.ranges == [None, "bytes=250000-"]
    assert "did not answer in time" in fetching.lines[0]


def test_a_server_that_ignores_ranges_starts_over(serve: Serve, fetching: Fetching) -> None:
    server = serve(CUT, Behaviour(ignore_ranges=True))
    assert fetching(server.url) == CONTENT
    assert "the server does not resume, or its file has changed; starting over" in fetching.lines[1]


def test_a_server_that_cuts_and_ignores_ranges_is_given_up(
    serve: Serve, fetching: Fetching
) -> None:
    server = serve(Behaviour(cut_after=200_000, ignore_ranges=True))
    assert "3 times in a row" in fetching.fails(server.url)
    assert len(server.requests) == 4


@pytest.mark.parametrize("ignore_condition", [False, True])
def test_a_file_that_changes_starts_over(
    serve: Serve, fetching: Fetching, ignore_condition: bool
) -> None:
    changed = Behaviour(content=OTHER, etag='"second"', ignore_condition=ignore_condition)
    server = serve(CUT, changed)
    assert fetching(server.url) == OTHER
    assert "changed" in " ".join(fetching.lines)


def test_a_file_that_changes_its_size_is_refused(serve: Serve, fetching: Fetching) -> None:
    server = serve(CUT, Behaviour(content=OTHER[:-1], etag='"second"'))
    message = fetching.fails(server.url)
    assert "the file has 599,999 bytes, and the published archive 600,000" in message


def test_without_validators_a_download_is_resumed_too(serve: Serve, fetching: Fetching) -> None:
    server = serve(replace(CUT, etag=""), GOOD)
    assert fetching(server.url) == CONTENT
    assert server.ranges[-1] == "bytes=200000-"
    assert "if-range" not in server.requests[-1]


def test_the_time_of_the_last_change_is_a_validator(serve: Serve, fetching: Fetching) -> None:
    changed = "Tue, 17 Jul 2018 21:14:01 GMT"
    server = serve(replace(CUT, etag="", headers={"Last-Modified": changed}), GOOD)
    server.then(
        replace(CUT, etag="", headers={"Last-Modified": changed}), Behaviour(ignore_condition=True)
    )
    assert fetching(server.url) == CONTENT
    assert server.requests[-1]["if-range"] == changed


def test_a_weak_validator_is_no_condition(serve: Serve, fetching: Fetching) -> None:
    server = serve(replace(CUT, etag='W/"weak"'), GOOD)
    assert fetching(server.url) == CONTENT
    assert "if-range" not in server.requests[-1]


def test_another_range_than_asked_for_starts_over(serve: Serve, fetching: Fetching) -> None:
    server = serve(CUT, Behaviour(shift=7), GOOD)
    assert fetching(server.url) == CONTENT
    assert "sends another part of the file than asked for" in fetching.lines[1]
    assert server.ranges == [None, "bytes=200000-", None]


def test_a_range_without_its_place_starts_over(serve: Serve, fetching: Fetching) -> None:
    server = serve(CUT, Behaviour(headers={"Content-Range": "bytes all of them"}), GOOD)
    assert fetching(server.url) == CONTENT


def test_ranges_may_come_in_pieces(serve: Serve, fetching: Fetching) -> None:
    server = serve(CUT, Behaviour(most=150_000))
    assert fetching(server.url) == CONTENT
    assert server.ranges[1:] == [f"bytes={start}-" for start in (200_000, 350_000, 500_000)]


@pytest.mark.parametrize("length", [SIZE - 1, SIZE + 1, 10**15])
def test_a_wrong_length_is_refused_before_anything_is_read(
    serve: Serve, fetching: Fetching, length: int
) -> None:
    server = serve(Behaviour(length=length))
    assert f"the file has {length:,} bytes" in fetching.fails(server.url)
    assert fetching.partial.length() == 0


def test_more_bytes_than_expected_are_refused(serve: Serve, fetching: Fetching) -> None:
    server = serve(Behaviour(length=-1, content=CONTENT + b"x"))
    assert "sends more than the 600,000 bytes" in fetching.fails(server.url)
    assert fetching.partial.length() == 0


def test_fewer_bytes_than_expected_are_refused(serve: Serve, fetching: Fetching) -> None:
    server = serve(Behaviour(length=-1, content=CONTENT[:-1]))
    assert "3 times in a row" in fetching.fails(server.url)
    assert "HTTP 416" in fetching.lines[1]


def test_a_compressed_answer_is_refused(serve: Serve, fetching: Fetching) -> None:
    server = serve(Behaviour(headers={"Content-Encoding": "gzip"}))
    assert "sends the file compressed (gzip)" in fetching.fails(server.url)


@pytest.mark.parametrize("status", [401, 403, 404, 410])
def test_a_missing_file_is_asked_for_once(serve: Serve, fetching: Fetching, status: int) -> None:
    server = serve(Behaviour(status=status))
    assert f"{server.url}: HTTP {status} " in fetching.fails(server.url)
    assert len(server.requests) == 1


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_busy_server_is_asked_again(serve: Serve, fetching: Fetching, status: int) -> None:
    busy = Behaviour(status=status)
    server = serve(busy, busy, GOOD)
    assert fetching(server.url) == CONTENT
    server = serve(busy)
    fetching.partial.remove()
    assert f"HTTP {status}" in fetching.fails(server.url)
    assert len(server.requests) == 3


def test_redirects_over_http_are_followed(serve: Serve, fetching: Fetching) -> None:
    target = serve()
    server = serve(Behaviour(status=302, headers={"Location": target.url}))
    assert fetching(server.url) == CONTENT


@pytest.mark.parametrize(
    "location", ["file:///etc/hosts", "ftp://127.0.0.1/archive.zip", "data:text/plain,hello"]
)
def test_redirects_elsewhere_are_refused(serve: Serve, fetching: Fetching, location: str) -> None:
    server = serve(Behaviour(status=302, headers={"Location": location}))
    fetching.fails(server.url)
    assert fetching.partial.length() == 0


def test_redirects_in_a_circle_end(serve: Serve, fetching: Fetching) -> None:
    server = serve()
    server.then(Behaviour(status=301, headers={"Location": server.url}))
    assert "HTTP 301" in fetching.fails(server.url)


@pytest.mark.parametrize(
    "url", ["file:///etc/hosts", "ftp://host/file", "host/file", "http://", "http://[x"]
)
def test_only_addresses_of_the_web_are_opened(fetching: Fetching, url: str) -> None:
    with pytest.raises(InputError, match="expected an address that starts with http") as caught:
        fetching(url)
    assert caught.value.parameters == ("url",)


def test_spaces_and_umlauts_in_an_address_are_quoted(serve: Serve, fetching: Fetching) -> None:
    server = serve()
    assert fetching(f"{server.url}/Für%20 Bilder.zip") == CONTENT
    assert server.paths[0].endswith("/F%C3%BCr%20%20Bilder.zip")


def test_the_next_address_continues_the_file(serve: Serve, fetching: Fetching) -> None:
    first, second = serve(CUT, Behaviour(status=404)), serve()
    second.etag = '"of the second"'
    assert fetching([first.url, second.url]) == CONTENT
    assert second.ranges == ["bytes=200000-"]
    assert "if-range" not in second.requests[0]
    assert fetching.lines[-1] == f"{first.url}: HTTP 404 Not Found; trying {second.url}"


def test_every_address_is_named_if_all_fail(serve: Serve, fetching: Fetching) -> None:
    first, second = serve(Behaviour(status=403)), serve(Behaviour(status=404))
    message = fetching.fails([first.url, second.url])
    assert f"{first.url}: HTTP 403 Forbidden; {second.url}: HTTP 404 Not Found" in message


def test_a_refused_connection_is_told_at_once(fetching: Fetching) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/archive.zip"
    assert f"{url}: Connection refused" in fetching.fails(url)
    assert fetching.lines == []


def test_an_unknown_host_is_told_at_once(fetching: Fetching) -> None:
    message = fetching.fails("http://no-such-host.invalid/archive.zip")
    assert message.startswith("http://no-such-host.invalid/archive.zip: ")


def test_a_server_without_tls_is_told_at_once(serve: Serve, fetching: Fetching) -> None:
    url = serve().url.replace("http://", "https://")
    assert message_after(url, fetching.fails(url))


def test_an_answer_that_is_not_http_is_told(fetching: Fetching) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(b"\x1b[31mSSH-2.0-OpenSSH\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/archive.zip"
        message = fetching.fails(url)
        assert "SSH-2.0" in message_after(url, message)
        assert message.isprintable()
        thread.join()


def message_after(url: str, message: str) -> str:
    assert message.startswith(f"{url}: ")
    return message.removeprefix(f"{url}: ").split(";")[0]


def test_a_part_that_is_too_long_is_dropped(serve: Serve, fetching: Fetching) -> None:
    fetching.partial.path.write_bytes(b"x" * (SIZE + 1))
    assert fetching(serve().url) == CONTENT


def test_a_damaged_list_of_validators_is_as_good_as_none(serve: Serve, fetching: Fetching) -> None:
    server = serve()
    fetching.partial.path.write_bytes(CONTENT[:1000])
    for text in ("{", "[]", json.dumps({"other": "x"})):
        fetching.partial.path.with_name("archive.zip.json").write_text(text)
        assert fetching(server.url) == CONTENT
        fetching.partial.path.write_bytes(CONTENT[:1000])
    assert set(server.ranges) == {"bytes=1000-"}


def test_waits_double_up_to_a_bound() -> None:
    patience = Patience(first_wait_s=1, longest_wait_s=5)
    assert [patience.wait_s(failures) for failures in range(6)] == [1, 1, 2, 4, 5, 5]
