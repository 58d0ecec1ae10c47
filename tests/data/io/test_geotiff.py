"""Tests of the georeference of GeoTIFF files."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.data.io.files import save_image
from tests.data.io.geotiffs import CRS, TRANSFORM, random_bands, rasterio, write_tiff

from sceneparse.data.io import geotiff
from sceneparse.data.io.decode import read_image
from sceneparse.data.io.geotiff import geotiff_of_mask, is_georeferenced, read_georeference

MASK = np.arange(600, dtype=np.uint8).reshape(20, 30) % 5


def written(tmp_path: Path, content: bytes | None) -> Path:
    assert content is not None
    path = tmp_path / "mask.tif"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_mask_keeps_the_georeference_and_the_ids(dtype: type, tmp_path: Path) -> None:
    path = write_tiff(tmp_path / "a.tif", random_bands(4), georeferenced=True)
    place = read_georeference(path)
    assert place is not None
    assert (place.height, place.width) == MASK.shape
    mask = MASK.astype(dtype) * (1 if dtype == np.uint8 else 1000)
    colors = {2: (10, 20, 30)}
    with rasterio.open(written(tmp_path, geotiff_of_mask(mask, place, colors))) as dataset:
        assert dataset.crs == rasterio.CRS.from_string(CRS)
        assert dataset.transform == TRANSFORM
        assert dataset.nodata is None
        assert dataset.compression.name == "deflate"
        np.testing.assert_array_equal(dataset.read(1), mask)
        assert dataset.read(1).dtype == dtype
        if dtype == np.uint8:
            assert dataset.colormap(1)[2] == (10, 20, 30, 255)


def test_control_points_are_kept(tmp_path: Path) -> None:
    points = [
        rasterio.control.GroundControlPoint(row, column, 5.0 + column, 6.0 - row)
        for row, column in ((0, 0), (0, 30), (20, 0), (20, 30))
    ]
    path = write_tiff(tmp_path / "a.tif", random_bands(1), gcps=points, crs="EPSG:4326")
    place = read_georeference(path)
    assert place is not None
    with rasterio.open(written(tmp_path, geotiff_of_mask(MASK, place, {}))) as dataset:
        found, crs = dataset.gcps
    assert crs == rasterio.CRS.from_string("EPSG:4326")
    assert [(point.row, point.col, point.x, point.y) for point in found] == [
        (point.row, point.col, point.x, point.y) for point in points
    ]


def test_a_world_file_is_a_georeference(tmp_path: Path) -> None:
    path = write_tiff(tmp_path / "a.tif", random_bands(3))
    assert read_georeference(path) is None
    assert not is_georeferenced(path)
    (tmp_path / "a.tfw").write_text("10\n0\n0\n-20\n500005\n4999990\n")
    place = read_georeference(path)
    assert place is not None
    assert place.transform == TRANSFORM


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")  # Pillow, of broken TIFFs
def test_other_files_have_no_georeference(tmp_path: Path) -> None:
    png = save_image(tmp_path / "a.png", random_bands(3))
    broken = tmp_path / "b.tif"
    broken.write_bytes(b"II*\0 and nothing else")
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = save_image(tmp_path / "c.tif", random_bands(3), exif=exif)
    (tmp_path / "c.tfw").write_text("1\n0\n0\n-1\n5\n5\n")
    for path in (png, broken, turned, tmp_path / "missing.tif"):
        assert read_georeference(path) is None
        assert not is_georeferenced(path)


def test_a_georeference_is_found_without_rasterio(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_tiff(tmp_path / "a.tif", random_bands(3), georeferenced=True)
    assert is_georeferenced(path)
    monkeypatch.setattr(geotiff, "_rasterio", lambda: None)
    assert is_georeferenced(path)
    assert read_georeference(path) is None


def test_files_that_are_no_plain_tiff_are_not_opened_by_gdal(tmp_path: Path) -> None:
    source = write_tiff(tmp_path / "a.tif", random_bands(5), georeferenced=True)
    virtual = tmp_path / "b.tif"
    virtual.write_text(
        '<VRTDataset rasterXSize="30" rasterYSize="20"><VRTRasterBand dataType="Byte" band="1">'
        f"<SimpleSource><SourceFilename>{source}</SourceFilename></SimpleSource>"
        "</VRTRasterBand></VRTDataset>"
    )
    assert read_georeference(virtual) is None
    with pytest.raises(geotiff.InputError, match="not an image"):
        read_image(virtual)
