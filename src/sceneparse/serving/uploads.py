"""The image in the body of a request, read within bounds of size, time and format."""

import asyncio
import math
from collections.abc import AsyncGenerator
from typing import Any

from PIL import PngImagePlugin
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import create_form_parser
from starlette.requests import ClientDisconnect, Request

from sceneparse.data.io.opening import open_image
from sceneparse.serving.refusals import ClientGoneError, RequestRefusedError
from sceneparse.serving.server_settings import ServerSettings

IMAGE_FIELD = "image"
_MULTIPART = "multipart/form-data"
_OCTETS = "application/octet-stream"
_MAX_PARTS = 8
_HOW = (
    f"send the bytes of an image with a content type such as image/jpeg, or {_MULTIPART} with a "
    f"file field `{IMAGE_FIELD}`"
)


class BodyBudget:
    """Counts the bytes of the bodies that are held.

    Attributes:
        max_bytes: Most bytes at a time.
        held: Bytes that are held now.
    """

    def __init__(self, max_bytes: int) -> None:
        """Set the bound."""
        self.max_bytes = max_bytes
        self.held = 0


class Upload:
    """A body that arrives: its bytes, which count until it is released."""

    def __init__(self, budget: BodyBudget, max_bytes: int) -> None:
        """Take what all bodies may have, and what one may have."""
        self.content = b""
        self._budget = budget
        self._max_bytes = max_bytes
        self._bytes = 0

    def count(self, added: int) -> None:
        """Count bytes that have arrived.

        Raises:
            RequestRefusedError: If they are more than one body or all bodies may have.
        """
        self._bytes += added
        self._budget.held += added
        self.check_size(self._bytes)
        if self._budget.held > self._budget.max_bytes:
            raise RequestRefusedError(
                429,
                "the server receives too much at the moment; send the image again later",
                {"Retry-After": "2"},
            )

    def check_size(self, size: int) -> None:
        """Check the size of a body.

        Raises:
            RequestRefusedError: If it is too large.
        """
        if size > self._max_bytes:
            raise RequestRefusedError(
                413,
                f"found a body of more than {self._max_bytes / 1e6:g} MB, the most that this "
                "server takes; send a smaller image",
            )

    def release(self) -> None:
        """Forget the bytes; a second time does nothing."""
        self._budget.held -= self._bytes
        self._bytes = 0
        self.content = b""


async def receive_upload(request: Request, upload: Upload, bounds: ServerSettings) -> None:
    """Receive the image of a request.

    Args:
        request: The request, whose body nobody has read.
        upload: Where the bytes go.
        bounds: The bounds of the server.

    Raises:
        RequestRefusedError: If the body is of another type, empty, broken, too large or too slow.
        ClientGoneError: If the client closes the connection.
    """
    kind = _checked_kind(request)
    length = request.headers.get("content-length", "")
    if length.isdecimal():
        upload.check_size(int(length))
    try:
        async with asyncio.timeout(bounds.body_timeout_s):
            chunks = _chunks(request, upload)
            if kind == _MULTIPART:
                content = await _image_of_form(request.headers["content-type"], chunks)
            else:
                content = b"".join([chunk async for chunk in chunks])
    except TimeoutError:
        raise RequestRefusedError(
            408,
            f"the body did not arrive within {bounds.body_timeout_s:g} seconds; send a smaller "
            "image, or over a faster connection",
        ) from None
    except ClientDisconnect:
        raise ClientGoneError from None
    if not content:
        raise RequestRefusedError(400, f"found an empty body, expected an image; {_HOW}")
    upload.content = content


def _checked_kind(request: Request) -> str:
    """Return the content type of a request, without parameters."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in ("", _OCTETS, _MULTIPART) and not kind.startswith("image/"):
        advice = ""
        if kind == "application/x-www-form-urlencoded":
            advice = "; curl's --data-binary needs -H 'Content-Type: application/octet-stream'"
        raise RequestRefusedError(415, f"found content type {_shown(kind)}; {_HOW}{advice}")
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding != "identity":
        raise RequestRefusedError(
            415,
            f"found content encoding {_shown(encoding)}; send the image as it is",
            {"Accept-Encoding": "identity"},
        )
    return kind


def _shown(text: str) -> str:
    """Return text of a client as it may stand in a message."""
    return repr(text if len(text) <= 80 else f"{text[:80]}…")


async def _chunks(request: Request, upload: Upload) -> AsyncGenerator[bytes]:
    async for chunk in request.stream():
        upload.count(len(chunk))
        yield chunk


async def _image_of_form(content_type: str, chunks: AsyncGenerator[bytes]) -> bytes:
    """Return the file of a form, which is held in memory, never on disk."""
    form = _ImageForm()
    try:
        parser = create_form_parser(
            {"Content-Type": content_type.encode("latin-1")},
            form.skip_field,
            form.take_file,
            {"MAX_MEMORY_FILE_SIZE": math.inf},
        )
        async for chunk in chunks:
            parser.write(chunk)
        parser.finalize()
    except (FormParserError, ValueError) as error:
        raise RequestRefusedError(400, f"found broken {_MULTIPART} ({error}); {_HOW}") from None
    if form.content is None:
        raise RequestRefusedError(
            400, f"found {_MULTIPART} without a whole file field `{IMAGE_FIELD}`; {_HOW}"
        )
    return form.content


class _ImageForm:
    """The parts of a form: one file, and few others that nobody reads."""

    def __init__(self) -> None:
        self.content: bytes | None = None
        self._parts = 0

    def skip_field(self, _field: Any) -> None:
        self._count()

    def take_file(self, file: Any) -> None:
        self._count()
        if file.field_name != IMAGE_FIELD.encode() or self.content is not None:
            raise RequestRefusedError(
                400, f"found other files than one field `{IMAGE_FIELD}`; send one image a request"
            )
        self.content = file.file_object.getvalue()
        file.close()

    def _count(self) -> None:
        self._parts += 1
        if self._parts > _MAX_PARTS:
            raise RequestRefusedError(
                400, f"found more than {_MAX_PARTS} parts in {_MULTIPART}; send the image alone"
            )


# Pillow's names of the formats of `data.io.decode.IMAGE_SUFFIXES`. It knows many more, whose
# readers are seldom tried.
ACCEPTED_FORMATS = frozenset(
    {
        *("JPEG", "MPO", "PNG", "TIFF", "WEBP", "AVIF", "HEIF", "JPEG2000", "BMP", "DIB", "GIF"),
        *("PCX", "SGI", "TGA", "DDS", "PPM"),
    }
)
_TIFF_SIGNATURES = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


def check_format(content: bytes) -> None:
    """Check the format of an image by its header.

    Raises:
        RequestRefusedError: If it is another format than those of data sets.
        InputError: If it is not an image, is too large, or is broken.
    """
    if content.startswith(_TIFF_SIGNATURES):
        return  # It may be one that Pillow does not know and rasterio reads.
    with open_image(content) as image:
        found = image.format
    if found not in ACCEPTED_FORMATS:
        raise RequestRefusedError(
            415, f"found an image of format {found}; convert it to JPEG or PNG"
        )


def limit_text_of_images() -> None:
    """Lower the memory that the compressed texts of a PNG may take, for the whole process.

    Data sets hold files of editors with long histories; strangers send bombs.
    """
    PngImagePlugin.MAX_TEXT_CHUNK = 2**24
    PngImagePlugin.MAX_TEXT_MEMORY = 2**25
