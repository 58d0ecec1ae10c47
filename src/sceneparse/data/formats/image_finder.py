"""Finding the image file that an annotation names, never outside of its folder."""

import os
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path, PurePosixPath

from sceneparse.data.file_listing import visible_files
from sceneparse.data.formats.annotation_format import AnnotatedImage
from sceneparse.data.io.decode import IMAGE_SUFFIXES
from sceneparse.errors import InputError


class ImageFinder:
    """The image files below a folder, to be found by the paths in annotation files.

    Annotation files hold paths of the machine that wrote them: relative to something else, with
    backslashes, as URLs, or absolute.

    Attributes:
        root: The folder.
    """

    def __init__(self, root: Path, without: Sequence[Path] = ()) -> None:
        """Take the folder of the data set, and folders in it whose images are masks."""
        self.root = root
        self._without = without

    def find(
        self, written: str, beside: Path, source: Path, or_beside: Sequence[Path] = ()
    ) -> Path:
        """Return the image file that an annotation names.

        A file at that path, relative to `beside`, is taken if it lies in the data set. Otherwise
        the only image of that name is. A name without the suffix of an image stands for any suffix.

        Args:
            written: The path as it is written.
            beside: The folder that it may be relative to.
            source: The annotation file, for messages.
            or_beside: More folders that it may be relative to.

        Raises:
            InputError: If there is no such image, or several.
        """
        candidates = self.candidates(written, beside, or_beside)
        if len(candidates) != 1:
            what = f"there are {len(candidates)} of this name" if candidates else "it is not there"
            raise InputError(
                f"{source}: names the image {written[-200:]}, but {what} below {self.root}; "
                "put the images of the data set there, each with the name that the annotations "
                "give it"
            )
        return candidates[0]

    def candidates(
        self, written: str, beside: Path, or_beside: Sequence[Path] = ()
    ) -> Sequence[Path]:
        """Return the image files that an annotation may name: one, several or none.

        Args:
            written: The path as it is written.
            beside: The folder that it may be relative to.
            or_beside: More folders that it may be relative to.
        """
        path = PurePosixPath(written.replace("\\", "/"))
        named = [self._below_root(folder / path) for folder in (beside, *or_beside)]
        places = [place for place in named if place is not None]
        for near in places:
            if _is_file(near):
                return [near]
        name, ending = _folded(path.name), "/" + _folded(path.as_posix()).lstrip("/")
        found = self._by_name.get(name) or self._by_stem.get(name, {})
        choices = [[each for each in found if found[each] == _folded(str(near))] for near in places]
        choices.append([each for each in found if f"/{found[each]}".endswith(ending)])
        return next((each for each in choices if len(each) == 1), list(found))

    def name(self, image: Path, below: Path | None = None) -> str:
        """Return the name of a sample: the path of its image without suffix.

        Args:
            image: The image file.
            below: The folder of the images; none for that of the data set.
        """
        folder = below or self.root
        relative = image.relative_to(folder) if image.is_relative_to(folder) else Path(image.name)
        return unicodedata.normalize("NFC", relative.with_suffix("").as_posix())

    def unused_notes(
        self, images: Iterable[AnnotatedImage], besides: Iterable[Path] = ()
    ) -> list[str]:
        """Return a note if images below the folder have no annotation, else nothing.

        Args:
            images: The annotated images.
            besides: Image files that need no annotation, such as masks.
        """
        used = {path for each in images for path in (each.image, each.annotation.path)}
        used.update(besides)
        unused = [path for paths in self._by_name.values() for path in paths if path not in used]
        if not unused:
            return []
        example = unused[0].relative_to(self.root)
        return [f"{len(unused)} images have no annotation and are left out, such as {example}"]

    def _below_root(self, path: Path) -> Path | None:
        """Return a path as one below the root, without `..`; none if it leads out of it."""
        # Absolute, because the root may be `.` or begin with `..`.
        root, absolute = self._absolute_root, _absolute(path)
        return self.root / absolute.relative_to(root) if absolute.is_relative_to(root) else None

    @cached_property
    def _absolute_root(self) -> Path:
        return _absolute(self.root)

    @cached_property
    def _by_name(self) -> dict[str, dict[Path, str]]:
        """The images of each name, with their paths for comparison."""
        found: dict[str, dict[Path, str]] = defaultdict(dict)
        for directory, _, name in visible_files(self.root):
            is_image = name[name.rfind(".") :].lower() in IMAGE_SUFFIXES
            if is_image and not any(Path(directory).is_relative_to(each) for each in self._without):
                path = Path(directory, name)
                found[_folded(name)][path] = _folded(path.as_posix())
        return found

    @cached_property
    def _by_stem(self) -> dict[str, dict[Path, str]]:
        """The same without suffixes."""
        found: dict[str, dict[Path, str]] = defaultdict(dict)
        for paths in self._by_name.values():
            for path in paths:
                without_suffix = path.with_suffix("")
                found[_folded(without_suffix.name)][path] = _folded(without_suffix.as_posix())
        return found


def _absolute(path: Path) -> Path:
    """Return an absolute path without `..`, whose links stay as they are."""
    return Path(os.path.normpath(path.absolute()))


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:
        # An annotation may name what no file system can hold.
        return False


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()
