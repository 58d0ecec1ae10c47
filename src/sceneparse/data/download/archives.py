"""Unpacking of archives that may be damaged or malicious.

Every member is checked before any file is written: its path stays below the new folder on every
operating system, it is a file or a folder, no two members have one path, and their number, sizes
and compression are bounded. While files are written, their bytes are counted, because a size in an
archive may be wrong.
"""

import re
import stat
import tarfile
import unicodedata
import zipfile
import zlib
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, NamedTuple

from sceneparse.errors import InputError
from sceneparse.system.files import require_free_space

_CHUNK = 1 << 20
_ZIP_START = b"PK"
_TAR_MARK = slice(257, 262)
_DAMAGE = (
    *(zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError),
    *(NotImplementedError, ValueError),
)
# Characters and names that mean something else than a file on some operating system.
_SPECIAL_CHARACTERS = re.compile(r"[\\:\x00-\x1f\x7f]")
_WINDOWS_DEVICE = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³])(\.|$)", re.I)
_TAR_KINDS = {
    tarfile.SYMTYPE: "is a symbolic link",
    tarfile.LNKTYPE: "is a hard link",
    tarfile.CHRTYPE: "is a device",
    tarfile.BLKTYPE: "is a device",
    tarfile.FIFOTYPE: "is a pipe",
}


@dataclass(frozen=True)
class Limits:
    """What an archive may hold.

    Attributes:
        members: Most files and folders.
        total_bytes: Most bytes of all unpacked files together.
        ratio: Most unpacked bytes per compressed byte of a file larger than 1 MiB.
    """

    members: int
    total_bytes: int
    ratio: int = 100


class _Member(NamedTuple):
    """A file or folder in an archive.

    Attributes:
        name: Its path, as it is stored.
        size: Number of unpacked bytes, as it is stored.
        packed: Number of compressed bytes.
        open: Opens the file; none for a folder.
        fault: Why it must not be unpacked; empty if it is a plain file or folder.
    """

    name: str
    size: int
    packed: int
    open: Callable[[], IO[bytes]] | None
    fault: str


class _UnsafeMemberError(Exception):
    """A member must not be unpacked."""


def unpack(
    archive: Path,
    folder: PurePosixPath,
    out: Path,
    limits: Limits,
    report: Callable[[int, int], object],
) -> int:
    """Unpack the files below a folder of a zip or tar archive.

    Args:
        archive: The archive.
        folder: The folder within the archive; its content is unpacked, without its own path.
        out: A folder that does not exist.
        limits: What the archive may hold.
        report: Called with the number of files written, and of all.

    Returns:
        The number of files.

    Raises:
        InputError: If the archive is damaged, has no such folder, or holds anything that must not
            be unpacked; or if the disk is too small.
        OSError: If a file cannot be written.
    """
    try:
        with _opened(archive) as members:
            chosen = _choose(members, folder, limits)
            if not chosen:
                raise InputError(f"{archive}: has no files below {folder}/; {_ELSEWHERE}", "url")
            total = sum(member.size for member in chosen.values())
            require_free_space(out, total, "the unpacked files take")
            _write(chosen, out, report)
    except _UnsafeMemberError as error:
        raise InputError(
            f"{archive}: {error}, so nothing is unpacked; {_ELSEWHERE}", "url"
        ) from None
    except _DAMAGE as error:
        raise InputError(f"{archive}: is damaged ({error}); {_ELSEWHERE}", "url") from None
    return len(chosen)


_ELSEWHERE = "get the archive from another place"


@contextmanager
def _opened(path: Path) -> Generator[Iterator[_Member]]:
    """Open an archive, and yield its members, which are read one by one."""
    with path.open("rb") as file:
        start = file.read(_TAR_MARK.stop)
    if start.startswith(_ZIP_START):
        with zipfile.ZipFile(path) as archive:
            yield (_zip_member(archive, info) for info in archive.infolist())
    elif start[_TAR_MARK] == b"ustar":
        with tarfile.open(path, "r:") as archive:
            yield _tar_members(path, archive)
    else:
        what = "a web page" if start.lstrip()[:1] == b"<" else f"a file that starts {start[:8]!r}"
        raise InputError(
            f"{path}: found {what}, expected a zip or an uncompressed tar archive; {_ELSEWHERE}",
            "url",
        )


def _zip_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> _Member:
    # The upper half of the attributes is the mode of Unix, if the archive was made there.
    kind = stat.S_IFMT(info.external_attr >> 16)
    fault = ""
    if info.flag_bits & 1:
        fault = "is encrypted"
    elif stat.S_ISLNK(kind):
        fault = "is a symbolic link"
    elif kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        fault = "is a device or a pipe"
    elif info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        fault = "is compressed by another method than deflate"
    # `filename` ends before a null character, so that another name would be checked.
    name = info.orig_filename
    opens = None if name.endswith("/") else lambda: _open_in_zip(archive, info)
    return _Member(name, info.file_size, info.compress_size, opens, fault)


def _open_in_zip(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> IO[bytes]:
    try:
        return archive.open(info)
    except OSError as error:  # a damaged offset; no error of writing
        raise zipfile.BadZipFile(f"{info.filename!r:.100}: {error}") from None


def _tar_members(path: Path, archive: tarfile.TarFile) -> Iterator[_Member]:
    end = path.stat().st_size
    for info in archive:
        if info.isreg() and info.offset_data + info.size > end:
            raise tarfile.ReadError("unexpected end of data")
        fault = _TAR_KINDS.get(info.type, "")
        if not fault and (info.issparse() or not (info.isreg() or info.isdir())):
            fault = "is neither a file nor a folder"
        opens = None if info.isdir() else lambda info=info: _open_in_tar(archive, info)
        yield _Member(info.name, info.size, info.size, opens, fault)
    # Python stops without an error at a header that is damaged.
    with path.open("rb") as file:
        file.seek(archive.offset)
        if file.read(tarfile.BLOCKSIZE).strip(b"\0"):
            raise tarfile.ReadError("bad header")


def _open_in_tar(archive: tarfile.TarFile, info: tarfile.TarInfo) -> IO[bytes]:
    file = archive.extractfile(info)
    if file is None:
        raise tarfile.ReadError(f"{info.name} has no content")
    return file


def _choose(
    members: Iterable[_Member], folder: PurePosixPath, limits: Limits
) -> dict[PurePosixPath, _Member]:
    """Check all members, and return the files below a folder, by their path in it."""
    chosen: dict[PurePosixPath, _Member] = {}
    files: set[str] = set()
    folders: set[str] = set()
    total = 0
    for count, member in enumerate(members, start=1):
        if count > limits.members:
            raise _UnsafeMemberError(f"holds more than {limits.members:,} files and folders")
        path = _checked_path(member)
        total += member.size
        _check_size(member, total, limits)
        place = _comparable(path)
        if member.open is None:
            folders.add(place)
        elif place in files:
            raise _UnsafeMemberError(f"holds {_shown(member)} twice, or with other capitals")
        else:
            files.add(place)
            if folder in path.parents:
                chosen[path.relative_to(folder)] = member
        folders.update(_comparable(parent) for parent in path.parents)
    if both := files & folders:
        raise _UnsafeMemberError(f"holds {min(both)} as a file and as a folder")
    return chosen


def _checked_path(member: _Member) -> PurePosixPath:
    """Return the normalised path of a member."""
    if member.fault:
        raise _UnsafeMemberError(f"{_shown(member)} {member.fault}")
    # `PurePosixPath` drops `.` and double slashes.
    path = PurePosixPath(member.name)
    if path.is_absolute() or ".." in path.parts:
        raise _UnsafeMemberError(f"{_shown(member)} would lie outside of the new folder")
    if _SPECIAL_CHARACTERS.search(member.name):
        raise _UnsafeMemberError(
            f"{_shown(member)} has a backslash, a colon or a control character"
        )
    for part in path.parts:
        if part != part.rstrip(". ") or _WINDOWS_DEVICE.match(part):
            raise _UnsafeMemberError(f"{_shown(member)} cannot be the name of a file on Windows")
    if member.open is not None and not path.parts:
        raise _UnsafeMemberError(f"{_shown(member)} has no name")
    return path


def _check_size(member: _Member, total: int, limits: Limits) -> None:
    if member.size < 0 or member.packed < 0:
        raise _UnsafeMemberError(f"{_shown(member)} has a negative size")
    if total > limits.total_bytes:
        raise _UnsafeMemberError(f"unpacks to more than the expected {limits.total_bytes:,} bytes")
    if member.size > max(1 << 20, limits.ratio * member.packed):
        raise _UnsafeMemberError(
            f"{_shown(member)} unpacks {member.packed:,} bytes to {member.size:,}"
        )


def _comparable(path: PurePosixPath) -> str:
    """Return a path as file systems compare it that ignore case and Unicode forms."""
    return unicodedata.normalize("NFC", str(path)).casefold()


def _shown(member: _Member) -> str:
    return repr(member.name if len(member.name) <= 100 else f"{member.name[:100]}…")


def _write(
    members: dict[PurePosixPath, _Member], out: Path, report: Callable[[int, int], object]
) -> None:
    report(0, len(members))
    for folder in {path.parent for path in members}:
        (out / folder).mkdir(parents=True, exist_ok=True)
    for done, (path, member) in enumerate(members.items(), start=1):
        _write_file(member, out / path)
        report(done, len(members))


def _write_file(member: _Member, path: Path) -> None:
    assert member.open is not None  # noqa: S101 - `_choose` returns only files
    written = 0
    with member.open() as source, path.open("xb") as file:
        while chunk := source.read(_CHUNK):
            written += len(chunk)
            if written > member.size:
                break
            file.write(chunk)
    if written != member.size:
        raise ValueError(f"{_shown(member)} has another size than the archive says")
