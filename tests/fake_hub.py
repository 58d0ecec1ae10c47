"""A local fake of the HTTP side of the Hugging Face Hub: repositories, downloads and commits.

It speaks what huggingface_hub 2.4 needs without Xet storage, which has its own servers: set
HF_HUB_DISABLE_XET for uploads.
"""

import base64
import hashlib
import json
import re
import socket
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, ClassVar, Self

WRITER, READER = "hf_writer", "hf_reader"


@dataclass
class Repository:
    """A repository.

    Attributes:
        commits: The files of each commit, the newest last.
        private: Whether it needs a token.
        gated: Whether access has to be granted.
        sizes: Sizes that are claimed for files, instead of the true ones.
    """

    commits: dict[str, dict[str, bytes]] = field(default_factory=dict[str, dict[str, bytes]])
    private: bool = False
    gated: bool = False
    sizes: dict[str, int] = field(default_factory=dict[str, int])

    @property
    def head(self) -> str:
        return list(self.commits)[-1]

    def commit(self, files: Mapping[str, bytes], removed: Sequence[str] = ()) -> str:
        """Add and remove files in a new commit, and return its hash."""
        kept = self.commits[self.head] if self.commits else {}
        sha = hashlib.sha1(f"commit {len(self.commits)}".encode()).hexdigest()  # noqa: S324
        kept = {name: content for name, content in kept.items() if name not in removed}
        self.commits[sha] = {**kept, **files}
        return sha


@dataclass(frozen=True)
class Answer:
    """An answer of the Hub."""

    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


def as_json(document: object, status: int = 200) -> Answer:
    return Answer(json.dumps(document).encode(), status, {"Content-Type": "application/json"})


def error(status: int, code: str = "", message: str = "") -> Answer:
    named = {"X-Error-Code": code, "X-Error-Message": message}
    headers = {name: text for name, text in named.items() if text}
    return Answer(json.dumps({"error": message or code}).encode(), status, headers)


class _Handler(BaseHTTPRequestHandler):
    hub: ClassVar[Any]
    protocol_version = "HTTP/1.1"

    def setup(self) -> None:
        super().setup()
        self.hub.connections.append(self.connection)

    def answer(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        body = self.rfile.read(length) if length else self._chunks()
        answer: Answer = self.hub.answer(self, body)
        self.send_response(answer.status)
        lengths = {"Content-Length": str(len(answer.body))}
        for name, value in {**lengths, **answer.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)

    def _chunks(self) -> bytes:
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            return b""
        parts: list[bytes] = []
        while size := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    do_GET = do_HEAD = do_POST = do_PUT = answer  # noqa: N815

    def log_message(self, format: str, *args: object) -> None:
        pass


class FakeHub:
    """A Hub of its own on this machine.

    Attributes:
        repositories: The repositories by owner and name.
        requests: Method and path of each request.
        broken: Status of every answer, if not none.
        connections: All connections that were opened.
    """

    def __init__(self) -> None:
        self.repositories: dict[str, Repository] = {}
        self.requests: list[str] = []
        self.broken: int | None = None
        self.connections: list[socket.socket] = []
        self._stored: dict[str, bytes] = {}
        self._http = ThreadingHTTPServer(
            ("127.0.0.1", 0), type("Handler", (_Handler,), {"hub": self})
        )
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,))
        self._routes: list[tuple[str, Callable[..., Answer]]] = [
            (r"GET /api/models/([^/]+/[^/]+?)(?:/revision/([^/]+))?", self._info),
            (r"(?:HEAD|GET) /([^/]+/[^/]+)/resolve/([^/]+)/(.+)", self._file),
            (r"GET /api/whoami-v2", self._whoami),
            (r"POST /api/repos/create", self._create),
            (r"POST /api/validate-yaml", self._validate),
            (r"POST /api/models/([^/]+/[^/]+)/preupload/([^/]+)", self._preupload),
            (r"POST /([^/]+/[^/]+)\.git/info/lfs/objects/batch", self._batch),
            (r"PUT /stored/([0-9a-f]+)", self._store),
            (r"POST /api/models/([^/]+/[^/]+)/commit/([^/]+)", self._commit),
        ]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop answering."""
        if self._thread.is_alive():
            self._http.shutdown()
            self._thread.join()
        for connection in self.connections:
            with suppress(OSError):  # closed by the client
                connection.shutdown(socket.SHUT_RDWR)
        self._http.server_close()

    def answer(self, request: BaseHTTPRequestHandler, body: bytes) -> Answer:
        path = request.path.partition("?")[0]
        self.requests.append(f"{request.command} {path}")
        if self.broken is not None:
            return error(self.broken)
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if token not in ("", READER, WRITER):
            return error(401, message="Invalid credentials in Authorization header")
        for pattern, route in self._routes:
            if found := re.fullmatch(pattern, f"{request.command} {path}"):
                return route(token, body, *found.groups())
        return error(404)

    def _info(self, token: str, body: bytes, name: str, revision: str | None) -> Answer:
        repository = self._visible(name, token)
        if isinstance(repository, Answer):
            return repository
        sha = self._sha(repository, revision or "main")
        if sha is None:
            return error(404, "RevisionNotFound")
        return as_json(
            {
                "id": name,
                "sha": sha,
                "private": repository.private,
                "siblings": [
                    {"rfilename": file, "size": repository.sizes.get(file, len(content))}
                    for file, content in repository.commits.get(sha, {}).items()
                ],
            }
        )

    def _file(self, token: str, body: bytes, name: str, revision: str, file: str) -> Answer:
        repository = self._visible(name, token)
        if isinstance(repository, Answer):
            return repository
        if repository.gated and token != WRITER:
            return error(403, "GatedRepo")
        sha = self._sha(repository, revision)
        if sha is None:
            return error(404, "RevisionNotFound")
        headers = {"X-Repo-Commit": sha}
        if file not in repository.commits[sha]:
            return error(404, "EntryNotFound")
        content = repository.commits[sha][file]
        return Answer(content, headers={**headers, "ETag": f'"{_digest(content)}"'})

    def _whoami(self, token: str, body: bytes) -> Answer:
        auth = {"accessToken": {"role": "write" if token == WRITER else "read"}}
        return as_json({"name": "me", "type": "user", "auth": auth}) if token else error(401)

    def _create(self, token: str, body: bytes) -> Answer:
        wanted = json.loads(body)
        name = f"{wanted['organization'] or 'me'}/{wanted['name']}"
        if token != WRITER:
            return error(401 if not token else 403, message="You need a token that may write")
        url = {"url": f"{self.url}/{name}"}
        if name in self.repositories:
            return as_json(url, 409)
        private = wanted.get("visibility") == "private" or bool(wanted.get("private"))
        self.repositories[name] = Repository(private=private)
        self.repositories[name].commit({".gitattributes": b"*.safetensors filter=lfs\n"})
        return as_json(url)

    def _validate(self, token: str, body: bytes) -> Answer:
        return as_json({"errors": [], "warnings": []})

    def _preupload(self, token: str, body: bytes, name: str, revision: str) -> Answer:
        if token != WRITER:
            return error(403, message="You need a token that may write")
        files = json.loads(body)["files"]
        is_large = (".safetensors", ".onnx", ".html", ".jpg")
        modes = [
            {
                "path": file["path"],
                "uploadMode": "lfs" if file["path"].endswith(is_large) else "regular",
                "shouldIgnore": False,
            }
            for file in files
        ]
        return as_json({"files": modes})

    def _batch(self, token: str, body: bytes, name: str) -> Answer:
        objects = [
            {
                **wanted,
                "actions": {"upload": {"href": f"{self.url}/stored/{wanted['oid']}", "header": {}}},
            }
            for wanted in json.loads(body)["objects"]
        ]
        return as_json({"transfer": "basic", "objects": objects})

    def _store(self, token: str, body: bytes, oid: str) -> Answer:
        assert _digest(body) == oid
        self._stored[oid] = body
        return Answer()

    def _commit(self, token: str, body: bytes, name: str, revision: str) -> Answer:
        files: dict[str, bytes] = {}
        removed: list[str] = []
        for line in body.splitlines():
            entry = json.loads(line)
            value: dict[str, Any] = entry["value"]
            if entry["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif entry["key"] == "deletedFile":
                removed.append(value["path"])
            elif entry["key"] == "lfsFile":
                files[value["path"]] = self._stored[value["oid"]]
        sha = self.repositories[name].commit(files, removed)
        url = f"{self.url}/{name}/commit/{sha}"
        return as_json({"success": True, "commitOid": sha, "commitUrl": url, "hookOutput": ""})

    def _visible(self, name: str, token: str) -> Repository | Answer:
        """Return a repository, or why it cannot be seen: one that is private is not there."""
        repository = self.repositories.get(name)
        if repository is None or (repository.private and not token):
            return error(404 if token else 401, "RepoNotFound", "Repository not found")
        return repository

    @staticmethod
    def _sha(repository: Repository, revision: str) -> str | None:
        if revision == "main":
            return repository.head
        return revision if revision in repository.commits else None


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
