"""Finding the image file that an annotation names, never outside of its folder."""

import os
import unicodedata
from collections import defaultdict
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path, PurePosixPath

from sceneparse.data.formats.format import AnnotatedImage
from sceneparse.data.io.decode import IMAGE_SUFFIXES
from sceneparse.data.pairing import visible_files
from sceneparse.errors import InputError


class ImageFinder:
    """The image files below a folder, to be found by the paths in annotation files.

    Annotation files hold paths of the machine that wrote them: relative to something else, with
    backslashes, as URLs, or absolute.

    Attributes:
        root: The folder.
    """

    def __init__(self, root: Path) -> None:
        """Take the folder of the data set."""
        self.root = root

    def find(self, written: str, beside: Path, source: Path) -> Path:
        """Return the image file that an annotation names.

        A file at that path, relative to `beside`, is taken if it lies in the data set. Otherwise
        the only image of that name is.

        Args:
            written: The path as it is written.
            beside: The folder that it may be relative to.
            source: The annotation file, for messages.

        Raises:
            InputError: If there is no such image, or several.
        """
        path = PurePosixPath(written.replace("\\", "/"))
        near = Path(os.path.normpath(beside / path))
        if near.is_relative_to(self.root) and near.is_file():
            return near
        found = self._by_name.get(_folded(path.name), [])
        ending = "/" + _folded(path.as_posix()).lstrip("/")
        exact = [each for each in found if _folded(f"/{each.as_posix()}").endswith(ending)]
        candidates = exact if len(exact) == 1 else found
        if len(candidates) != 1:
            what = f"there are {len(found)} of this name" if found else "it is not there"
            raise InputError(
                f"{source}: names the image {written[-200:]}, but {what} below {self.root}; "
                "put the images of the data set there, each with the name that the annotations "
                "give it"
            )
        return candidates[0]

    def name(self, image: Path, below: Path | None = None) -> str:
        """Return the name of a sample: the path of its image without suffix.

        Args:
            image: The image file.
            below: The folder of the images; none for that of the data set.
        """
        folder = below or self.root
        relative = image.relative_to(folder) if image.is_relative_to(folder) else Path(image.name)
        return unicodedata.normalize("NFC", relative.with_suffix("").as_posix())

    def unused_notes(self, images: Iterable[AnnotatedImage]) -> list[str]:
        """Return a note if images below the folder have no annotation, else nothing."""
        used = {path for each in images for path in (each.image, each.annotation.path)}
        unused = [path for paths in self._by_name.values() for path in paths if path not in used]
        if not unused:
            return []
        example = unused[0].relative_to(self.root)
        return [f"{len(unused)} images have no annotation and are left out, such as {example}"]

    @cached_property
    def _by_name(self) -> dict[str, list[Path]]:
        found: dict[str, list[Path]] = defaultdict(list)
        for directory, _, name in visible_files(self.root):
            if name[name.rfind(".") :].lower() in IMAGE_SUFFIXES:
                found[_folded(name)].append(Path(directory, name))
        return found


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()
