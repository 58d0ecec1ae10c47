"""Download a published data set."""

import json
import os
import shutil
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from sceneparse.data.datasets.file_data import SPLITS
from sceneparse.data.download.archives import unpack
from sceneparse.data.download.partial_file import PartialFile
from sceneparse.data.download.resumable import Listener, Patience, fetch
from sceneparse.data.download.sources import Source, find_source
from sceneparse.data.download.web import check_url
from sceneparse.errors import InputError
from sceneparse.recording.events import Callback, Message, Progress, ignore
from sceneparse.system.files import require_free_space
from sceneparse.system.paths import expand_user
from sceneparse.system.user_cache import lock_folder

# The file in a data set that says what was unpacked there.
_RECORD = ".sceneparse.json"
_UNPACKED = "unpacked"


@dataclass(frozen=True)
class Downloaded:
    """A data set that was downloaded.

    Attributes:
        root: Its folder.
        title: Its name.
        files: Number of its files.
        is_new: Whether it was not there before.
    """

    root: Path
    title: str
    files: int
    is_new: bool

    def __str__(self) -> str:
        """Say what lies where, and what to do next."""
        state = "complete, and the checksum is right" if self.is_new else "already there"
        return (
            f"{self.root}: {self.title}, {self.files:,} files, {state}\n"
            f"next: sceneparse data check {self.root}"
        )


def download(
    data: str | Source,
    to: str | Path | None = None,
    *,
    url: str | None = None,
    patience: Patience | None = None,
    callback: Callback = ignore,
) -> Downloaded:
    """Download a published data set, check it and unpack it.

    If it is stopped, the same call goes on where it stopped. What has arrived lies in the folder
    `NAME.partial` beside the new one.

    Args:
        data: `ade20k` or `voc2012`, or where another data set lies.
        to: The new folder, which appears once it is complete; none for the folder in which configs
            look for this data set.
        url: Address of another copy of the archive, or the path of an archive on this computer;
            it must have the published checksum.
        patience: How long to wait for a server; none for the defaults.
        callback: Called with each event.

    Raises:
        InputError: If no server provides the archive, its checksum differs, it holds anything that
            must not be unpacked, the folder is not empty, or the disk is too small.

    Example:
        >>> sceneparse.download("ade20k", "data/ADEChallengeData2016")  # doctest: +SKIP
    """
    source = find_source(data) if isinstance(data, str) else data
    out = source.layout.root if to is None else expand_user(to)
    if out.name in ("", ".."):
        raise InputError(f"{out}: give the name of a new folder")
    local = None if url is None else _local_archive(url, source)
    if (found := _find_present(out, source)) is not None:
        return found
    work = out.with_name(f"{out.name}.partial")
    partial = PartialFile(work / source.archive_name)
    callback(Message(f"note: {source.terms}"))
    try:
        with _work_folder(work):
            if local is None:
                urls = source.urls if url is None else (url,)
                _fetch(source, urls, partial, patience or Patience(), callback)
            _verify(source, partial, local, callback)
            files = _unpack(source, local or partial.path, work / _UNPACKED, callback)
            _move(work / _UNPACKED, out)
            partial.remove()
    except KeyboardInterrupt:
        if partial.length():
            callback(Message(f"{partial.path}: is kept; the same command goes on there"))
        raise
    except OSError as error:
        raise InputError(
            f"{error.filename or out}: cannot be written ({error.strerror or error}); free some "
            f"space, or choose a folder to which you may write; the same command goes on with "
            "what has arrived"
        ) from None
    return Downloaded(out, source.layout.title, files, is_new=True)


@contextmanager
def _work_folder(folder: Path) -> Generator[None]:
    """Create and lock a folder; afterwards, delete all of it but a part of an archive."""
    with lock_folder(folder, "this data set"):
        try:
            yield
        finally:
            shutil.rmtree(folder / _UNPACKED, ignore_errors=True)
            if {path.name for path in folder.iterdir()} <= {"lock"}:
                shutil.rmtree(folder, ignore_errors=True)


def _find_present(out: Path, source: Source) -> Downloaded | None:
    """Return the data set if it is already there; none if there is nothing."""
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return None
    try:
        record = json.loads((out / _RECORD).read_bytes())
        checksum, expected = record["checksum"], int(record["files"])
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        checksum, expected = "", 0
    if checksum != str(source.checksum):
        raise InputError(
            f"{out}: already exists, and `sceneparse data download` did not put this data set "
            f"there; choose another folder, or use it as it is: sceneparse data check {out}"
        )
    files = _count_files(out)
    if files < expected or not _is_complete(source, out):
        raise InputError(
            f"{out}: holds {files:,} of {expected:,} files; delete the folder, and download the "
            "data set again"
        )
    return Downloaded(out, source.layout.title, expected, is_new=False)


def _local_archive(url: str, source: Source) -> Path | None:
    """Return the archive on this computer that a user names; none if it is an address."""
    if "://" in url:
        check_url(url)
        return None
    path = expand_user(url)
    if not path.is_file():
        raise InputError(
            f"{path}: no such file; give the address of another copy (https://...), or the path of "
            "an archive on this computer",
            "url",
        )
    size = path.stat().st_size
    if size != source.archive_bytes:
        raise InputError(
            f"{path}: found {size:,} bytes, expected the {source.archive_bytes:,} of "
            f"{source.archive_name}; give the published archive, complete and unchanged",
            "url",
        )
    return path


def _fetch(
    source: Source,
    urls: tuple[str, ...],
    partial: PartialFile,
    patience: Patience,
    callback: Callback,
) -> None:
    missing = max(0, source.archive_bytes - partial.length())
    needed = missing + source.unpacked_bytes
    require_free_space(partial.path, needed, "the archive and its files take about")
    if partial.length():
        callback(Message(f"{partial.path}: going on after {partial.length() / 1e6:,.1f} MB"))
    progress = _Megabytes(f"downloading {source.archive_name} (MB)", source, callback)
    listener = Listener(progress, lambda line: callback(Message(line)))
    fetch(urls, partial, source.archive_bytes, listener, patience)


def _verify(source: Source, partial: PartialFile, local: Path | None, callback: Callback) -> None:
    """Refuse an archive with another checksum than the published one."""
    path = local or partial.path
    progress = _Megabytes(f"checking {source.archive_name} (MB)", source, callback)
    found = source.checksum.of(path, progress)
    if found == source.checksum:
        return
    fix = "give the published archive, complete and unchanged"
    if local is None:
        partial.remove()
        fix = "the file is deleted; run the command again, or give the address of another copy"
    raise InputError(
        f"{path}: found {found}, expected {source.checksum}: it was damaged on its way, or is not "
        f"the published archive; {fix}",
        "url",
    )


def _unpack(source: Source, archive: Path, folder: Path, callback: Callback) -> int:
    """Unpack an archive into a new folder that records it, and return the number of files."""
    shutil.rmtree(folder, ignore_errors=True)
    files = unpack(
        archive,
        source.folder,
        folder,
        source.limits,
        lambda done, total: callback(Progress("unpacking", done, total)),
    )
    if not _is_complete(source, folder):
        raise InputError(
            f"{archive}: {source.folder}/ does not have the layout of {source.layout.title} with "
            f"the splits {' and '.join(SPLITS)}; get the archive from another place",
            "url",
        )
    record = {"checksum": str(source.checksum), "files": files}
    (folder / _RECORD).write_text(json.dumps(record) + "\n", encoding="utf-8")
    return files


def _move(folder: Path, out: Path) -> None:
    if out.exists():
        out.rmdir()
    folder.rename(out)


def _is_complete(source: Source, root: Path) -> bool:
    return replace(source.layout, root=root).splits() == SPLITS


def _count_files(folder: Path) -> int:
    return sum(len(names) for _, _, names in os.walk(folder)) - 1  # one is the record


class _Megabytes:
    """Reports bytes of an archive as progress in megabytes."""

    def __init__(self, task: str, source: Source, callback: Callback) -> None:
        self._task = task
        self._bytes = source.archive_bytes
        self._callback = callback
        self._shown = -1

    def __call__(self, done: int) -> None:
        total = -(-self._bytes // 10**6)
        shown = total if done >= self._bytes else done // 10**6
        if shown != self._shown:
            self._shown = shown
            self._callback(Progress(self._task, shown, total))
