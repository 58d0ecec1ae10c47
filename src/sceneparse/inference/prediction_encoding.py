"""A prediction as the bytes of a file."""

import json
from collections.abc import Mapping
from io import BytesIO
from math import ceil, sqrt
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from sceneparse.data.io.geotiff import Georeference, geotiff_of_mask
from sceneparse.inference.annotations import coco_document, geojson_document
from sceneparse.inference.prediction_files import RECORD_KEY, WRITING_ORDER, PredictionFiles
from sceneparse.labels import Labels, Mask
from sceneparse.system.files import write_whole

if TYPE_CHECKING:
    from sceneparse.inference.prediction import Prediction

# A JPEG has at most 65,500 rows and columns; the legend needs some of them.
MAX_OVERLAY_SIDE = 60_000
# Drawing an overlay takes 20 bytes a pixel.
MAX_OVERLAY_PIXELS = 25_000_000


def encoded(
    prediction: "Prediction",
    kind: str,
    record: Mapping[str, str],
    georeference: Georeference | None = None,
    opacity: float = 0.5,
) -> bytes:
    """Encode a prediction in one of the formats of `prediction_files.SUFFIXES`.

    Args:
        prediction: The prediction.
        kind: The format.
        record: What made it, and of which image: a key `image`. It is stored in the file.
        georeference: Where the image lies, for GeoJSON.
        opacity: Opacity of the colours of an overlay, in 0..1.
    """
    match kind:
        case "mask":
            ids = prediction.labels.decode(prediction.mask)
            return _png(Image.fromarray(ids), record)
        case "color":
            return _png(_color_image(prediction.mask, prediction.labels), record)
        case "overlay":
            return _jpeg(prediction, record, opacity)
        case "coco":
            return _json(coco_document(prediction, record["image"], record))
        case "geojson":
            return _json({RECORD_KEY: dict(record), **geojson_document(prediction, georeference)})
        case _:
            return _json({**record, **prediction.to_dict()}, indent=1)


def write(
    prediction: "Prediction",
    files: PredictionFiles,
    record: Mapping[str, str],
    georeference: Georeference | None = None,
) -> None:
    """Write files one after the other, each whole, and JSON last: so it says that all are there.

    Args:
        prediction: The prediction.
        files: The files.
        record: What made it, and of which image: a key `image`. It is stored in each file.
        georeference: Where the image lies.

    Raises:
        OSError: If a file cannot be written.
    """
    files.folder.mkdir(parents=True, exist_ok=True)
    if files.geotiff is not None and georeference is not None:
        content = encoded_geotiff(prediction, record, georeference)
        if content is not None:
            write_whole(files.geotiff, content)
    for kind in sorted(files.formats, key=WRITING_ORDER.index):
        write_whole(files.path(kind), encoded(prediction, kind, record, georeference))


def encoded_geotiff(
    prediction: "Prediction", record: Mapping[str, str], georeference: Georeference
) -> bytes | None:
    """Encode the label map as a GeoTIFF; none if rasterio is not installed."""
    labels = prediction.labels
    colors = dict(zip(labels.raw_ids, labels.colors, strict=True))
    ids = labels.decode(prediction.mask)
    return geotiff_of_mask(ids, georeference, colors, json.dumps(record))


def overlay_step(height: int, width: int) -> int:
    """Return of how many rows and columns an overlay file shows one."""
    by_side = ceil(max(height, width) / MAX_OVERLAY_SIDE)
    return max(by_side, ceil(sqrt(height * width / MAX_OVERLAY_PIXELS)))


def _color_image(mask: Mask, labels: Labels) -> Image.Image:
    """Paint each class in its colour, void black, in less memory than by an array."""
    if mask.dtype != np.uint8:
        palette = np.zeros((labels.ignore_index + 1, 3), np.uint8)
        palette[: labels.num_classes] = labels.palette
        return Image.fromarray(palette[mask])
    image = Image.fromarray(mask)
    image.putpalette(labels.palette.tobytes() + bytes(3 * (256 - labels.num_classes)))
    return image.convert("RGB")


def _png(image: Image.Image, record: Mapping[str, str]) -> bytes:
    info = PngInfo()
    info.add_text(RECORD_KEY, json.dumps(record))
    file = BytesIO()
    image.save(file, "PNG", pnginfo=info)
    return file.getvalue()


def _jpeg(prediction: "Prediction", record: Mapping[str, str], opacity: float) -> bytes:
    step = overlay_step(*prediction.mask.shape)
    drawn = prediction.every(step).overlay(opacity, legend=True)
    file = BytesIO()
    Image.fromarray(drawn).save(file, "JPEG", quality=92, comment=json.dumps(record))
    return file.getvalue()


def _json(document: Mapping[str, Any], indent: int | None = None) -> bytes:
    text = json.dumps(document, ensure_ascii=False, indent=indent)
    return f"{text}\n".encode()
