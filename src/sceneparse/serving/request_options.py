"""What a request asks for: model, layers and opacity in its address, and the type of the answer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from starlette.datastructures import Headers, QueryParams

from sceneparse.serving.refusals import RequestRefusedError
from sceneparse.serving.served_models import ServedModel

JSON, MASK, OVERLAY = "application/json", "image/png", "image/jpeg"
# In the order of preference of the server.
ANSWER_TYPES = (JSON, MASK, OVERLAY)
LAYERS = ("labels", "confidence", "image")
_PARAMETERS = ("model", "layers", "opacity")


@dataclass(frozen=True)
class RequestOptions:
    """What a request for a segmentation asks for.

    Attributes:
        model: The model.
        answer_type: Content type of the answer, one of `ANSWER_TYPES`.
        layers: Layers in a JSON answer, of `LAYERS`.
        opacity: Opacity of the colours of an overlay, in 0..1.
    """

    model: ServedModel
    answer_type: str
    layers: tuple[str, ...] = ()
    opacity: float = 0.5


def request_options(
    query: QueryParams, headers: Headers, models: Mapping[str, ServedModel]
) -> RequestOptions:
    """Read what a request asks for.

    Args:
        query: The parameters of its address.
        headers: Its headers.
        models: The models by their ids; the first is the default.

    Raises:
        RequestRefusedError: If a parameter is wrong or unknown, or no type is acceptable.
    """
    answer_type = negotiated_type(headers.getlist("accept"))
    given = _checked_query(query)
    wanted = given.get("model", next(iter(models)))
    if wanted not in models:
        raise RequestRefusedError(
            404, f"model: found {wanted[:80]!r}, expected {_listed(list(models))}"
        )
    return RequestOptions(
        models[wanted], answer_type, _layers(given), _opacity(given.get("opacity", "0.5"))
    )


def negotiated_type(accept: Sequence[str]) -> str:
    """Choose the type of an answer by the Accept headers of a request (RFC 9110, 12.5.1).

    The type of the highest quality is taken; of equal ones JSON, then a mask, then an overlay.

    Raises:
        RequestRefusedError: If none is acceptable.
    """
    ranges = [_media_range(text) for line in accept for text in line.split(",") if text.strip()]
    if not ranges:
        return JSON
    qualities = {offer: _quality(offer, ranges) for offer in ANSWER_TYPES}
    best = max(ANSWER_TYPES, key=qualities.__getitem__)
    if qualities[best] <= 0:
        raise RequestRefusedError(
            406, f"Accept: found no type that this server gives; expected {_listed(ANSWER_TYPES)}"
        )
    return best


def _media_range(text: str) -> tuple[str, float]:
    """Return a media range and its quality."""
    name, *parameters = (part.strip().lower() for part in text.split(";"))
    quality = 1.0
    for parameter in parameters:
        if parameter.startswith("q="):
            try:
                quality = float(parameter[2:])
            except ValueError:
                quality = 0.0
    return name, quality


def _quality(offer: str, ranges: Sequence[tuple[str, float]]) -> float:
    """Return the quality of a type by the most specific range that holds it."""
    for name in (offer, f"{offer.partition('/')[0]}/*", "*/*"):
        found = [quality for each, quality in ranges if each == name]
        if found:
            return max(found)
    return 0.0


def _checked_query(query: QueryParams) -> dict[str, str]:
    """Return the parameters by name, each once."""
    given: dict[str, str] = {}
    for name, value in query.multi_items():
        if name not in _PARAMETERS:
            near = get_close_matches(name, _PARAMETERS, 1)
            hint = f"did you mean {near[0]}?" if near else f"expected {_listed(_PARAMETERS)}"
            raise RequestRefusedError(400, f"{name[:80]!r}: no parameter of this address; {hint}")
        if name in given:
            raise RequestRefusedError(400, f"{name}: found twice in the address; give it once")
        given[name] = value
    return given


def _layers(given: Mapping[str, str]) -> tuple[str, ...]:
    text = given.get("layers", "")
    wanted = [name.strip() for name in text.split(",")] if text else []
    if not set(wanted) <= set(LAYERS):
        raise RequestRefusedError(
            400, f"layers: found {text[:80]!r}, expected {_listed(LAYERS)}, with commas"
        )
    return tuple(name for name in LAYERS if name in wanted)


def _opacity(text: str) -> float:
    try:
        opacity = float(text)
    except ValueError:
        opacity = -1.0
    if not 0 <= opacity <= 1:
        raise RequestRefusedError(400, f"opacity: found {text[:80]!r}, expected 0..1, such as 0.5")
    return opacity


def _listed(names: Sequence[str]) -> str:
    if len(names) <= 2:
        return " or ".join(names)
    return f"{', '.join(names[:-1])} or {names[-1]}"
