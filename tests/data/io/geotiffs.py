"""GeoTIFF files for tests."""

import importlib
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

rasterio: Any = importlib.import_module("rasterio")

CRS = "EPSG:32633"
TRANSFORM: Any = rasterio.Affine(10, 0, 500_000, 0, -20, 5_000_000)


def random_bands(
    count: int, dtype: Any = np.uint8, size: tuple[int, int] = (20, 30)
) -> NDArray[Any]:
    """Return bands `(H, W, count)` of all values that a type holds, or of 0..1."""
    random = np.random.default_rng(count)
    if np.dtype(dtype).kind == "f":
        return random.random((*size, count)).astype(dtype)
    limits = np.iinfo(dtype)
    return random.integers(limits.min, limits.max, (*size, count), dtype, endpoint=True)


def write_tiff(
    path: Path,
    pixels: NDArray[Any],
    *,
    georeferenced: bool = False,
    descriptions: tuple[str, ...] = (),
    **options: Any,
) -> Path:
    """Write bands `(H, W, B)` as GDAL stores them, with its creation options."""
    place = {"crs": CRS, "transform": TRANSFORM} if georeferenced else {}
    height, width, count = pixels.shape
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
        with rasterio.open(
            path,
            "w",
            driver="GTiff",
            height=height,
            width=width,
            count=count,
            dtype=pixels.dtype.name,
            **place,
            **options,
        ) as dataset:
            dataset.write(np.moveaxis(pixels, 2, 0))
            for band, description in enumerate(descriptions, start=1):
                dataset.set_band_description(band, description)
    return path
