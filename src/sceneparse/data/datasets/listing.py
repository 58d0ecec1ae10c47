"""Finding the files of published data sets, by lists of names or in nested folders."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from sceneparse.data.file_listing import files_by_stem, subfolder_hint
from sceneparse.data.io.decode import IMAGE_SUFFIXES
from sceneparse.errors import InputError
from sceneparse.system.files import read_short_text


def read_split_list(path: Path, fix: str) -> tuple[str, ...]:
    """Read the image names of a split from a list with one name per line.

    A line may also be the path of an image, or the paths of an image and its mask, as in lists of
    other projects; the name is that of the image without folder and suffix.

    Args:
        path: The list.
        fix: Advice for the message if the list does not exist.

    Raises:
        InputError: If the list does not exist, is empty, or holds a name twice.
    """
    try:
        lines = read_short_text(path, 2**28).splitlines()
    except FileNotFoundError:
        raise InputError(
            f"{path}: no such list{subfolder_hint(path.parent.parent)}; {fix}"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read ({error}); {fix}") from None
    names = [_name(line.split()[0]) for line in lines if line.strip()]
    if not names:
        raise InputError(f"{path}: names no images; {fix}")
    if len(set(names)) < len(names):
        duplicate = next(name for directory, name in enumerate(names) if name in names[:directory])
        raise InputError(f"{path}: names {duplicate} twice; remove one of the lines")
    return tuple(names)


def find_named_files(
    names: Sequence[str], source: Path, folders: Sequence[Path], suffixes: frozenset[str], fix: str
) -> dict[str, Path]:
    """Find the file of each name, in the first folder that has it.

    Args:
        names: Names of the files, without suffix.
        source: The list of the names, for messages.
        folders: Folders to search; all must exist.
        suffixes: Accepted suffixes, in lower case.
        fix: Advice for the message if a file or folder is missing.

    Raises:
        InputError: If a file or a folder is missing.
    """
    found: dict[str, Path] = {}
    for folder in reversed(folders):
        if not folder.is_dir():
            raise InputError(f"{folder}: no such folder{subfolder_hint(folder.parent)}; {fix}")
        found |= files_by_stem(folder, suffixes, only=set(names))
    missing = [name for name in names if name not in found]
    if missing:
        more = f" (and {len(missing) - 1} more)" if len(missing) > 1 else ""
        searched = " or ".join(map(str, folders))
        raise InputError(f"{source}: names {missing[0]}{more}, which is not in {searched}; {fix}")
    return found


def find_files_below(folder: Path, ending: str, fix: str) -> dict[str, Path]:
    """List the files with an ending in a folder and all folders below, by name without the ending.

    A folder with the same name as a file beside it is skipped: it holds details of one image.

    Args:
        folder: The topmost folder.
        ending: Ending of the file names, such as `_labelIds.png`.
        fix: Advice for the message if there are no such files.

    Raises:
        InputError: If the folder does not exist, has no such file, or a name occurs twice.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder{subfolder_hint(folder.parent)}; {fix}")
    files: dict[str, Path] = {}
    for directory, folders, names in os.walk(folder):
        stems = {name.rpartition(".")[0] for name in names}
        folders[:] = sorted(name for name in folders if name not in stems)
        _add(files, Path(directory), [name for name in names if name.endswith(ending)], ending)
    if not files:
        raise InputError(f"{folder}: no files below it that end in {ending}; {fix}")
    return files


def unknown_split_error(split: str, known: Mapping[str, object]) -> InputError:
    """Return the error for a split that a data set does not have."""
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
    """Return the name of an image from its name or path in a list."""
    path = PurePosixPath(word)
    return path.stem if path.suffix.lower() in IMAGE_SUFFIXES else path.name
