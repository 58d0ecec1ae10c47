"""GeoTIFF files by rasterio, a library on top of GDAL, where it is installed."""

import importlib
import importlib.util
import os
import warnings
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from functools import cache
from pathlib import Path
from threading import Lock
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sceneparse.data.io.opening import check_values, errors_of, name_of
from sceneparse.data.io.tiff_tags import read_tiff_tags
from sceneparse.errors import InputError
from sceneparse.labels import Color, Mask

INSTALL = 'pip install "sceneparse[geo]"'
GEOTIFF_SUFFIXES = frozenset({".tif", ".tiff"})
# A file is one file: no metadata and overviews beside it but a world file.
_OPTIONS = {
    "GDAL_DISABLE_READDIR_ON_OPEN": "TRUE",
    "GDAL_PAM_ENABLED": "NO",
    "GDAL_GEOREF_SOURCES": "INTERNAL,WORLDFILE",
}
# A tile or strip is decompressed as a whole; a few rows of all chosen bands are held at a time.
_MAX_BLOCK_BYTES, _CHUNK_BYTES = 2**30, 2**26
_UPRIGHT = 1
_IMPORT_LOCK, _OPENING_LOCK = Lock(), Lock()


@cache
def _rasterio() -> ModuleType | None:
    # During the import in one thread, other threads would see a partially initialised module.
    with _IMPORT_LOCK:
        found = importlib.util.find_spec("rasterio")
        return importlib.import_module("rasterio") if found else None


def rasterio_installed() -> bool:
    """Return whether rasterio is installed."""
    return _rasterio() is not None


@contextmanager
def _opened(source: Path | bytes) -> Generator[Any]:
    """Open a TIFF file as a rasterio dataset.

    Raises:
        InputError: If rasterio is not installed, or the file is broken or has several pages.
    """
    name = name_of(source)
    rasterio = _rasterio()
    if rasterio is None:
        raise InputError(f"{name}: a TIFF that needs rasterio: `{INSTALL}`")
    with errors_of(name), rasterio.Env(**_OPTIONS):
        # Only a path is absolute that GDAL takes neither for an address nor for a file in a file.
        file = rasterio.MemoryFile(source) if isinstance(source, bytes) else nullcontext()
        with file as memory:
            # Files without a georeference are fine. Filters of warnings belong to all threads.
            with _OPENING_LOCK, warnings.catch_warnings():
                warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
                dataset: Any = (
                    memory.open(driver="GTiff")
                    if memory
                    else rasterio.open(os.path.abspath(str(source)), driver="GTiff")  # noqa: PTH100
                )
            with dataset:
                if len(dataset.subdatasets) > 1:
                    raise InputError(
                        f"{name}: holds {len(dataset.subdatasets)} pages or frames, expected one; "
                        "save each as a file of its own"
                    )
                yield dataset


def described_bands(source: Path | bytes) -> list[str]:
    """Name the bands of a TIFF file as it does itself, such as `4 (nir)`.

    Raises:
        InputError: If rasterio is not installed, or the file is broken.
    """
    with _opened(source) as dataset:
        names = zip(dataset.descriptions, dataset.colorinterp, strict=True)
        return [
            f"{number} ({description or color.name})"
            for number, (description, color) in enumerate(names, start=1)
        ]


def chunks_of_bands(
    source: Path | bytes, bands: Sequence[int]
) -> Generator[tuple[slice, NDArray[Any]]]:
    """Read bands of a TIFF file, some rows at a time.

    Args:
        source: A file, or the bytes of one.
        bands: The bands to read, in this order, numbered from 1; the file has all of them.

    Yields:
        The rows, and their values `(len(bands), rows, W)` as they are stored.

    Raises:
        InputError: If rasterio is not installed, or the file is broken or too large.
    """
    with _opened(source) as dataset:
        name = name_of(source)
        height, width = int(dataset.height), int(dataset.width)
        check_values(name, height, width, len(bands))
        dtype = np.dtype(dataset.dtypes[0])
        if dtype.kind == "c":
            raise InputError(f"{name}: complex numbers; save their amplitude")
        block_rows, block_columns = dataset.block_shapes[0]
        together = 1 if dataset.interleaving.name == "band" else dataset.count
        block_bytes = block_rows * block_columns * together * dtype.itemsize
        if block_bytes > _MAX_BLOCK_BYTES:
            raise InputError(
                f"{name}: stored in blocks of {block_bytes / 2**30:.1f} GiB; save it in tiles"
            )
        row_bytes = len(bands) * width * dtype.itemsize
        rows = max(1, _CHUNK_BYTES // (row_bytes * block_rows)) * block_rows
        for first in range(0, height, rows):
            last = min(height, first + rows)
            window = ((first, last), (0, width))
            yield slice(first, last), dataset.read(list(bands), window=window)


class Georeference(NamedTuple):
    """Where on Earth the pixels of an image lie.

    Attributes:
        crs: The coordinate reference system, as rasterio describes it; none if the file has none.
        transform: The affine map from column and row to coordinates, as rasterio describes it;
            none if there are control points instead.
        control_points: Points of the image with coordinates, as rasterio describes them.
        height: Height of the image.
        width: Width of the image.
    """

    crs: Any
    transform: Any
    control_points: Sequence[Any]
    height: int
    width: int


def is_georeferenced(path: Path) -> bool:
    """Return whether a TIFF file holds a georeference, whether or not rasterio is installed."""
    if path.suffix.lower() not in GEOTIFF_SUFFIXES:
        return False
    try:
        tags = read_tiff_tags(path)
    except OSError:
        return False
    return tags is not None and tags.is_georeferenced


def read_georeference(path: Path) -> Georeference | None:
    """Read the georeference of a TIFF file, or of the world file beside it.

    Returns:
        None if there is none, the file is turned by its EXIF orientation, so that its map holds for
        other pixels, it cannot be read, or rasterio is not installed.
    """
    if path.suffix.lower() not in GEOTIFF_SUFFIXES or not rasterio_installed():
        return None
    try:
        tags = read_tiff_tags(path)
        with _opened(path) as dataset:
            points, points_crs = dataset.gcps
            is_identity = dataset.transform.is_identity
            if (is_identity and not points) or (tags and tags.orientation != _UPRIGHT):
                return None
            size = dataset.height, dataset.width
            if is_identity:
                return Georeference(points_crs, None, points, *size)
            return Georeference(dataset.crs, dataset.transform, (), *size)
    except (InputError, OSError):
        return None


def coordinates(georeference: Georeference, points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return where points of an image lie on Earth.

    Args:
        georeference: Georeference of the image, which only rasterio reads.
        points: x and y in pixels, `(N, 2)`, from the upper left corner of the upper left pixel.

    Returns:
        Longitude and latitude in degrees (WGS 84), `(N, 2)`; without a coordinate reference system,
        the coordinates of the image's own.
    """
    transforms, warp = (
        importlib.import_module(f"rasterio.{name}") for name in ("transform", "warp")
    )
    place = georeference.transform or list(georeference.control_points)
    with transforms.get_transformer(place)() as transformer:
        found = transformer.xy(points[:, 1].tolist(), points[:, 0].tolist(), offset="ul")
    if georeference.crs:
        found = warp.transform(georeference.crs, "EPSG:4326", *map(list, found))
    return np.stack([np.asarray(axis, np.float64) for axis in found], axis=1)


def geotiff_of_mask(
    mask: Mask, georeference: Georeference, colors: Mapping[int, Color], description: str = ""
) -> bytes | None:
    """Encode a mask as a compressed GeoTIFF with a table of colours.

    Args:
        mask: Ids `(H, W)`.
        georeference: Georeference of the image.
        colors: Colour of each id; only masks of 8 bits have a table.
        description: Text for the tag ImageDescription.

    Returns:
        The bytes of the file; none if rasterio is not installed.
    """
    rasterio = _rasterio()
    if rasterio is None:
        return None
    place: dict[str, Any] = {"transform": georeference.transform}
    if georeference.transform is None:
        place = {"gcps": list(georeference.control_points)}
    with rasterio.Env(**_OPTIONS), rasterio.MemoryFile() as file:
        with file.open(
            driver="GTiff",
            height=mask.shape[0],
            width=mask.shape[1],
            count=1,
            dtype=mask.dtype.name,
            crs=georeference.crs,
            compress="deflate",
            **place,
        ) as dataset:
            # The table is part of the header, which the first pixels complete.
            if mask.dtype == np.uint8:
                dataset.write_colormap(1, {index: (*color, 255) for index, color in colors.items()})
            dataset.update_tags(TIFFTAG_IMAGEDESCRIPTION=description)
            dataset.write(mask, 1)
        return bytes(file.read())
