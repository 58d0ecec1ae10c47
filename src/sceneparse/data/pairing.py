"""Pairing of image files with mask files by their names."""

import difflib
from collections.abc import Mapping, Sequence
from pathlib import Path

from sceneparse.data.annotation import MaskFile
from sceneparse.data.dataset import UNSPLIT, PairedFiles
from sceneparse.data.file_listing import FilesByName, files_below
from sceneparse.data.io.decode import IMAGE_SUFFIXES
from sceneparse.data.io.mask_encodings import PLAIN_IDS, MaskEncoding
from sceneparse.data.io.masks import MASK_SUFFIXES
from sceneparse.errors import InputError
from sceneparse.labels import Labels

# Endings that tools append to the names of masks and of images.
_MASK_ENDINGS = (
    *("_mask", "-mask", "_masks", "_label", "_labels", "_labelIds", "_seg", "_segmentation"),
    *("_gt", "_annotation", "_L", "_pixels", "_semantic", ".mask", ".label"),
)
_IMAGE_ENDINGS = ("_0000", "_image", "_img", "_rgb", "_sat", "_leftImg8bit", ".image")


def pair_folders(
    images: Path,
    masks: Path,
    labels: Labels,
    cache_name: str = UNSPLIT,
    mask_encoding: MaskEncoding = PLAIN_IDS,
) -> PairedFiles:
    """Pair the images below one folder with the masks below another by name.

    Files in subfolders are paired with files in subfolders of the same name. Where no mask has the
    name of an image, an ending that all masks or all images share may make the difference, such as
    `_mask`; names are also compared without regard to their Unicode form, and to case.

    Raises:
        InputError: If a folder is missing or empty, an image has no mask, or a mask no image.
    """
    return pair_by_name(
        files_below(images, IMAGE_SUFFIXES),
        files_below(masks, MASK_SUFFIXES),
        labels,
        cache_name,
        mask_encoding,
    )


def pair_by_name(
    images: FilesByName,
    masks: FilesByName,
    labels: Labels,
    cache_name: str,
    mask_encoding: MaskEncoding = PLAIN_IDS,
) -> PairedFiles:
    """Pair images with masks by name.

    Raises:
        InputError: If an image has no mask, or a mask no image.
    """
    unpaired_images = {name: path for name, path in images.files.items() if name not in masks.files}
    unpaired_masks = {name: path for name, path in masks.files.items() if name not in images.files}
    mask_of = {name: masks.files[name] for name in images.files if name in masks.files}
    notes: list[str] = []
    if unpaired_images or unpaired_masks:
        found = _by_ending(unpaired_images, unpaired_masks)
        if found is None:
            raise _unpaired_error(unpaired_images, unpaired_masks, images, masks)
        more, how = found
        mask_of |= more
        example = next(iter(more))
        notes.append(
            f"{len(more)} masks are matched by {how}, such as {more[example].name} with "
            f"{images.files[example].name}"
        )
    for kind, found_files in (("images", images), ("masks", masks)):
        if found_files.left_out:
            notes.append(_left_out_note(kind, found_files))
    names = sorted(mask_of)
    return PairedFiles(
        images=tuple(images.files[name] for name in names),
        annotations=tuple(MaskFile(mask_of[name], mask_encoding) for name in names),
        names=tuple(_sample_name(name, images.files[name]) for name in names),
        labels=labels,
        cache_name=cache_name,
        # Caches store it: renaming an encoding class or its fields invalidates them.
        annotation_kind="" if mask_encoding == PLAIN_IDS else repr(mask_encoding),
        notes=tuple(notes),
    )


def _sample_name(name: str, image: Path) -> str:
    """Return the path of an image below its folder, or the name of its file if it lies in it."""
    return name if "/" in name else image.stem


def _by_ending(
    images: Mapping[str, Path], masks: Mapping[str, Path]
) -> tuple[dict[str, Path], str] | None:
    """Pair files whose names differ by the same ending everywhere; none if that pairs not all.

    Returns:
        The mask of each image by the image's name, and how they were matched.
    """
    if len(images) != len(masks):
        return None
    with_suffix = {name + path.suffix: name for name, path in images.items()}
    if with_suffix.keys() == masks.keys():
        return {
            name: masks[full] for full, name in with_suffix.items()
        }, "the whole name of the image file"
    folded = {name.casefold(): name for name in images}
    if len(folded) == len(images) and folded.keys() == {name.casefold() for name in masks}:
        return {folded[name.casefold()]: path for name, path in masks.items()}, "name without case"
    image_endings, mask_endings = _possible_endings(images, masks)
    for image_ending in image_endings:
        bases = _without(images, image_ending)
        for mask_ending in mask_endings:
            mask_of_base = _without(masks, mask_ending)
            if bases and mask_of_base and bases.keys() == mask_of_base.keys():
                endings = [f"`{ending}`" for ending in (image_ending, mask_ending) if ending]
                return {
                    bases[base]: masks[mask] for base, mask in mask_of_base.items()
                }, f"their name without {' and '.join(endings)}"
    return None


def _possible_endings(
    images: Mapping[str, Path], masks: Mapping[str, Path]
) -> tuple[Sequence[str], Sequence[str]]:
    """Return endings to try: the usual ones, and those by which the first names differ."""
    image_endings, mask_endings = ["", *_IMAGE_ENDINGS], ["", *_MASK_ENDINGS]
    first_mask = next(iter(masks))
    for image in images:
        if first_mask.startswith(image):
            mask_endings.append(first_mask[len(image) :])
        if image.startswith(first_mask):
            image_endings.append(image[len(first_mask) :])
    return image_endings, mask_endings


def _without(files: Mapping[str, Path], ending: str) -> dict[str, str]:
    """Return the name of each file by its name without an ending; nothing if one has it not."""
    names = {name.removesuffix(ending): name for name in files if name.endswith(ending)}
    return names if len(names) == len(files) else {}


def _unpaired_error(
    unpaired_images: Mapping[str, Path],
    unpaired_masks: Mapping[str, Path],
    images: FilesByName,
    masks: FilesByName,
) -> InputError:
    if unpaired_images:
        unpaired, others, what = unpaired_images, unpaired_masks, "image"
        missing = f"a mask of the same name in {masks.folder}"
    else:
        unpaired, others, what = unpaired_masks, unpaired_images, "mask"
        missing = f"an image of the same name in {images.folder}"
    name, path = next(iter(unpaired.items()))
    more = f" (and {len(unpaired) - 1} more)" if len(unpaired) > 1 else ""
    likely = difflib.get_close_matches(name, list(others)[:2000], n=1, cutoff=0.5)
    hint = f"; rename {others[likely[0]].name} if it belongs to it" if likely else ""
    return InputError(f"{path}: {what} without {missing}{more}; add it or remove this one{hint}")


def _left_out_note(kind: str, files: FilesByName) -> str:
    names = ", ".join(path.name for path in files.left_out[:3])
    more = ", …" if len(files.left_out) > 3 else ""
    return (
        f"{len(files.left_out)} files in the folder of the {kind}, {files.folder}, are left out, "
        f"since their ending is not that of a known format: {names}{more}"
    )
