"""The app: addresses, and what each answers."""

from collections.abc import Sequence
from functools import partial
from time import perf_counter
from typing import Any

from fastapi import FastAPI, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.types import Receive

from sceneparse import __version__
from sceneparse.serving.api_description import (
    HealthAnswer,
    LabelsAnswer,
    error_answers,
    segment_answers,
    segment_request,
)
from sceneparse.serving.http_messages import (
    CountedRequests,
    FinishedBodies,
    RequireToken,
    SafeHeaders,
)
from sceneparse.serving.page_routes import page_routes
from sceneparse.serving.refusals import (
    ClientGoneError,
    RequestRefusedError,
    error_response,
    stopping,
)
from sceneparse.serving.request_options import request_options
from sceneparse.serving.service import SegmentationService
from sceneparse.serving.uploads import Upload, receive_upload

_DESCRIPTION = """Segments images. Send one to `/v1/segment`; the models and their classes are at
`/v1/labels`. Errors are JSON with one sentence, `error`."""
# Nobody reads it: the client has gone.
_CLIENT_CLOSED_REQUEST = 499


def create_app(
    service: SegmentationService, *, token: str | None = None, cors: Sequence[str] = ()
) -> FastAPI:
    """Create the app of a service.

    Args:
        service: Segments the images.
        token: What requests to `/v1/` and `/metrics` must bring; None if they need nothing.
        cors: Origins whose pages may ask, such as `https://example.org`, or `*`.
    """
    app = FastAPI(
        title="sceneparse",
        version=__version__,
        description=_DESCRIPTION,
        # The pages of FastAPI load scripts from other hosts.
        docs_url=None,
        redoc_url=None,
        routes=page_routes(),
        middleware=_middleware(service, token, cors),
        separate_input_output_schemas=False,
    )
    _add_api(app, service)
    for kind in (RequestRefusedError, HTTPException, ClientGoneError, Exception):
        app.add_exception_handler(kind, _error_answer)
    describe = app.openapi
    app.openapi = lambda: _with_security(describe(), token)
    return app


def _middleware(
    service: SegmentationService, token: str | None, cors: Sequence[str]
) -> list[Middleware]:
    """Return what wraps every request, from the outside to the inside."""
    wrappers = [
        Middleware(FinishedBodies, max_bytes=2 * service.bounds.max_body_bytes),
        Middleware(CountedRequests, metrics=service.metrics),
        Middleware(SafeHeaders),
    ]
    if cors:
        # Outside of the token: a browser asks for permission without it.
        wrappers.append(
            Middleware(
                CORSMiddleware,
                allow_origins=list(cors),
                allow_methods=["GET", "POST"],
                allow_headers=["Authorization", "Content-Type"],
                expose_headers=["Retry-After"],
            )
        )
    if token is not None:
        wrappers.append(Middleware(RequireToken, token=token))
    return wrappers


def _add_api(app: FastAPI, service: SegmentationService) -> None:
    app.state.service = service
    app.add_api_route(
        "/v1/labels",
        labels,
        summary="List models and classes",
        response_model=LabelsAnswer,
        responses=error_answers(401, 500),
    )
    app.add_api_route(
        "/v1/segment",
        segment,
        methods=["POST"],
        summary="Segment an image",
        response_model=None,
        responses=segment_answers(),
        openapi_extra=segment_request(list(service.models)),
    )
    app.add_api_route(
        "/healthz",
        health,
        summary="Ask whether images are taken",
        response_model=HealthAnswer,
        responses=error_answers(500, 503),
    )
    app.add_api_route(
        "/metrics",
        metrics,
        summary="Measure the server, for Prometheus",
        response_class=Response,
        responses={
            200: {"content": {"text/plain": {"schema": {"type": "string"}}}},
            **error_answers(401, 500),
        },
    )


async def labels(request: Request) -> dict[str, Any]:
    """List the models and their classes, in the order of train ids."""
    service: SegmentationService = request.app.state.service
    return {"models": [model.document() for model in service.models.values()]}


async def health(request: Request) -> dict[str, Any]:
    """Say that images are taken; 503 while the server is being stopped."""
    service: SegmentationService = request.app.state.service
    if service.is_stopping:
        raise stopping()
    return {"status": "ok", "version": __version__, "models": list(service.models)}


async def metrics(request: Request) -> Response:
    """Return counters and histograms in the text format of Prometheus."""
    service: SegmentationService = request.app.state.service
    return Response(service.metrics.text(), media_type=CONTENT_TYPE_LATEST)


async def segment(request: Request) -> Response:
    """Segment the image in the body: its bytes, or multipart/form-data with a file `image`.

    The answer is JSON, a mask as PNG or an overlay as JPEG, as the Accept header says.
    """
    service: SegmentationService = request.app.state.service
    start = perf_counter()
    options = request_options(request.query_params, request.headers, service.models)
    service.check_capacity()
    upload = Upload(service.bodies, service.bounds.max_body_bytes)
    try:
        await service.receive(receive_upload(request, upload, service.bounds))
    except BaseException:
        upload.release()
        raise
    body = await service.answer(upload, options, partial(_until_gone, request.receive))
    service.metrics.observe_request(perf_counter() - start)
    return Response(body, media_type=options.answer_type, headers={"Vary": "Accept"})


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _error_answer(_request: Request, error: Exception) -> Response:
    match error:
        case RequestRefusedError():
            return error_response(error.status, error.message, error.headers)
        case ClientGoneError():
            return Response(status_code=_CLIENT_CLOSED_REQUEST)
        case HTTPException():
            message = _OF_ROUTING.get(error.status_code, str(error.detail))
            return error_response(error.status_code, message, error.headers)
        case _:
            return error_response(500, "the server made a mistake; its log tells more")


_OF_ROUTING = {
    404: "there is nothing at this address; images go to /v1/segment, and /openapi.json tells more",
    405: "this address does not take this method; the header Allow names those that it takes",
}


def _with_security(document: dict[str, Any], token: str | None) -> dict[str, Any]:
    """Describe the token, and leave out an error that FastAPI adds."""
    for path, operations in document["paths"].items():
        for operation in operations.values():
            operation["responses"].pop("422", None)
            if token is not None and path not in ("/healthz",):
                operation["security"] = [{"token": []}]
    if token is not None:
        schemes = document.setdefault("components", {}).setdefault("securitySchemes", {})
        schemes["token"] = {"type": "http", "scheme": "bearer"}
    return document
