"""Data sets that anyone may download, with facts about their archives.

A data set is listed if its archive has a plain link and a published checksum. Sizes and checksums
are those that other projects publish:

- `ADEChallengeData2016.zip`: the SHA-1 is in `scripts/datasets/ade20k.py` of GluonCV. The size is
  that of users' copies; GluonCV states 923 MiB, and 2.3 GB for this archive, the archive of the
  test images and all unpacked files.
- `VOCtrainval_11-May-2012.tar`: size and SHA-256 are in `url_checksums/voc.txt` of TensorFlow
  Datasets, and the addresses there and in `torchvision/datasets/voc.py`.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import NamedTuple
from urllib.parse import urlsplit

from sceneparse.data.datasets.ade20k import Ade20kData
from sceneparse.data.datasets.file_data import PublishedData
from sceneparse.data.datasets.voc2012 import Voc2012Data
from sceneparse.data.download.archives import Limits
from sceneparse.data.settings import DATASETS
from sceneparse.errors import InputError

_CHUNK = 1 << 20


class Checksum(NamedTuple):
    """The checksum of a file.

    Attributes:
        algorithm: Name of the algorithm, as in `hashlib`.
        digest: The checksum in hexadecimal digits.
    """

    algorithm: str
    digest: str

    def of(self, path: Path, report: Callable[[int], object]) -> "Checksum":
        """Compute the checksum of a file by the same algorithm.

        Args:
            path: The file.
            report: Called with the number of bytes that have been read.
        """
        computed = hashlib.new(self.algorithm, usedforsecurity=False)
        done = 0
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                computed.update(chunk)
                done += len(chunk)
                report(done)
        return Checksum(self.algorithm, computed.hexdigest())

    def __str__(self) -> str:
        """Write algorithm and digits."""
        return f"{self.algorithm} {self.digest}"


@dataclass(frozen=True)
class Source:
    """A published data set, and its archive.

    Attributes:
        layout: Layout of the data set; its `root` is the folder that is used by default.
        urls: Addresses of the archive, in the order in which they are tried.
        archive_bytes: Size of the archive.
        checksum: Checksum of the archive.
        folder: The folder within the archive that becomes the root of the data set.
        unpacked_bytes: About how many bytes the unpacked files take. Archives with more than twice
            as many are refused.
        terms: The terms of use, in a sentence.
        max_members: Archives with more files and folders are refused.
    """

    layout: PublishedData
    urls: tuple[str, ...]
    archive_bytes: int
    checksum: Checksum
    folder: PurePosixPath
    unpacked_bytes: int
    terms: str
    max_members: int = 100_000

    @property
    def archive_name(self) -> str:
        """Name of the archive's file."""
        return PurePosixPath(urlsplit(self.urls[0]).path).name or "archive"

    @property
    def limits(self) -> Limits:
        """What the archive may hold."""
        return Limits(members=self.max_members, total_bytes=2 * self.unpacked_bytes)


SOURCES = {
    "ade20k": Source(
        layout=Ade20kData(),
        urls=(
            "https://data.csail.mit.edu/places/ADEchallenge/ADEChallengeData2016.zip",
            "http://data.csail.mit.edu/places/ADEchallenge/ADEChallengeData2016.zip",
        ),
        archive_bytes=967_382_037,
        checksum=Checksum("sha1", "219e1696abb36c8ba3a3afe7fb2f4b4606a897c7"),
        folder=PurePosixPath("ADEChallengeData2016"),
        unpacked_bytes=1_200_000_000,
        terms="the images of ADE20K are for non-commercial research and education only",
    ),
    "voc2012": Source(
        layout=Voc2012Data(),
        urls=(
            "https://thor.robots.ox.ac.uk/pascal/VOC/voc2012/VOCtrainval_11-May-2012.tar",
            "http://host.robots.ox.ac.uk/pascal/VOC/voc2012/VOCtrainval_11-May-2012.tar",
            "http://pjreddie.com/media/files/VOCtrainval_11-May-2012.tar",
        ),
        archive_bytes=1_999_639_040,
        checksum=Checksum(
            "sha256", "e14f763270cf193d0b5f74b169f44157a4b0c6efa708f4dd0ff78ee691763bcb"
        ),
        folder=PurePosixPath("VOCdevkit", "VOC2012"),
        unpacked_bytes=1_999_639_040,
        terms="the images of Pascal VOC come from Flickr and are under its terms of use",
    ),
}


def find_source(name: str) -> Source:
    """Return the archive of a published data set.

    Args:
        name: Its `data.kind`.

    Raises:
        InputError: If none is known.
    """
    if name in SOURCES:
        return SOURCES[name]
    known = " or ".join(SOURCES)
    if name in DATASETS:
        raise InputError(
            f"{name}: has no archive with a plain link and a published checksum; expected {known}; "
            f"docs/datasets.md says where the files of {DATASETS[name].title} go"
        )
    raise InputError(f"{name}: no such data set; expected {known}")
