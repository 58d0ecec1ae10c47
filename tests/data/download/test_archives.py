"""Archives are unpacked whole, or not at all if they hold anything dangerous."""

import io
import stat
import tarfile
import zipfile
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from sceneparse.data.download.archives import Limits, unpack
from sceneparse.errors import InputError

FOLDER = PurePosixPath("top", "data")
LIMITS = Limits(members=20, total_bytes=10_000_000)
GOOD = {"top/data/images/a.jpg": b"first", "top/data/b.txt": b"", "top/other.txt": b"not wanted"}
KINDS = ("zip", "tar")


def write_zip(path: Path, files: dict[str, bytes]) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)


def write_tar(path: Path, files: dict[str, bytes], **settings: Any) -> None:
    with tarfile.open(path, "w", **settings) as archive:
        for name, content in files.items():
            if name.endswith("/"):
                add_special(archive, name, tarfile.DIRTYPE)
            else:
                info = tarfile.TarInfo(name)
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))


def add_special(archive: tarfile.TarFile, name: str, kind: bytes, link: str = "") -> None:
    info = tarfile.TarInfo(name)
    info.type = kind
    info.linkname = link
    archive.addfile(info)


def write(kind: str, path: Path, files: dict[str, bytes]) -> Path:
    (write_zip if kind == "zip" else write_tar)(path, files)
    return path


def unpacked(archive: Path, limits: Limits = LIMITS) -> dict[str, bytes]:
    out = archive.parent / "out"
    count = unpack(archive, FOLDER, out, limits, lambda *_: None)
    files = {
        path.relative_to(out).as_posix(): path.read_bytes()
        for path in out.rglob("*")
        if path.is_file()
    }
    assert count == len(files)
    return files


def refused(archive: Path, limits: Limits = LIMITS) -> str:
    """Return the message with which an archive is refused, before anything is written."""
    before = sorted(archive.parent.parent.rglob("*"))
    with pytest.raises(InputError) as caught:
        unpacked(archive, limits)
    assert sorted(archive.parent.parent.rglob("*")) == before
    message = str(caught.value)
    assert message.startswith(f"{archive}: ")
    assert message.endswith("get the archive from another place")
    assert "\n" not in message
    assert caught.value.parameters == ("url",)
    return message


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "below").mkdir()
    return tmp_path / "below" / "archive"


@pytest.mark.parametrize("kind", KINDS)
def test_the_files_of_the_folder_are_unpacked(kind: str, path: Path) -> None:
    folders = {"top/": b"", "top/data/": b"", "./top/data/images/": b""}
    write(kind, path, {**folders, **GOOD, "./top//data/./c.txt": b"normalised"})
    expected = {"images/a.jpg": b"first", "b.txt": b"", "c.txt": b"normalised"}
    assert unpacked(path) == expected


@pytest.mark.parametrize("format", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_long_and_accented_names_are_kept(format: int, path: Path) -> None:
    long = "top/data/" + "é" * 60 + "/" + "b" * 90
    write_tar(path, {long: b"x"}, format=format)
    assert list(unpacked(path)) == [long.removeprefix("top/data/")]


def test_progress_reaches_the_number_of_files(path: Path) -> None:
    seen: list[tuple[int, int]] = []
    write_zip(path, GOOD)
    unpack(
        path, FOLDER, path.parent / "out", LIMITS, lambda done, total: seen.append((done, total))
    )
    assert seen == [(0, 2), (1, 2), (2, 2)]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "name",
    [
        "../x",
        "top/data/../../../x",
        "top/data/..",
        "/etc/x",
        "//host/share/x",
        "C:/x",
        "C:x",
        "c:\\x",
        "..\\x",
        "top\\data\\x",
        "\\\\host\\x",
        "top/data/a\x07b",
        "top/data/a\nb",
        "top/data/x:stream",
        "top/data/nul",
        "top/data/COM1.txt",
        "top/data/x.",
        "top/data/x ",
    ],
)
def test_paths_that_may_lead_elsewhere_are_refused(kind: str, name: str, path: Path) -> None:
    assert repr(name) in refused(write(kind, path, {**GOOD, name: b"evil"}))


def test_a_null_character_does_not_hide_a_part_of_a_name(path: Path) -> None:
    write_zip(path, {**GOOD, "top/data/evil.jpg#.exe": b"evil"})
    path.write_bytes(path.read_bytes().replace(b"evil.jpg#", b"evil.jpg\0"))
    assert "control character" in refused(path)


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        (tarfile.SYMTYPE, "symbolic link"),
        (tarfile.LNKTYPE, "hard link"),
        (tarfile.CHRTYPE, "device"),
        (tarfile.BLKTYPE, "device"),
        (tarfile.FIFOTYPE, "pipe"),
        (tarfile.GNUTYPE_SPARSE, "neither a file nor a folder"),
        (b"Z", "neither a file nor a folder"),
    ],
)
def test_only_files_and_folders_of_a_tar_are_unpacked(kind: bytes, says: str, path: Path) -> None:
    with tarfile.open(path, "w") as archive:
        add_special(archive, "top/data/special", kind, "../../../etc/passwd")
    assert says in refused(path)


@pytest.mark.parametrize(
    ("mode", "says"),
    [
        (stat.S_IFLNK, "symbolic link"),
        (stat.S_IFCHR, "device"),
        (stat.S_IFBLK, "device"),
        (stat.S_IFIFO, "pipe"),
        (stat.S_IFSOCK, "pipe"),
    ],
)
def test_only_files_and_folders_of_a_zip_are_unpacked(mode: int, says: str, path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        info = zipfile.ZipInfo("top/data/special")
        info.external_attr = (mode | 0o777) << 16
        archive.writestr(info, "../../../etc/passwd")
    assert says in refused(path)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_members_of_one_path_are_refused(kind: str, path: Path) -> None:
    for other in ("top/data/B.TXT", "top/data//b.txt", "./top/data/./b.txt"):
        write(kind, path, {**GOOD, other: b"again"})
        assert "twice, or with other capitals" in refused(path)
    both = {"top/data/caf\u00e9": b"composed", "top/data/cafe\u0301": b"decomposed"}
    assert "twice" in refused(write(kind, path, both))


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_that_is_a_folder_too_is_refused(kind: str, path: Path) -> None:
    write(kind, path, {**GOOD, "top/data/images": b"file"})
    assert "top/data/images as a file and as a folder" in refused(path)


@pytest.mark.parametrize("kind", KINDS)
def test_too_many_members_are_refused(kind: str, path: Path) -> None:
    write(kind, path, {f"top/data/{index}": b"" for index in range(21)})
    assert "holds more than 20 files and folders" in refused(path)
    assert len(unpacked(path, Limits(members=21, total_bytes=0))) == 21


@pytest.mark.parametrize("kind", KINDS)
def test_too_large_archives_are_refused(kind: str, path: Path) -> None:
    write(kind, path, {f"top/data/{index}": b"12345" for index in range(3)})
    assert "unpacks to more than the expected 14 bytes" in refused(path, Limits(20, 14))
    assert len(unpacked(path, Limits(20, 15))) == 3


def test_a_file_that_shrinks_too_well_is_refused(path: Path) -> None:
    write_zip(path, {**GOOD, "top/data/zeros": bytes(2_000_000)})
    assert "to 2,000,000" in refused(path)
    write_zip(path, {**GOOD, "top/data/zeros": bytes(1_000_000)})
    assert len(unpacked(path)) == 3


def write_lying_zip(path: Path, size: int) -> None:
    """Write a zip with a file of 50,000 bytes, and another size in its directory."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("top/data/lie", b"ab" * 25_000)
        archive.filelist[0].file_size = size


@pytest.mark.parametrize("size", [10, 60_000])
def test_a_size_that_is_a_lie_is_found(size: int, path: Path, tmp_path: Path) -> None:
    write_lying_zip(path, size)
    with pytest.raises(InputError, match="is damaged"):
        unpacked(path)
    assert (tmp_path / "below" / "out" / "lie").stat().st_size <= 50_000


def test_a_negative_size_in_a_tar_is_refused(path: Path) -> None:
    write_tar(path, {"top/data/x": b"1234"})
    set_tar_size(path, b"\xff" * 10 + b"\xfe\x00")  # -512 in base 256
    assert "negative size" in refused(path)


def test_an_encrypted_zip_is_refused(path: Path) -> None:
    write_zip(path, {"top/data/secret": b"x" * 100})
    content = bytearray(path.read_bytes())
    content[6] |= 1
    content[content.rindex(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(content)
    assert "is encrypted" in refused(path)


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_rare_compression_is_refused(method: int, path: Path) -> None:
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("top/data/x", b"x" * 1000)
    assert "another method than deflate" in refused(path)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("keep", [0.2, 0.6, 0.95])
def test_truncated_archives_are_refused(kind: str, keep: float, path: Path) -> None:
    content = {f"top/data/{index}": bytes(range(256)) * 20 for index in range(8)}
    whole = write(kind, path, content).read_bytes().rstrip(b"\0")
    path.write_bytes(whole[: int(keep * len(whole))])
    assert "is damaged" in refused(path)


def test_a_damaged_header_does_not_hide_the_rest_of_a_tar(path: Path) -> None:
    write_tar(path, {f"top/data/{index}": b"x" * 600 for index in range(3)})
    content = bytearray(path.read_bytes())
    content[1536] ^= 1
    path.write_bytes(content)
    assert "is damaged (bad header)" in refused(path)


def test_a_damaged_file_in_a_zip_is_found(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("top/data/x", b"content")
    path.write_bytes(path.read_bytes().replace(b"content", b"Content"))
    with pytest.raises(InputError, match="is damaged \\(Bad CRC-32"):
        unpacked(path)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"<!DOCTYPE html><title>Not found</title>", "found a web page"),
        (b"", "found a file that starts b''"),
        (b"PK", "is damaged"),
        (b"PK\x05\x06" + bytes(18), "has no files below top/data/"),
        (b"\x1f\x8b\x08 gzip", "expected a zip or an uncompressed tar archive"),
        (bytes(5000), "expected a zip or an uncompressed tar archive"),
    ],
)
def test_what_is_no_archive_is_told(content: bytes, says: str, path: Path) -> None:
    path.write_bytes(content)
    assert says in refused(path)


@pytest.mark.parametrize("kind", KINDS)
def test_an_archive_without_the_folder_is_refused(kind: str, path: Path) -> None:
    for name in ("other/data/x", "top/data", "top/database/x"):
        assert "has no files below top/data/" in refused(write(kind, path, {name: b"x"}))


def test_the_free_space_is_compared_with_the_unpacked_size(path: Path) -> None:
    write_lying_zip(path, 10**15)
    with pytest.raises(InputError, match=r"and the unpacked files take 1,000,000,000 MB"):
        unpacked(path, Limits(20, 10**16, ratio=10**14))
    assert not (path.parent / "out").exists()


def test_a_file_cannot_be_larger_than_its_tar(path: Path) -> None:
    write_tar(path, {"top/data/x": b"1234"})
    set_tar_size(path, b"\x80" + (10**15).to_bytes(11, "big"))
    assert "unexpected end of data" in refused(path, Limits(20, 10**16))


def set_tar_size(path: Path, size: bytes) -> None:
    """Change the size that a tar states for its first file, and the checksum of the header."""
    content = bytearray(path.read_bytes())
    content[124:136] = size
    content[148:156] = b" " * 8
    content[148:156] = b"%06o\0 " % sum(content[:512])
    path.write_bytes(content)
