"""The page of the viewer and its files."""

import hashlib
from pathlib import PurePath

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from sceneparse.serving.refusals import RequestRefusedError
from sceneparse.viewer import CONTENT_TYPES, asset, asset_names

_PAGE = "page.html"
# Nothing from other hosts; images also from memory, where the page draws them.
_POLICY = "; ".join(
    (
        "default-src 'self'",
        "img-src 'self' blob: data:",
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'self'",
    )
)


def page_routes() -> list[BaseRoute]:
    """Return the routes of the page, `/`, and of its files, `/assets/NAME`."""
    contents = {name: asset(name) for name in asset_names()}

    async def page(request: Request) -> Response:
        return _file(request, _PAGE, contents[_PAGE])

    async def file(request: Request) -> Response:
        name: str = request.path_params["name"]
        if name not in contents:
            raise RequestRefusedError(404, "there is no such file of the page")
        return _file(request, name, contents[name])

    return [Route("/", page), Route("/assets/{name}", file)]


def _file(request: Request, name: str, content: bytes) -> Response:
    """Answer with a file, or that the browser has it already."""
    tag = f'"{hashlib.sha256(content).hexdigest()[:16]}"'
    headers = {
        "Content-Security-Policy": _POLICY,
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-cache",
        "ETag": tag,
    }
    if tag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    kind = CONTENT_TYPES.get(PurePath(name).suffix, "application/octet-stream")
    return Response(content, headers=headers, media_type=kind)
