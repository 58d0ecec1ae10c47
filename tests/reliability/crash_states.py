"""The states in which a crash may leave a folder, from the recorded operations.

The model of the disk is stricter than most file systems are: until a file is synchronised, each
write to it may be lost, or done by half, or be there as zeros; until a folder is synchronised, each
new, renamed or removed entry of it may be missing, even if its file is synchronised. What is not
synchronised may reach the disk in any order.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path, PurePosixPath

from tests.reliability.file_operations import Operation

_OF_NAMES = ("create", "rename", "unlink", "mkdir")
_OF_CONTENTS = ("write", "truncate")


@dataclass
class DiskState:
    """Files and folders at a moment.

    Attributes:
        how: How it came to be, for messages.
        files: Content by path.
        folders: Paths of folders.
    """

    how: str
    files: dict[str, bytearray] = field(default_factory=dict)
    folders: set[str] = field(default_factory=set)

    @property
    def digest(self) -> str:
        """A digest of everything but `how`."""
        found = hashlib.sha256()
        for path in sorted(self.folders):
            found.update(f"{path}/\n".encode())
        for path in sorted(self.files):
            found.update(f"{path}\n{len(self.files[path])}\n".encode())
            found.update(self.files[path])
        return found.hexdigest()

    def write_to(self, folder: Path) -> None:
        """Make a folder of this state."""
        folder.mkdir(parents=True)
        for path in sorted(self.folders):
            (folder / path).mkdir(parents=True, exist_ok=True)
        for path, content in self.files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(content)


def crash_states(operations: Sequence[Operation]) -> Iterator[DiskState]:
    """Yield each different state that a crash may leave.

    For each prefix of the operations: all of them done; each one that is not synchronised lost,
    torn or zeroed, by itself; each adjacent pair of those in the other order.
    """
    seen: set[str] = set()
    for end in range(len(operations) + 1):
        for how, done in _variants(operations[:end]):
            state = replayed(f"after {end} of {len(operations)} operations, {how}", done)
            if state.digest not in seen:
                seen.add(state.digest)
                yield state


def _variants(done: Sequence[Operation]) -> Iterator[tuple[str, list[Operation]]]:
    yield "all done", list(done)
    loose = [index for index in range(len(done)) if _is_loose(done, index)]
    for index in loose:
        operation = done[index]
        before, after = list(done[:index]), list(done[index + 1 :])
        name = f"{operation.kind} of {operation.target or operation.path}"
        yield f"without {name}", before + after
        if operation.kind == "write" and operation.content:
            half = replace(operation, content=operation.content[: len(operation.content) // 2])
            yield f"half of {name}", [*before, half, *after]
            zeros = replace(operation, content=bytes(len(operation.content)))
            yield f"zeros in {name}", [*before, zeros, *after]
    for index, following in pairwise(loose):
        if following == index + 1:
            swapped = [done[following], done[index]]
            before, after = list(done[:index]), list(done[following + 1 :])
            yield f"operations {index} and {following} swapped", [*before, *swapped, *after]


def _is_loose(done: Sequence[Operation], index: int) -> bool:
    """Return whether an operation is not yet synchronised at the end of those done."""
    operation = done[index]
    if operation.kind not in _OF_NAMES + _OF_CONTENTS:
        return False
    later = done[index + 1 :]
    if operation.kind in _OF_CONTENTS:
        name = operation.path
        for each in later:
            if each.kind == "sync" and each.path == name:
                return False
            if each.kind == "rename" and each.path == name:
                name = each.target
        return True
    parent = str(PurePosixPath(operation.target or operation.path).parent)
    return not any(each.kind == "sync_folder" and each.path == parent for each in later)


def replayed(how: str, operations: Sequence[Operation]) -> DiskState:
    """Return the state after operations; those that miss a file have no effect."""
    state = DiskState(how)
    files = state.files
    for operation in operations:
        path = operation.path
        match operation.kind:
            case "mkdir":
                state.folders.add(path)
            case "create":
                files.setdefault(path, bytearray())
            case "unlink":
                files.pop(path, None)
            case "rename" if path in files:
                files[operation.target] = files.pop(path)
            case "truncate" if path in files:
                content = files[path]
                content[operation.offset :] = b""
                content.extend(bytes(operation.offset - len(content)))
            case "write" if path in files:
                content = files[path]
                content.extend(bytes(max(0, operation.offset - len(content))))
                content[operation.offset : operation.offset + len(operation.content)] = (
                    operation.content
                )
            case _:
                pass
    return state
