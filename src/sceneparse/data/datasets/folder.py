"""Own images: a folder with `images`, `masks` and `labels.yaml`.

```
ROOT/labels.yaml            classes: [background, cat, dog]     # the id of each is its index
                            ignored_ids: [255]
ROOT/images/*.jpg           or images/training and images/validation
ROOT/masks/*.png            the same names; one class id per pixel (grey or palette PNG)
```

`classes` may also be a mapping from id to name, or a list of `{id, name, color}`. Without folders
`training` and `validation`, a share of the images is held out for validation. The split of an image
depends on its name alone, so that adding images does not move others between splits.
"""

import hashlib
import os
from pathlib import Path
from typing import Annotated

from annotated_types import Gt, Lt

from sceneparse.data.dataset import PairedFiles, pair_folders
from sceneparse.data.datasets.published import CacheChoice
from sceneparse.errors import InputError
from sceneparse.labels import Labels
from sceneparse.labels.label_files import labels_from_text
from sceneparse.system.settings import UserPath, settings


@settings
class FolderData:
    """Your own images: `images`, `masks` and `labels.yaml`."""

    root: UserPath
    """Folder that holds them."""
    validation_share: Annotated[float, Gt(0), Lt(1)] = 0.2
    """Share of images held out where the folder has no `training` and `validation` of its own."""
    cache: CacheChoice = "auto"
    """`auto`: pixels that `sceneparse data cache` decoded, if they fit; `off`; or their folder."""


def folder(root: Path, split: str, validation_share: float = 0.2) -> PairedFiles:
    """Open one split of a folder.

    Args:
        root: The folder.
        split: `training`, `validation`, or another folder below `images`.
        validation_share: Share in 0..1 of images held out if the folder has no splits; each split
            has at least one image.

    Raises:
        InputError: If the layout differs, or images and masks do not pair.
    """
    labels = folder_labels(root)
    images, masks = root / "images", root / "masks"
    if (images / split).is_dir() or (masks / split).is_dir():
        return pair_folders(images / split, masks / split, labels, split)
    return _split_by_name(unsplit_folder(root), root, split, validation_share)


def unsplit_folder(root: Path) -> PairedFiles:
    """Open all images of a folder without splits.

    Raises:
        InputError: If the layout differs, or images and masks do not pair.
    """
    return pair_folders(root / "images", root / "masks", folder_labels(root))


def is_folder_dataset(root: Path) -> bool:
    """Return whether a folder has the layout of own images, and not that of ADE20K."""
    if (root / "labels.yaml").is_file():
        return True
    return (root / "images").is_dir() and not (root / "annotations").is_dir()


def folder_labels(root: Path) -> Labels:
    """Read the labels of a folder.

    Raises:
        InputError: If `labels.yaml` does not exist or does not name the classes.
    """
    path = root / "labels.yaml"
    if not root.is_dir():
        raise InputError(f"{root}: no such folder; set data.root")
    if not path.is_file():
        raise InputError(
            f"{path}: no such file; write the class names there, such as "
            "`classes: [background, cat, dog]`"
        )
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not YAML in UTF-8 ({error})") from None
    return labels_from_text(text, str(path))


def _split_by_name(
    pairs: PairedFiles, root: Path, split: str, validation_share: float
) -> PairedFiles:
    if split not in ("training", "validation"):
        raise InputError(f"{root / 'images' / split}: no such folder")
    positions = [_position_of_name(image.stem) for image in pairs.images]
    order = sorted(range(len(pairs)), key=positions.__getitem__)
    count = sum(position < validation_share for position in positions)
    count = max(1, min(count, len(pairs) - 1))
    chosen = sorted(order[:count] if split == "validation" else order[count:])
    if not chosen:
        raise InputError(
            f"{root / 'images'}: one image is too few for training and validation; add images"
        )
    return pairs.select(chosen)


def _position_of_name(name: str) -> float:
    """Hash a name to a uniformly distributed number in 0..1."""
    return int.from_bytes(hashlib.sha256(os.fsencode(name)).digest()[:6], "big") / 2**48
