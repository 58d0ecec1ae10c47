"""What a process does to the files of a folder, as the kernel sees it: recorded by strace."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

_CALLS = (
    "openat,open,creat,write,pwrite64,writev,lseek,ftruncate,truncate,fsync,fdatasync,sync_file_range,"
    "rename,renameat,renameat2,unlink,unlinkat,rmdir,mkdir,mkdirat,link,linkat,symlink,copy_file_range,"
    "sendfile"
)
_LINE = re.compile(r"(\w+)\((.*)\)\s+= (-?\d+)")
_STRING = re.compile(r'"((?:\\x[0-9a-f]{2})*)"(\.\.\.)?')
_DESCRIPTOR = re.compile(r"^(\d+)<((?:\\x[0-9a-f]{2}|[^>])*)>")


@dataclass(frozen=True)
class Operation:
    """One change of a folder's files, or a synchronisation.

    Attributes:
        kind: `create`, `write`, `truncate`, `sync`, `rename`, `unlink`, `mkdir` or `sync_folder`.
        path: Relative to the folder.
        target: Where a file is renamed to.
        offset: Where a write begins, in bytes; the size of a truncated file.
        content: What is written.
    """

    kind: str
    path: str
    target: str = ""
    offset: int = 0
    content: bytes = b""


def recorded_operations(
    arguments: Sequence[str | Path], folder: Path, working_folder: Path
) -> list[Operation]:
    """Run Python with arguments under strace, and return its operations in a folder.

    Raises:
        AssertionError: If the process fails, or changes the folder in a way that is unknown here.
    """
    assert shutil.which("strace"), "strace is not installed"
    traces = working_folder / "traces"
    traces.mkdir()
    command = ["strace", "-ff", "-y", "-xx", "-s", "100000000", "-e", f"trace={_CALLS}"]
    command += ["--seccomp-bpf", "-o", str(traces / "trace"), sys.executable, *map(str, arguments)]
    subprocess.run(command, cwd=working_folder, check=True, capture_output=True)
    of_threads = [
        list(_Trace(folder, working_folder).operations(trace.read_text().splitlines()))
        for trace in traces.iterdir()
    ]
    # The order is known only within a thread.
    writing = [operations for operations in of_threads if operations]
    assert len(writing) == 1, f"{len(writing)} threads change files in {folder}"
    shutil.rmtree(traces)
    return writing[0]


class _Trace:
    """Reads the system calls of one thread as operations in a folder."""

    def __init__(self, folder: Path, working_folder: Path) -> None:
        self._folder = folder
        self._working_folder = working_folder
        self._offsets: dict[str, int] = {}  # By descriptor.

    def operations(self, lines: Iterable[str]) -> Iterator[Operation]:
        """Yield the operations, in their order."""
        for line in lines:
            match = _LINE.match(line)
            if match is None or int(match[3]) < 0:
                continue
            call, arguments, result = match[1], match[2], int(match[3])
            descriptor = _DESCRIPTOR.match(arguments)
            if call in ("openat", "open", "creat"):
                yield from self._opened(arguments, line.rpartition("= ")[2])
            elif call.startswith(("rename", "unlink", "rmdir", "mkdir")):
                yield from self._of_names(call, arguments)
            elif call == "lseek" and descriptor is not None:
                self._offsets[descriptor[1]] = result
            elif descriptor is not None:
                yield from self._of_contents(call, descriptor, arguments, result)
            else:
                assert str(self._folder) not in _decoded(arguments), line

    def _opened(self, arguments: str, opened: str) -> Iterator[Operation]:
        number, _, rest = opened.partition("<")
        self._offsets[number] = 0
        path = self._inside(_decoded(rest.rpartition(">")[0]))
        if path is None:
            return
        assert "O_APPEND" not in arguments, path
        if "O_CREAT" in arguments:
            yield Operation("create", path)
        if "O_TRUNC" in arguments:
            yield Operation("truncate", path)

    def _of_names(self, call: str, arguments: str) -> Iterator[Operation]:
        names = [self._inside(_decoded(found[1])) for found in _STRING.finditer(arguments)]
        if not any(names):
            return
        assert all(names), f"{call} between folders: {names}"
        if call.startswith("rename"):
            yield Operation("rename", str(names[0]), str(names[1]))
        else:
            yield Operation("mkdir" if call.startswith("mkdir") else "unlink", str(names[0]))

    def _of_contents(
        self, call: str, descriptor: re.Match[str], arguments: str, result: int
    ) -> Iterator[Operation]:
        path = self._inside(_decoded(descriptor[2]))
        if path is None:
            return
        match call:
            case "fsync" | "fdatasync":
                is_folder = (self._folder / path).is_dir()
                yield Operation("sync_folder" if is_folder else "sync", path)
            case "write" | "pwrite64":
                written = _STRING.search(arguments)
                assert written is not None, path
                assert written[2] is None, "strace has cut a write"
                offset = self._offsets.get(descriptor[1], 0)
                if call == "pwrite64":
                    offset = int(arguments.rpartition(",")[2])
                else:
                    self._offsets[descriptor[1]] = offset + result
                content = bytes.fromhex(written[1].replace("\\x", ""))[:result]
                yield Operation("write", path, offset=offset, content=content)
            case "ftruncate":
                size = int(arguments.rpartition(",")[2])
                yield Operation("truncate", path, offset=size)
            case _:
                raise AssertionError(f"unknown change of {path}: {call}")

    def _inside(self, path: str) -> str | None:
        """Return a path relative to the folder; none outside of it, and `.` for the folder."""
        found = self._working_folder / path
        return str(found.relative_to(self._folder)) if found.is_relative_to(self._folder) else None


def _decoded(text: str) -> str:
    if "\\x" not in text:
        return text
    return bytes.fromhex("".join(re.findall(r"\\x([0-9a-f]{2})", text))).decode()
