"""What other tools read of a prediction are exactly its pixels."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pycocotools.coco import COCO

from sceneparse.data.formats.shapes import Polygon
from sceneparse.data.io.geotiff import Georeference
from sceneparse.inference import annotations
from sceneparse.inference.prediction import Prediction
from sceneparse.labels import Labels
from tests.data.io.geotiffs import CRS, TRANSFORM, rasterio
from tests.inference.networks import random_image

LABELS = Labels(("wall", "floor", "sky"), ((1, 2, 3), (200, 30, 30), (30, 200, 30)), (11, 5, 300))


def prediction_of(height: int, width: int, seed: int = 0) -> Prediction:
    """Large areas with holes and single pixels, and void in a corner."""
    random = np.random.default_rng(seed)
    mask = np.zeros((height, width), np.uint8)
    mask[height // 4 :, : width // 2] = 2
    mask[height // 3 : height // 2, width // 5 : width // 4] = 0
    noise = random.random((height, width)) < 0.05
    mask[noise] = random.integers(0, 2, noise.sum())
    mask[:1, :1] = 255
    confidence = random.random((height, width)).astype(np.float32)
    return Prediction(random_image(height, width), mask, confidence, LABELS)


@pytest.mark.filterwarnings("ignore:__array__ implementation")  # pycocotools with NumPy 2
@pytest.mark.parametrize("size", [(1, 1), (1, 9), (7, 1), (40, 61)])
def test_pycocotools_reads_exactly_the_pixels_of_each_class(
    size: tuple[int, int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    prediction = prediction_of(*size)
    path = tmp_path / "a.json"
    path.write_text(json.dumps(prediction.to_coco("a.jpg")))
    coco: Any = COCO(path)
    capsys.readouterr()  # pycocotools prints
    assert coco.imgs[1] == {"id": 1, "file_name": "a.jpg", "height": size[0], "width": size[1]}
    assert {raw: each["name"] for raw, each in coco.cats.items()} == dict(
        zip(LABELS.raw_ids, LABELS.class_names, strict=True)
    )
    found = {each["id"]: each for each in prediction.classes()}
    assert {each["category_id"] for each in coco.anns.values()} == set(found)
    for each in coco.anns.values():
        index = LABELS.raw_ids.index(each["category_id"])
        pixels = prediction.mask == index
        np.testing.assert_array_equal(coco.annToMask(each), pixels)
        assert each["area"] == pixels.sum()
        rows, columns = pixels.nonzero()
        corner = [columns.min(), rows.min()]
        assert each["bbox"] == [*corner, np.ptp(columns) + 1, np.ptp(rows) + 1]
        assert each["score"] == found[each["category_id"]]["confidence"]


def pixels_of(geometry: dict[str, Any], height: int, width: int) -> NDArray[np.bool_]:
    assert geometry["type"] == "MultiPolygon"
    pixels = np.zeros((height, width), np.bool_)
    for rings in geometry["coordinates"]:
        outline, *holes = (np.array(ring[:-1]) for ring in rings)
        top, left, inside = Polygon(0, (outline,), tuple(holes)).region(height, width)
        pixels[top : top + inside.shape[0], left : left + inside.shape[1]] |= inside
    return pixels


def signed_area(ring: list[list[float]]) -> float:
    x, y = np.array(ring).T
    return float((x[:-1] * y[1:] - x[1:] * y[:-1]).sum()) / 2


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (7, 1), (40, 61)])
@pytest.mark.parametrize("side", [4096, 16])
def test_polygons_are_filled_to_exactly_the_pixels_of_each_class(
    size: tuple[int, int], side: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(annotations, "MAX_OUTLINED_SIDE", side)
    prediction = prediction_of(*size)
    document = json.loads(json.dumps(prediction.to_geojson()))
    assert document["type"] == "FeatureCollection"
    assert "y down" in document["coordinates_are"]
    assert (document["width"], document["height"]) == (size[1], size[0])
    listed = [each["properties"]["id"] for each in document["features"]]
    assert listed == [each["id"] for each in prediction.classes()]
    for feature in document["features"]:
        index = LABELS.raw_ids.index(feature["properties"]["id"])
        assert feature["properties"]["name"] == LABELS.class_names[index]
        found = pixels_of(feature["geometry"], *size)
        np.testing.assert_array_equal(found, prediction.mask == index)


def test_outlines_are_closed_and_turn_as_the_standard_says() -> None:
    document = prediction_of(40, 61).to_geojson()
    rings = [
        rings for feature in document["features"] for rings in feature["geometry"]["coordinates"]
    ]
    assert any(len(each) > 1 for each in rings)
    for outline, *holes in rings:
        assert outline[0] == outline[-1]
        assert signed_area(outline) > 0
        assert all(signed_area(hole) < 0 for hole in holes)


def on_earth(x: float, y: float) -> tuple[float, float]:
    return TRANSFORM.c + TRANSFORM.a * x, TRANSFORM.f + TRANSFORM.e * y


def test_georeferenced_polygons_are_longitudes_and_latitudes() -> None:
    prediction = prediction_of(40, 61)
    place = Georeference(rasterio.crs.CRS.from_user_input(CRS), TRANSFORM, (), 40, 61)
    document = prediction.to_geojson(place)
    assert document["coordinates_are"] == "longitude and latitude in degrees (WGS 84)"
    plain = prediction.to_geojson()
    for ours, pixels in zip(document["features"], plain["features"], strict=True):
        pairs = zip(ours["geometry"]["coordinates"], pixels["geometry"]["coordinates"], strict=True)
        for rings, rings_in_pixels in pairs:
            assert signed_area(rings[0]) > 0
            corners = {on_earth(*point) for point in rings_in_pixels[0]}
            x, y = zip(*sorted(corners), strict=True)
            expected = zip(*rasterio.warp.transform(CRS, "EPSG:4326", x, y), strict=True)
            found = sorted({tuple(point) for point in rings[0]})
            np.testing.assert_allclose(found, sorted(expected), atol=1e-8)


def test_polygons_by_control_points_lie_where_the_points_say() -> None:
    points = [
        rasterio.control.GroundControlPoint(
            row=row, col=column, x=10 + column / 100, y=50 - row / 50
        )
        for row in (0, 40)
        for column in (0, 61)
    ]
    place = Georeference(rasterio.crs.CRS.from_epsg(4326), None, points, 40, 61)
    found = annotations.coordinates(place, np.array([[0.0, 0.0], [61, 40], [30.5, 20]]))
    np.testing.assert_allclose(found, [[10, 50], [10.61, 49.2], [10.305, 49.6]], atol=1e-6)


def test_without_a_reference_system_coordinates_are_those_of_the_image() -> None:
    place = Georeference(None, TRANSFORM, (), 40, 61)
    document = prediction_of(40, 61).to_geojson(place)
    assert "names no coordinate reference system" in document["coordinates_are"]
    found = annotations.coordinates(place, np.array([[0.0, 0.0], [2.0, 1.0]]))
    np.testing.assert_allclose(found, [on_earth(0, 0), on_earth(2, 1)])
