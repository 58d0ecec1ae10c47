"""Convert a data set between annotation formats."""

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from sceneparse.data.dataset import PairedFiles
from sceneparse.data.datasets.file_data import FileData
from sceneparse.data.datasets.folder import MASKS
from sceneparse.data.formats import own_folder
from sceneparse.data.formats.annotation_format import LabelledImage
from sceneparse.data.formats.rasterizer import read_counting
from sceneparse.data.formats.registry import FORMATS, format_named
from sceneparse.data.io.decode import image_header
from sceneparse.data.loader import prefetch
from sceneparse.errors import InputError
from sceneparse.factory.data import find_data
from sceneparse.labels import Labels, Mask
from sceneparse.recording.events import Callback, Message, ignore, tracked
from sceneparse.system.files import create_folder, require_empty_folder, require_free_space
from sceneparse.system.paths import expand_user


@dataclass(frozen=True)
class Converted:
    """What was converted.

    Attributes:
        out: The new folder.
        images: Number of images of each split; its name is empty if there are no splits.
        labels: The classes.
        pixels: Number of pixels of all masks.
        overlapped: Number of pixels in shapes of different classes.
        without_area: Number of shapes that were left out because they have no area.
    """

    out: Path
    images: Mapping[str, int]
    labels: Labels
    pixels: int
    overlapped: int
    without_area: int

    def __str__(self) -> str:
        """Say what was written, overlapped and left out."""
        counts = ", ".join(f"{count} {name}".strip() for name, count in self.images.items())
        lines = [f"{self.out}: {counts} images, {self.labels.num_classes} classes"]
        if self.overlapped:
            share = self.overlapped / self.pixels
            lines.append(
                f"{self.overlapped:,} pixels ({share:.2%}) lie in shapes of different classes, and "
                "take the class of the one on top"
            )
        if self.without_area:
            lines.append(f"{self.without_area} shapes without an area are left out")
        return "\n".join(lines)


def convert(
    data: str | Path,
    out: str | Path,
    *,
    to: str = MASKS,
    overrides: Sequence[str] = (),
    callback: Callback = ignore,
) -> Converted:
    """Write the images and annotations of a data set to a new folder in another format.

    Image files are copied as they are.

    Args:
        data: A published data set, a folder of your own in any format, or the config of a run.
        out: The new folder; it appears once it is complete.
        to: Name of the format; `masks` for `images`, `masks` and `labels.yaml`.
        overrides: How to read the data, as `data.field=value`.
        callback: Called with each event.

    Raises:
        InputError: If the data have faults, the format is unknown, or the folder is not empty or
            cannot be written.

    Example:
        >>> sceneparse.convert(
        ...     "labelme", "mydata", overrides=["data.uncovered=background"]
        ... )  # doctest: +SKIP
    """
    if to not in (MASKS, *FORMATS):
        raise InputError(f"format `{to}`: expected {MASKS}, {', '.join(FORMATS)}", "to")
    write = own_folder.write if to == MASKS else format_named(to).write
    found = find_data(expand_user(data), overrides)
    out = expand_user(out)
    require_empty_folder(out)
    splits = found.all_splits()
    _check_disk_space(out, splits)
    counter = _Counter(found, callback)
    partial = out.with_name(f".{out.name}.{uuid4().hex[:8]}.partial")
    try:
        create_folder(partial)
        labels = next(iter(splits.values())).labels
        write(partial, counter.read(splits), labels)
        if out.exists():
            out.rmdir()
        partial.rename(out)
    except OSError as error:
        raise InputError(
            f"{out}: cannot be written ({error.strerror}); nothing is left behind; choose a folder "
            "on a disk with more space, to which you may write"
        ) from None
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    for note in _notes(found, splits, out):
        callback(Message(note))
    return Converted(
        out,
        {name: len(files) for name, files in splits.items()},
        labels,
        counter.pixels,
        counter.overlapped,
        counter.without_area,
    )


class _Counter:
    """Reads the masks of all splits, and counts what a user should know."""

    def __init__(self, data: FileData, callback: Callback) -> None:
        self.pixels = self.overlapped = self.without_area = 0
        self._data = data
        self._callback = callback

    def read(self, splits: Mapping[str, PairedFiles]) -> Iterator[LabelledImage]:
        """Yield the images of all splits with their masks."""
        for name, files in splits.items():
            threads = min(8, os.cpu_count() or 1)
            masks = prefetch(
                lambda index, files=files: _counted_mask(files, index),
                range(len(files)),
                threads=threads,
                ahead=2 * threads,
            )
            shown = tracked(masks, self._callback, name or "images", len(files))
            for index, (mask, overlapped, without_area) in enumerate(shown):
                self.pixels += mask.size
                self.overlapped += overlapped
                self.without_area += without_area
                yield LabelledImage(files.names[index], name, files.images[index], mask)


def _counted_mask(files: PairedFiles, index: int) -> tuple[Mask, int, int]:
    """Read a mask of train ids, the pixels in several shapes, and the shapes without area."""
    annotation = files.annotations[index]
    counted = read_counting(annotation)
    header = image_header(files.images[index], files.reading)
    files.check_sizes(index, header, counted.raw.shape)
    try:
        mask = files.labels.encode(counted.raw)
    except InputError as error:
        raise InputError(f"{annotation.path}: {error}") from None
    return mask, counted.overlapped, counted.without_area


def _check_disk_space(out: Path, splits: Mapping[str, PairedFiles]) -> None:
    needed = sum(path.stat().st_size for files in splits.values() for path in files.images)
    require_free_space(out, needed, "the images alone have")


def _notes(data: FileData, splits: Mapping[str, PairedFiles], out: Path) -> Iterator[str]:
    """Yield what a user should know about how the data were read, and must set again."""
    yield from dict.fromkeys(note for files in splits.values() for note in files.notes)
    if data.exif_orientation == "ignore":
        yield f"set data.exif_orientation=ignore in runs on {out} too: images are copied"
    if data.image_range is not None:
        low, high = data.image_range
        yield f"set data.image_range=[{low:g}, {high:g}] in runs on {out} too: images are copied"
    if data.bands is not None:
        yield f"set data.bands={list(data.bands)} in runs on {out} too: images are copied"
