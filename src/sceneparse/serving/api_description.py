"""What the OpenAPI document says: the forms of answers, and examples."""

import base64
import zlib
from typing import Annotated, Any

from annotated_types import Ge, Le, Len
from pydantic import BaseModel, Field

from sceneparse.serving.request_options import JSON, LAYERS, MASK, OVERLAY
from sceneparse.serving.uploads import IMAGE_FIELD

Byte = Annotated[int, Ge(0), Le(255)]
Color = Annotated[list[Byte], Len(3, 3)]
Share = Annotated[float, Ge(0), Le(1)]


class ApiError(BaseModel):
    """Why a request was refused."""

    error: str = Field(description="What was found, what was expected, and the fix.")


class ClassOfModel(BaseModel):
    """A class that a model knows."""

    id: int = Field(description="Id in masks.", ge=0)
    name: str
    color: Color = Field(description="RGB.")


class ModelOfServer(BaseModel):
    """A model that the server offers."""

    id: str = Field(description="The value of the parameter `model`.")
    name: str
    description: str = Field(description="How pixels become a mask.")
    void_id: int = Field(description="Id of void pixels in masks.", ge=0)
    classes: list[ClassOfModel] = Field(description="By train id, the value in layer `labels`.")


class LabelsAnswer(BaseModel):
    """The models and their classes."""

    models: list[ModelOfServer]


class FoundClass(ClassOfModel):
    """A class that was found in an image."""

    share: Share = Field(description="Share of the pixels.")
    confidence: Share = Field(description="Mean probability over its pixels.")


class Layer(BaseModel):
    """A value for each pixel."""

    dtype: str = Field(description="`uint8`, or `uint16`, little-endian.")
    shape: Annotated[list[int], Len(2, 2)] = Field(description="Height and width.")
    data: str = Field(description="base64 of zlib of the values, row by row.")


class ImageLayer(BaseModel):
    """The image as browsers show it, upright."""

    type: str = Field(description="Content type, `image/jpeg`.")
    data: str = Field(description="base64 of a file.")


class Layers(BaseModel):
    """The layers that were asked for."""

    labels: Layer | None = Field(default=None, description="Train ids: indices of the classes.")
    confidence: Layer | None = Field(default=None, description="0..255 for 0..1.")
    image: ImageLayer | None = None


class SegmentAnswer(BaseModel):
    """The segmentation of an image, at the size of the upright image."""

    model: str
    width: int
    height: int
    seconds: float = Field(description="From the last byte of the image.", ge=0)
    classes: list[FoundClass] = Field(description="Those found, largest first.")
    layers: Layers | None = Field(default=None, description="Only if asked for.")


class HealthAnswer(BaseModel):
    """That the server takes images."""

    status: str
    version: str
    models: list[str]


_FOUND = {
    "model": "bundled",
    "width": 4,
    "height": 3,
    "seconds": 0.12,
    "classes": [
        {"id": 3, "name": "sky", "color": [6, 230, 230], "share": 0.75, "confidence": 0.93},
        {"id": 7, "name": "road", "color": [140, 140, 140], "share": 0.25, "confidence": 0.81},
    ],
}
_ROWS = bytes([2, 2, 2, 2] * 2 + [2, 6, 6, 6])
_LABELS = base64.b64encode(zlib.compress(_ROWS)).decode("ascii")
_LAYERS = {"labels": {"dtype": "uint8", "shape": [3, 4], "data": _LABELS}}
_ERRORS = {
    400: "The image is broken, the body empty, or the address wrong.",
    401: "The token is missing or wrong.",
    404: "There is no such model.",
    406: "No type of the Accept header is given.",
    408: "The body came too slowly.",
    413: "The body or the image is too large.",
    415: "The content is no image of a known format.",
    429: "Too many images wait, or too much is being received.",
    500: "A mistake of the server.",
    503: "The server is being stopped, or could not compute the image.",
    504: "The image was not segmented in time.",
}
_BINARY = {"type": "string", "format": "binary"}
_IMAGE_TYPES = ("image/jpeg", "image/png", "application/octet-stream")


def error_answers(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Describe errors by their statuses."""
    headers = {"Retry-After": {"schema": {"type": "string"}, "description": "In seconds."}}
    return {
        status: {
            "model": ApiError,
            "description": _ERRORS[status],
            **({"headers": headers} if status in (429, 503) else {}),
        }
        for status in statuses
    }


def segment_answers() -> dict[int | str, dict[str, Any]]:
    """Describe the answers to an image."""
    content = {
        JSON: {
            "examples": {
                "classes": {"value": _FOUND},
                "with layers": {"value": {**_FOUND, "layers": _LAYERS}},
            }
        },
        MASK: {"schema": _BINARY},
        OVERLAY: {"schema": _BINARY},
    }
    found = {
        "model": SegmentAnswer,
        "description": "JSON; or as PNG the mask in the ids of the data set; or as JPEG an "
        "overlay with a legend, by the Accept header.",
        "content": content,
    }
    return {200: found, **error_answers(*_ERRORS)}


def segment_request(models: list[str]) -> dict[str, Any]:
    """Describe parameters and body of a request with an image."""
    query: list[tuple[str, str, dict[str, Any]]] = [
        ("model", "Id of a model.", {"type": "string", "enum": models, "default": models[0]}),
        (
            "layers",
            f"Layers in a JSON answer, of {', '.join(LAYERS)}, with commas between them.",
            {"type": "string", "enum": ["", *LAYERS, ",".join(LAYERS)]},
        ),
        (
            "opacity",
            "Opacity of the colours of an overlay.",
            {"type": "number", "minimum": 0, "maximum": 1, "default": 0.5},
        ),
    ]
    form = {
        "type": "object",
        "required": [IMAGE_FIELD],
        "properties": {IMAGE_FIELD: {**_BINARY, "description": "An image file."}},
    }
    return {
        "parameters": [
            {"name": name, "in": "query", "required": False, "description": text, "schema": schema}
            for name, text, schema in query
        ],
        "requestBody": {
            "required": True,
            "description": "An image of at most the server's numbers of bytes and pixels.",
            "content": {
                **{kind: {"schema": _BINARY} for kind in _IMAGE_TYPES},
                "multipart/form-data": {"schema": form},
            },
        },
    }
