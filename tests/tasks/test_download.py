"""Published data sets are downloaded, checked, unpacked, and found again."""

import hashlib
import json
import os
import signal
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

import pytest
from tests.file_server import IMPATIENT, Behaviour, FileServer
from tests.published import striped, write_ids, write_image, write_voc2012

from sceneparse.data.datasets.ade20k import Ade20kData
from sceneparse.data.datasets.recognise import recognise
from sceneparse.data.datasets.voc2012 import Voc2012Data
from sceneparse.data.download.sources import SOURCES, Checksum, Source
from sceneparse.errors import InputError
from sceneparse.recording.events import Event, Message, Progress
from sceneparse.system.user_cache import lock_folder
from sceneparse.tasks.download import Downloaded, download

FILES = 10


@dataclass
class Published:
    """A tiny data set in the layout of ADE20K, on a server.

    Attributes:
        server: The server of its archive.
        source: Where it lies.
        archive: The archive as a file.
        out: The folder to unpack it to.
    """

    server: FileServer
    source: Source
    archive: Path
    out: Path
    events: list[Event]

    @property
    def partial(self) -> Path:
        return self.out.with_name(f"{self.out.name}.partial")

    @property
    def lines(self) -> list[str]:
        return [event.text for event in self.events if isinstance(event, Message)]

    def download(self, url: str | Path | None = None) -> Downloaded:
        return download(
            self.source,
            self.out,
            url=None if url is None else str(url),
            patience=IMPATIENT,
            callback=self.events.append,
        )

    def fails(self, url: str | Path | None = None) -> str:
        with pytest.raises(InputError) as caught:
            self.download(url)
        assert "\n" not in str(caught.value)
        return str(caught.value)


def write_ade20k(root: Path) -> None:
    for split, count in (("training", 3), ("validation", 2)):
        for number in range(count):
            name = f"ADE_{split[:5]}_{number:08d}"
            write_image(root / "images" / split / f"{name}.jpg")
            write_ids(root / "annotations" / split / f"{name}.png", striped(range(151)))


def pack(root: Path, archive: Path, folder: str) -> None:
    with zipfile.ZipFile(archive, "w") as packed:
        for path in sorted(root.rglob("*")):
            packed.write(path, f"{folder}/{path.relative_to(root).as_posix()}")


def describe(archive: Path, url: str) -> Source:
    content = archive.read_bytes()
    return Source(
        layout=Ade20kData(),
        urls=(url,),
        archive_bytes=len(content),
        checksum=Checksum("sha256", hashlib.sha256(content).hexdigest()),
        folder=PurePosixPath("ADEChallengeData2016"),
        unpacked_bytes=len(content),
        terms="the images may be used for tests only",
    )


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("published")
    write_ade20k(folder / "ade")
    pack(folder / "ade", folder / "ADEChallengeData2016.zip", "ADEChallengeData2016")
    return folder / "ADEChallengeData2016.zip"


@pytest.fixture
def published(archive: Path, tmp_path: Path) -> Iterator[Published]:
    with FileServer(archive.read_bytes()) as server:
        out = tmp_path / "data" / "ade20k"
        yield Published(server, describe(archive, server.url), archive, out, [])


def test_a_data_set_arrives_and_is_recognised(published: Published) -> None:
    done = published.download()
    assert done == Downloaded(published.out, "ADE20K", FILES, is_new=True)
    assert str(done).splitlines() == [
        f"{published.out}: ADE20K, 10 files, complete, and the checksum is right",
        f"next: sceneparse data check {published.out}",
    ]
    found = recognise(published.out)
    assert isinstance(found, Ade20kData)
    assert [len(found.files(split)) for split in found.splits()] == [3, 2]
    assert [path.name for path in published.out.parent.iterdir()] == ["ade20k"]
    assert published.lines == ["note: the images may be used for tests only"]
    parts = [event for event in published.events if isinstance(event, Progress)]
    assert [event.task for event in parts if event.is_finished] == [
        "downloading archive.zip (MB)",
        "checking archive.zip (MB)",
        "unpacking",
    ]


def test_a_second_download_does_nothing(published: Published) -> None:
    published.download()
    times = {path: path.stat().st_mtime_ns for path in published.out.rglob("*")}
    again = published.download()
    assert "10 files, already there" in str(again)
    assert not again.is_new
    assert {path: path.stat().st_mtime_ns for path in published.out.rglob("*")} == times
    assert len(published.server.requests) == 1


def test_a_data_set_that_lost_files_is_not_complete(published: Published) -> None:
    published.download()
    next((published.out / "annotations" / "training").iterdir()).unlink()
    assert "holds 9 of 10 files; delete the folder, and download" in published.fails()


@pytest.mark.parametrize("name", ["mine.txt", ".sceneparse.json"])
def test_other_files_are_not_touched(published: Published, name: str) -> None:
    published.out.mkdir(parents=True)
    (published.out / name).write_text('{"checksum": "another", "files": 1}')
    message = published.fails()
    assert "already exists, and `sceneparse data download` did not put this data set" in message
    assert f"use it as it is: sceneparse data check {published.out}" in message
    assert [path.name for path in published.out.iterdir()] == [name]
    assert published.server.requests == []


def test_a_file_in_the_place_of_the_folder_is_not_touched(published: Published) -> None:
    published.out.parent.mkdir()
    published.out.write_text("mine")
    assert "already exists" in published.fails()
    assert published.out.read_text() == "mine"


def test_an_empty_folder_is_accepted(published: Published) -> None:
    published.out.mkdir(parents=True)
    assert published.download().files == FILES


@pytest.mark.parametrize("out", ["", ".", "..", "/"])
def test_the_folder_needs_a_name(published: Published, out: str) -> None:
    published.out = Path(out)
    with pytest.raises(InputError, match="give the name of a new folder"):
        download(published.source, out)


def test_a_cut_download_resumes_in_a_later_run(published: Published) -> None:
    size = published.source.archive_bytes
    published.server.then(Behaviour(cut_after=size // 2), Behaviour(status=404))
    message = published.fails()
    assert f"are kept in {published.partial / 'archive.zip'}, and the same command" in message
    assert not published.out.exists()
    published.server.then(Behaviour())
    assert published.download().files == FILES
    assert published.server.ranges[-1] == f"bytes={size // 2}-"
    assert any("going on after" in line for line in published.lines)
    assert not published.partial.exists()


def test_nothing_is_left_where_nothing_has_arrived(published: Published) -> None:
    published.server.then(Behaviour(status=404))
    assert "HTTP 404" in published.fails()
    assert list(published.out.parent.iterdir()) == []


def test_ctrl_c_keeps_what_has_arrived(published: Published) -> None:
    size = published.source.archive_bytes
    published.server.then(Behaviour(stall_after=size // 2))
    published.source = replace(published.source, urls=(published.server.url,))

    def interrupt(event: Event) -> None:
        published.events.append(event)
        if isinstance(event, Progress) and event.task.startswith("downloading"):
            threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGINT)).start()

    with pytest.raises(KeyboardInterrupt):
        download(published.source, published.out, callback=interrupt)
    file = published.partial / "archive.zip"
    assert published.lines[-1] == f"{file}: is kept; the same command goes on there"
    assert file.stat().st_size == size // 2
    published.server.then(Behaviour())
    assert published.download().is_new


def test_a_wrong_checksum_deletes_the_file(published: Published) -> None:
    changed = bytearray(published.archive.read_bytes())
    changed[100] ^= 1
    published.server.then(Behaviour(content=bytes(changed)))
    message = published.fails()
    assert f"found sha256 {hashlib.sha256(changed).hexdigest()}, expected sha256 " in message
    assert "the file is deleted; run the command again, or give the address" in message
    assert list(published.out.parent.iterdir()) == []


def test_a_mirror_may_be_given(published: Published) -> None:
    published.source = replace(published.source, urls=("http://no-such-host.invalid/archive.zip",))
    assert published.download(published.server.url).is_new


def test_an_archive_on_this_computer_is_unpacked_and_kept(published: Published) -> None:
    assert published.download(published.archive).files == FILES
    assert published.server.requests == []
    assert published.archive.exists()
    assert list(published.out.parent.iterdir()) == [published.out]


def test_a_wrong_archive_on_this_computer_is_refused_and_kept(
    published: Published, tmp_path: Path
) -> None:
    wrong = tmp_path / "wrong.zip"
    assert f"{wrong}: no such file" in published.fails(wrong)
    wrong.write_bytes(published.archive.read_bytes()[:-1])
    assert "bytes, expected the" in published.fails(wrong)
    wrong.write_bytes(bytes(published.source.archive_bytes))
    assert "give the published archive, complete and unchanged" in published.fails(wrong)
    assert wrong.exists()
    assert not published.out.exists()
    assert not published.partial.exists()


def test_addresses_that_are_not_of_the_web_are_refused(published: Published) -> None:
    message = published.fails(f"file://{published.archive}")
    assert "expected an address that starts with http:// or https://" in message


def test_the_disk_must_hold_archive_and_files(published: Published) -> None:
    published.source = replace(published.source, unpacked_bytes=10**18)
    message = published.fails()
    assert "of free disk space, and the archive and its files take about 1,000,000,0" in message
    assert "free some space, or choose a folder on another disk" in message
    assert published.server.requests == []
    assert not published.partial.exists()


def test_what_has_arrived_needs_no_space_again(published: Published) -> None:
    published.partial.mkdir(parents=True)
    (published.partial / "archive.zip").write_bytes(published.archive.read_bytes())
    assert published.download().is_new
    assert published.server.requests == []


def test_an_archive_with_a_link_is_not_unpacked(published: Published, tmp_path: Path) -> None:
    evil = tmp_path / "evil.tar"
    with tarfile.open(evil, "w") as packed:
        packed.add(published.archive, "ADEChallengeData2016/images/training/a.jpg")
        link = tarfile.TarInfo("ADEChallengeData2016/annotations")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc"
        packed.addfile(link)
    published.source = describe(evil, published.server.url)
    published.server.content = evil.read_bytes()
    assert "is a symbolic link, so nothing is unpacked" in published.fails()
    assert not published.out.exists()
    assert [path.name for path in published.partial.iterdir() if path.name != "lock"] == [
        "archive.zip",
        "archive.zip.json",
    ]


def test_an_archive_of_another_layout_is_refused(published: Published, tmp_path: Path) -> None:
    write_image(tmp_path / "other" / "images" / "training" / "a.jpg")
    pack(tmp_path / "other", tmp_path / "other.zip", "ADEChallengeData2016")
    published.source = describe(tmp_path / "other.zip", published.server.url)
    message = published.fails(tmp_path / "other.zip")
    assert "does not have the layout of ADE20K with the splits training and validation" in message
    assert not published.out.exists()


def test_leftovers_of_a_killed_run_are_replaced(published: Published) -> None:
    leftover = published.partial / "unpacked" / "images" / "training" / "old.jpg"
    leftover.parent.mkdir(parents=True)
    leftover.write_text("old")
    assert published.download().files == FILES
    assert not list(published.out.rglob("old.jpg"))


def test_two_downloads_to_one_folder_exclude_each_other(published: Published) -> None:
    with lock_folder(published.partial, "this data set"):
        assert "another process is writing this data set; wait" in published.fails()
    assert published.download().is_new


def test_pascal_voc_is_unpacked_from_its_inner_folder(tmp_path: Path) -> None:
    write_voc2012(tmp_path / "voc")
    with tarfile.open(tmp_path / "voc.tar", "w") as packed:
        packed.add(tmp_path / "voc", "VOCdevkit/VOC2012")
    source = replace(
        describe(tmp_path / "voc.tar", "http://no-such-host.invalid/voc.tar"),
        layout=Voc2012Data(),
        folder=PurePosixPath("VOCdevkit", "VOC2012"),
    )
    done = download(source, tmp_path / "new", url=str(tmp_path / "voc.tar"))
    assert isinstance(recognise(done.root), Voc2012Data)
    record = json.loads((done.root / ".sceneparse.json").read_bytes())
    assert record == {"checksum": str(source.checksum), "files": done.files}


def test_sources_are_complete() -> None:
    for name, source in SOURCES.items():
        assert len(source.checksum.digest) == {"sha1": 40, "sha256": 64}[source.checksum.algorithm]
        assert int(source.checksum.digest, 16)
        assert source.archive_bytes <= source.unpacked_bytes
        assert all(url.endswith(source.archive_name) for url in source.urls), name


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("cityscapes", "has no archive with a plain link and a published checksum"),
        ("nonsense", "no such data set; expected ade20k or voc2012"),
    ],
)
def test_unknown_names_are_told(name: str, says: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=says):
        download(name, tmp_path / "out")
