"""A prediction as the body of an answer."""

import base64
import json
import zlib
from collections.abc import Mapping
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sceneparse.drawing import displayed_rgb
from sceneparse.inference.prediction import Prediction
from sceneparse.labels import Mask
from sceneparse.serving.request_options import JSON, MASK, RequestOptions

# Higher levels take several times as long for a few percent.
_ZLIB_LEVEL = 3
_JPEG_QUALITY = 90


def answer_body(prediction: Prediction, options: RequestOptions, seconds: float) -> bytes:
    """Encode a prediction as a request asks for it.

    Args:
        prediction: The prediction.
        options: What the request asks for.
        seconds: How long it took, from the last byte of the image.
    """
    if options.answer_type == JSON:
        return json.dumps(_document(prediction, options, seconds), ensure_ascii=False).encode()
    model = options.model
    return prediction.encode(
        "mask" if options.answer_type == MASK else "overlay",
        more={"model": model.name, "inference": model.description},
        opacity=options.opacity,
    )


def _document(prediction: Prediction, options: RequestOptions, seconds: float) -> dict[str, Any]:
    colors = {each["id"]: each["color"] for each in options.model.classes}
    height, width = prediction.mask.shape
    document: dict[str, Any] = {
        "model": options.model.id,
        "width": width,
        "height": height,
        "seconds": round(seconds, 4),
        "classes": [
            {
                "id": found["id"],
                "name": found["name"],
                "color": colors[found["id"]],
                "share": found["share"],
                # A mean of float32 may exceed 1 by a rounding error.
                "confidence": min(found["confidence"], 1.0),
            }
            for found in prediction.classes()
        ],
    }
    if options.layers:
        document["layers"] = {name: _layer(prediction, name) for name in options.layers}
    return document


def _layer(prediction: Prediction, name: str) -> Mapping[str, Any]:
    if name == "image":
        return _image_layer(prediction)
    values = prediction.mask if name == "labels" else confidence_bytes(prediction.confidence)
    little_endian = values.astype(values.dtype.newbyteorder("<"), copy=False)
    packed = zlib.compress(np.ascontiguousarray(little_endian).data, _ZLIB_LEVEL)
    return {
        "dtype": values.dtype.name,
        "shape": list(values.shape),
        "data": base64.b64encode(packed).decode("ascii"),
    }


def _image_layer(prediction: Prediction) -> Mapping[str, Any]:
    file = BytesIO()
    Image.fromarray(displayed_rgb(prediction.image)).save(file, "JPEG", quality=_JPEG_QUALITY)
    return {"type": "image/jpeg", "data": base64.b64encode(file.getvalue()).decode("ascii")}


def confidence_bytes(confidence: NDArray[np.float32]) -> Mask:
    """Return confidences `(H, W)` in 0..1 as 0..255, rounded."""
    return np.rint(confidence * np.float32(255)).clip(0, 255).astype(np.uint8)
