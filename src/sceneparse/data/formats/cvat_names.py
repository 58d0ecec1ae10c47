"""Names that both formats of CVAT share: of subsets, and of the label of unlabelled pixels."""

from collections.abc import Iterable

from sceneparse.data.split_names import split_named
from sceneparse.errors import InputError
from sceneparse.labels import Labels

# CVAT knows no unlabelled pixels, and Datumaro, which writes its masks, calls those of VOC so.
IGNORED = "ignored"
IGNORED_NOTE = f"pixels of the label `{IGNORED}` are taken as not labelled"
_DEFAULT = "default"
_SUBSETS = {"training": "Train", "validation": "Validation", "test": "Test", "": _DEFAULT}


def subset_name(split: str) -> str:
    """Return the name that CVAT gives to the subset of a split."""
    return _SUBSETS.get(split, split)


def splits_of_subsets(subsets: Iterable[str], source: str, fix: str) -> dict[str, str]:
    """Return the split of each subset; it is empty for a single one that is for none.

    Args:
        subsets: The names of the subsets; empty for images without one.
        source: The file or folder that names them, for messages.
        fix: How to give them other names.

    Raises:
        InputError: If one of several is for no split.
    """
    splits = {subset: split_named(subset) for subset in subsets}
    unnamed = sorted(subset or _DEFAULT for subset, split in splits.items() if not split)
    if unnamed and len(splits) > 1:
        raise InputError(
            f"{source}: the subset `{unnamed[0]}` is one of {len(splits)}, but its name is not "
            f"that of a split; expected Train, Validation or Test; {fix}"
        )
    return splits


def check_writable(labels: Labels) -> None:
    """Check that no class has the name of unlabelled pixels.

    Raises:
        InputError: If one has.
    """
    if IGNORED in labels.class_names:
        raise InputError(
            f"the class `{IGNORED}` cannot be written for CVAT, where this label stands for pixels "
            "that are not labelled; rename the class"
        )


def is_unicode(name: str) -> bool:
    """Return whether a name can be stored as UTF-8, unlike some names of files."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
