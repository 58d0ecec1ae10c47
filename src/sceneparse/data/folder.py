"""Your own pictures: a folder with `images`, `masks` and `labels.yaml`. No code.

```
ROOT/labels.yaml            classes: [background, cat, dog]     # the id of each is its place
                            ignored_ids: [255]
ROOT/images/*.jpg           or images/training and images/validation
ROOT/masks/*.png            the same names; one class id per pixel (grey or palette PNG)
```

`classes` may also be a mapping from id to name, or a list of `{id, name, color}`. Without folders
`training` and `validation`, a fixed share of the pictures is held out for validation: which ones
depends on their names alone, so that adding pictures does not move the others.
"""

import hashlib
from pathlib import Path

import yaml

from sceneparse.data.dataset import PairedFiles, pair_files
from sceneparse.errors import InputError
from sceneparse.labels import Labels


def folder(root: Path, split: str, validation_share: float = 0.2) -> PairedFiles:
    """Open one split of a folder.

    Args:
        root: The folder.
        split: `training` or `validation`, or any other that the folder has below `images`.
        validation_share: Share of pictures held out where the folder has no splits, in 0..1.

    Raises:
        InputError: If the layout is another, or pictures and masks do not pair.
    """
    labels = folder_labels(root)
    images, masks = root / "images", root / "masks"
    if (images / split).is_dir() or (masks / split).is_dir():
        return pair_files(images / split, masks / split, labels)
    return _held_out(pair_files(images, masks, labels), root, split, validation_share)


def folder_labels(root: Path) -> Labels:
    """Read the class names of a folder.

    Raises:
        InputError: If there is no `labels.yaml`, or it does not name the classes.
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
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise InputError(f"{path}: not YAML ({error})") from None
    return Labels.from_mapping(document, str(path))


def _held_out(pairs: PairedFiles, root: Path, split: str, validation_share: float) -> PairedFiles:
    if split not in ("training", "validation"):
        raise InputError(f"{root / 'images' / split}: no such folder")
    order = sorted(range(len(pairs)), key=lambda index: _digest(pairs.images[index].stem))
    count = max(1, round(validation_share * len(pairs)))
    chosen = sorted(order[:count] if split == "validation" else order[count:])
    if not chosen:
        raise InputError(
            f"{root / 'images'}: {len(pairs)} picture is too few to hold one out for validation; "
            "add pictures"
        )
    return PairedFiles(
        images=tuple(pairs.images[index] for index in chosen),
        masks=tuple(pairs.masks[index] for index in chosen),
        labels=pairs.labels,
    )


def _digest(name: str) -> bytes:
    return hashlib.sha256(name.encode()).digest()
