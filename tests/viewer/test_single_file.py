"""The HTML of a page that is one file, without its model."""

import base64
import gzip
import hashlib
import json
import re
from html.parser import HTMLParser

import pytest

from sceneparse.viewer import asset
from sceneparse.viewer.single_file import LocalModel, single_file

FACTS = {"classes": [{"id": 1, "name": "</script><b>\u2028ü", "color": [1, 2, 3]}]}
BINARY = bytes(range(256)) * 99
MODEL = LocalModel(b"var ort;", b"export {};", b"wasm", BINARY, FACTS)


class _Reader(HTMLParser):
    """Collects the elements of a page and the content of its scripts."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: dict[str, list[str]] = {}
        self._content: list[str] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "script":
            self._content = []

    def handle_data(self, data: str) -> None:
        if self._content is not None:
            self._content.append(data)

    def handle_endtag(self, tag: str) -> None:
        if tag == "script" and self._content is not None:
            key = self.tags[-1][1].get("id") or "run"
            self.scripts.setdefault(key, []).append("".join(self._content))
            self._content = None


@pytest.fixture(scope="module")
def page() -> _Reader:
    """A page, parsed."""
    reader = _Reader()
    reader.feed(single_file("<mine>", MODEL))
    return reader


def test_a_single_file_refers_to_nothing_outside(page: _Reader) -> None:
    for tag, attributes in page.tags:
        assert tag not in ("iframe", "object", "embed", "base")
        for name in ("src", "href", "action", "srcset", "data"):
            address = attributes.get(name)
            assert address is None or address.startswith("data:image/"), (tag, address)
    assert not re.search(r"url\((?!['\"]?data:)", single_file("mine", MODEL))


def test_its_policy_allows_these_scripts_alone(page: _Reader) -> None:
    (policy,) = [
        attributes["content"] or ""
        for tag, attributes in page.tags
        if tag == "meta" and attributes.get("http-equiv") == "Content-Security-Policy"
    ]
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    assert rules["connect-src"] == "blob: data:"
    hashes = [
        f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"
        for script in page.scripts["run"]
    ]
    assert rules["script-src"].split() == ["'wasm-unsafe-eval'", "blob:", *hashes]
    assert len(hashes) == asset("page.html").count(b"<script src=")


def test_data_come_last_and_come_back_whole(page: _Reader) -> None:
    names = list(page.scripts)
    assert names == [
        *("model-facts", "run"),
        *("data-worker", "data-loader", "data-binary", "data-model"),
    ]
    (model,), (worker,) = page.scripts["data-model"], page.scripts["data-worker"]
    assert gzip.decompress(base64.b64decode(model)) == BINARY
    expected = b"var ort;\n" + asset("local_worker.js")
    assert gzip.decompress(base64.b64decode(worker)) == expected


def test_names_of_classes_cannot_end_a_script(page: _Reader) -> None:
    (facts,) = page.scripts["model-facts"]
    assert json.loads(facts) == FACTS
    assert "<" not in facts


def test_the_same_model_gives_the_same_file() -> None:
    assert single_file("mine", MODEL) == single_file("mine", MODEL)
    assert "<title>&lt;mine&gt;</title>" in single_file("<mine>", MODEL)
    assert "createEngine" in single_file("mine", MODEL)
    assert "The server does not answer" not in single_file("mine", MODEL)
