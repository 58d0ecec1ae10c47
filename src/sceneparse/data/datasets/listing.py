"""Files of published data sets: named in lists, or spread over folders."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from sceneparse.data.dataset import files_by_stem, folders_in
from sceneparse.data.io.decode import IMAGE_SUFFIXES
from sceneparse.errors import InputError


def listed_names(path: Path, fix: str) -> tuple[str, ...]:
    """Read the names that a list of a split holds, one in each line.

    A line may also be a path, or a path of an image and one of its mask, as in lists that others
    made of the same images: the name of the image counts, without folder and ending.

    Args:
        path: The list.
        fix: What to do where there is none.

    Raises:
        InputError: If there is none, it is empty, or it holds a name twice.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        raise InputError(f"{path}: no such list{folders_in(path.parent.parent)}; {fix}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read ({error}); {fix}") from None
    names = [_name(line.split()[0]) for line in lines if line.strip()]
    if not names:
        raise InputError(f"{path}: names no images; {fix}")
    if len(set(names)) < len(names):
        twice = next(name for place, name in enumerate(names) if name in names[:place])
        raise InputError(f"{path}: names {twice} twice; remove one of the lines")
    return tuple(names)


def named_files(
    names: Sequence[str], source: Path, folders: Sequence[Path], suffixes: frozenset[str], fix: str
) -> dict[str, Path]:
    """Find the file of each name: in the first of the folders that has it.

    Args:
        names: What to look for.
        source: The list that the names are from, for messages.
        folders: Where to look; all must be there.
        suffixes: Endings to look for, in small letters.
        fix: What to do where one is missing.

    Raises:
        InputError: If one is missing, or a folder is.
    """
    found: dict[str, Path] = {}
    for folder in reversed(folders):
        if not folder.is_dir():
            raise InputError(f"{folder}: no such folder{folders_in(folder.parent)}; {fix}")
        found |= files_by_stem(folder, suffixes, only=set(names))
    missing = [name for name in names if name not in found]
    if missing:
        more = f" (and {len(missing) - 1} more)" if len(missing) > 1 else ""
        places = " or ".join(map(str, folders))
        raise InputError(f"{source}: names {missing[0]}{more}, which is not in {places}; {fix}")
    return found


def files_below(folder: Path, ending: str, fix: str) -> dict[str, Path]:
    """List the files with an ending in all folders below one, by their names without it.

    A folder that has the name of an image beside it holds what belongs to that image alone, and
    is not entered.

    Args:
        folder: The topmost folder.
        ending: What the names end in, such as `_labelIds.png`.
        fix: What to do where there are none.

    Raises:
        InputError: If there is no such folder, nothing in it, or a name twice.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder{folders_in(folder.parent)}; {fix}")
    files: dict[str, Path] = {}
    for place, folders, names in os.walk(folder):
        stems = {name.rpartition(".")[0] for name in names}
        folders[:] = sorted(name for name in folders if name not in stems)
        _add(files, Path(place), [name for name in names if name.endswith(ending)], ending)
    if not files:
        raise InputError(f"{folder}: no files below it that end in {ending}; {fix}")
    return files


def split_problem(split: str, known: Mapping[str, object]) -> InputError:
    """Make the error of a split that a data set does not have."""
    return InputError(f"split `{split}`: this data set has {', '.join(known)}")


def _add(files: dict[str, Path], folder: Path, names: Sequence[str], ending: str) -> None:
    for name in names:
        key = name.removesuffix(ending)
        if name.startswith("."):
            continue
        if key in files:
            raise InputError(
                f"{folder / name}: {files[key]} has the same name; names must be unique in a "
                "split; remove or rename one"
            )
        files[key] = folder / name


def _name(word: str) -> str:
    """Return the name of an image that a list names alone or as a path."""
    path = PurePosixPath(word)
    return path.stem if path.suffix.lower() in IMAGE_SUFFIXES else path.name
