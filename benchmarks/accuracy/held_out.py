"""Holds out training images, so that choices do not depend on the validation images."""

import hashlib
import os
import shutil
from pathlib import Path

from sceneparse.data.datasets.ade20k import ade20k
from sceneparse.errors import InputError


def held_out_dataset(root: Path, view: Path, count: int) -> None:
    """Make a data set of links to training images; the held-out images are its validation split.

    A digest of the names chooses the held-out images: the choice is the same on every machine, and
    changes little if a few images are added or removed.

    Args:
        root: A folder in the layout of ADE20K.
        view: The folder to write, in the same layout; an existing one is replaced.
        count: Number of images to hold out.

    Raises:
        InputError: If `root` has another layout, or too few images.
    """
    files = ade20k(root.resolve(), "training")
    if count >= len(files):
        raise InputError(
            f"{root}: found {len(files)} training images, expected more than "
            f"{count}; hold out fewer"
        )
    held_out = set(sorted(files.names, key=_digest)[:count])
    shutil.rmtree(view, ignore_errors=True)
    for kind, paths in (
        ("images", files.images),
        ("annotations", [each.path for each in files.annotations]),
    ):
        for split in ("training", "validation"):
            (view / kind / split).mkdir(parents=True)
        for path in paths:
            split = "validation" if path.stem in held_out else "training"
            (view / kind / split / path.name).symlink_to(path)


def _digest(name: str) -> bytes:
    return hashlib.sha256(os.fsencode(name)).digest()
