"""A part of the training images to score on, so that choices are not made on validation."""

import hashlib
import os
import shutil
from pathlib import Path

from sceneparse.data.datasets.ade20k import ade20k
from sceneparse.errors import InputError


def held_out_view(root: Path, view: Path, count: int) -> None:
    """Make a data set of links to training images, some of which are its validation split.

    Which ones is told by a digest of their names alone: it is the same everywhere, and near to it
    with a few images more or fewer.

    Args:
        root: A folder in the layout of ADE20K.
        view: The folder to be made in the same layout; what is there is made anew.
        count: Number of images held out.

    Raises:
        InputError: If the images of `root` are not as they should be, or too few.
    """
    files = ade20k(root.resolve(), "training")
    if count >= len(files):
        raise InputError(f"{root}: {len(files)} training images; hold out fewer than {count}")
    held_out = set(sorted(files.names, key=_digest)[:count])
    shutil.rmtree(view, ignore_errors=True)
    for kind, paths in (("images", files.images), ("annotations", files.masks)):
        for split in ("training", "validation"):
            (view / kind / split).mkdir(parents=True)
        for path in paths:
            split = "validation" if path.stem in held_out else "training"
            (view / kind / split / path.name).symlink_to(path)


def _digest(name: str) -> bytes:
    return hashlib.sha256(os.fsencode(name)).digest()
