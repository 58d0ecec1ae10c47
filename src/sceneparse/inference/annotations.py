"""A prediction as annotations that other tools read: COCO's run lengths and GeoJSON's polygons."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sceneparse.data.io.geotiff import Georeference, coordinates
from sceneparse.labels import Mask

if TYPE_CHECKING:
    from sceneparse.data.formats.shapes import Points
    from sceneparse.inference.prediction import Prediction

# Larger masks are outlined tile by tile: outlining takes 40 bytes a pixel.
MAX_OUTLINED_SIDE = 4096
# Digits after the point of longitudes and latitudes; a unit of the last is a tenth of a millimetre.
_DIGITS = 9
_PIXELS = (
    "pixels of the image: x grows to the right and y down, from the upper left corner of the upper "
    "left pixel"
)
_WGS84 = "longitude and latitude in degrees (WGS 84)"
_OWN_SYSTEM = "those of the image, which names no coordinate reference system"


def coco_document(
    prediction: "Prediction", image_name: str, info: Mapping[str, Any]
) -> dict[str, Any]:
    """Return a document in COCO's form, with one annotation for each class that was found.

    Args:
        prediction: The prediction.
        image_name: File name of the image.
        info: Entries of the document's `info`.
    """
    labels = prediction.labels
    height, width = prediction.mask.shape
    found = {each["id"]: each for each in prediction.classes()}
    classes = zip(labels.raw_ids, labels.class_names, strict=True)
    return {
        "info": dict(info),
        "images": [{"id": 1, "file_name": image_name, "width": width, "height": height}],
        "categories": [{"id": raw, "name": name} for raw, name in classes],
        "annotations": [
            {
                "id": number,
                "image_id": 1,
                "category_id": raw,
                **_run_lengths(prediction.mask == labels.raw_ids.index(raw)),
                "iscrowd": 1,
                "score": found[raw]["confidence"],
            }
            for number, raw in enumerate(sorted(found), start=1)
        ],
    }


def _run_lengths(pixels: NDArray[np.bool_]) -> dict[str, Any]:
    """Return pixels `(H, W)` as COCO's compressed run lengths, which go column by column."""
    from pycocotools import mask as coco_masks

    # pycocotools returns bytes, which its stubs take for text.
    encoded: Any = coco_masks.encode(np.asfortranarray(pixels.view(np.uint8)))
    counts: bytes = encoded["counts"]
    return {
        "segmentation": {"size": list(pixels.shape), "counts": counts.decode("ascii")},
        "area": int(pixels.sum()),
        "bbox": [int(side) for side in coco_masks.toBbox(encoded)],
    }


def geojson_document(prediction: "Prediction", georeference: Georeference | None) -> dict[str, Any]:
    """Return a GeoJSON document (RFC 7946), with one feature for each class that was found.

    Args:
        prediction: The prediction.
        georeference: Where the image lies; None for coordinates in pixels.
    """
    labels = prediction.labels
    features: list[dict[str, Any]] = []
    for found in prediction.classes():
        train_id = labels.raw_ids.index(found["id"])
        polygons = [
            [_ring(points, georeference, is_hole=number > 0) for number, points in enumerate(rings)]
            for rings in _outlines(prediction.mask, train_id)
        ]
        features.append(
            {
                "type": "Feature",
                "properties": {**found, "color": list(labels.colors[train_id])},
                "geometry": {"type": "MultiPolygon", "coordinates": polygons},
            }
        )
    height, width = prediction.mask.shape
    return {
        "type": "FeatureCollection",
        "coordinates_are": _system(georeference),
        "width": width,
        "height": height,
        "features": features,
    }


def _system(georeference: Georeference | None) -> str:
    """Return what the coordinates are."""
    if georeference is None:
        return _PIXELS
    return _WGS84 if georeference.crs else _OWN_SYSTEM


def _outlines(mask: Mask, train_id: int) -> Iterator[list["Points"]]:
    """Yield the outline of each connected area of a class, then those of its holes, in pixels."""
    from sceneparse.data.formats.outlines import outlines

    for top in range(0, mask.shape[0], MAX_OUTLINED_SIDE):
        for left in range(0, mask.shape[1], MAX_OUTLINED_SIDE):
            tile = mask[top : top + MAX_OUTLINED_SIDE, left : left + MAX_OUTLINED_SIDE]
            for rings in outlines(tile == train_id):
                yield [points + np.array([left, top], np.float64) for points in rings]


def _ring(
    points: "Points", georeference: Georeference | None, *, is_hole: bool
) -> list[list[float]]:
    """Return an outline as a closed ring: counterclockwise around an area, clockwise in it."""
    if georeference is not None:
        points = coordinates(georeference, points).round(_DIGITS)
    x, y = points[:, 0], points[:, 1]
    is_clockwise = float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) < 0
    if is_clockwise != is_hole:
        points = points[::-1]
    return np.concatenate([points, points[:1]]).tolist()
