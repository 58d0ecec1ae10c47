"""Uploads that are broken at random or on purpose; the same seed gives the same uploads."""

import gzip
import random
import struct
import zlib
from collections.abc import Iterator
from functools import cache
from io import BytesIO
from typing import NamedTuple

import numpy as np
from PIL import Image, PngImagePlugin

from sceneparse.scenes import draw_scene
from serve_process import form_of

KINDS = ("whole", "cut", "mutated", "bomb", "wrong type", "form", "address", "garbage")
_WEIGHTS = (1, 4, 8, 2, 2, 3, 1, 2)
_ACCEPTED = (
    "*/*",
    "application/json",
    "image/png",
    "image/jpeg",
    "text/html",
    "image/*;q=0.5",
    ";;",
)
_TYPES = ("image/jpeg", "image/png", "application/octet-stream", "", "image/x-unknown")
_WRONG_TYPES = (
    *("text/plain", "application/json", "application/x-www-form-urlencoded", "text/html"),
    *("multipart/form-data", "multipart/form-data; boundary=", "multipart/mixed; boundary=x"),
    *("application/pdf", "image", "video/mp4", "multipart/form-data; boundary=x; charset=nothing"),
)
_QUERIES = (
    *(
        "?model=none",
        "?model=",
        "?layers=labels,labels",
        "?layers=all",
        "?opacity=nan",
        "?opacity=2",
    ),
    *("?opacity=1e999", "?nothing=1", "?model=bundled&model=bundled", "?%00=%ff", "?layers=,"),
    *("?layers=confidence", "?opacity=0", "?" + "a" * 3000),
)


class BrokenUpload(NamedTuple):
    """A request to `/v1/segment`.

    Attributes:
        kind: One of `KINDS`.
        path: Path with query.
        body: The body.
        headers: The headers.
    """

    kind: str
    path: str
    body: bytes
    headers: dict[str, str]


def broken_uploads(count: int, seed: int = 0) -> Iterator[BrokenUpload]:
    """Yield uploads of all kinds, in random order.

    Args:
        count: How many.
        seed: Determines them.
    """
    for number in range(count):
        random_ = random.Random(1_000_003 * seed + number)  # noqa: S311 - repeatable, not secret
        yield _upload(random_)


def _upload(random_: random.Random) -> BrokenUpload:
    (kind,) = random_.choices(KINDS, _WEIGHTS)
    image = random_.choice(whole_images())
    path = "/v1/segment" + random_.choice(("", "", "?layers=labels,confidence"))
    headers = {"Content-Type": random_.choice(_TYPES), "Accept": random_.choice(_ACCEPTED[:4])}
    if kind == "form":
        image, of_form = form_of(mutated(image, random_) if random_.random() < 0.5 else image)
        headers |= of_form
        if random_.random() < 0.7:
            image = mutated(image, random_, only_start=300)
    elif kind == "wrong type":
        headers["Content-Type"] = random_.choice(_WRONG_TYPES)
        headers["Accept"] = random_.choice(_ACCEPTED)
        if random_.random() < 0.2:
            headers["Content-Encoding"] = "gzip"
    elif kind == "address":
        path = "/v1/segment" + random_.choice(_QUERIES)
    else:
        image = _body(kind, image, random_)
    headers = {name: value for name, value in headers.items() if value}
    return BrokenUpload(kind, path, image, headers)


def _body(kind: str, image: bytes, random_: random.Random) -> bytes:
    match kind:
        case "cut":
            return image[: random_.randrange(len(image))]
        case "mutated":
            return mutated(image, random_)
        case "bomb":
            return random_.choice(bombs())
        case "garbage":
            return random_.randbytes(random_.choice((1, 12, 400, 50_000)))
        case _:
            return image


def mutated(content: bytes, random_: random.Random, only_start: int | None = None) -> bytes:
    """Overwrite, insert, delete or repeat bytes; most often in the header of the file.

    Args:
        content: The bytes of a file.
        random_: Decides.
        only_start: How many bytes of the beginning may change; None for all.
    """
    changed = bytearray(content)
    for _ in range(random_.choice((1, 1, 2, 4, 30))):
        near = only_start or random_.choice((40, 400, len(changed)))
        at = random_.randrange(max(1, min(near, len(changed))))
        match random_.randrange(5):
            case 0 | 1:
                changed[at : at + 1] = random_.randbytes(1)
            case 2:
                changed[at : at + 4] = random_.choice(
                    (b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x7f\xff\xff\xff", b"\0\0\0\1")
                )
            case 3:
                del changed[at : at + random_.choice((1, 4, 100))]
            case _:
                changed[at:at] = changed[at : at + 64] * random_.choice((1, 2, 50))
    return bytes(changed)


@cache
def whole_images() -> list[bytes]:
    """Return small images in all formats that Pillow writes here."""
    scene = Image.fromarray(draw_scene(0, 0, 60, 80)[0])
    turned = Image.Exif()
    turned[0x0112] = 6
    deep = Image.fromarray(np.asarray(scene.convert("L")).astype(np.uint16) * 257)
    palette = scene.quantize(16)
    saved: list[tuple[Image.Image, str, dict[str, object]]] = [
        (scene, "JPEG", {"quality": 90}),
        (scene, "JPEG", {"progressive": True, "exif": turned}),
        (scene.convert("L"), "JPEG", {}),
        (scene.convert("CMYK"), "JPEG", {}),
        (scene, "PNG", {}),
        (deep, "PNG", {}),
        (palette, "PNG", {"transparency": 3}),
        (scene.convert("RGBA"), "PNG", {}),
        (scene.convert("1"), "PNG", {}),
        *((scene, "TIFF", {"compression": each}) for each in ("raw", "tiff_lzw", "tiff_deflate")),
        (scene, "TIFF", {"compression": "jpeg"}),
        (deep, "TIFF", {}),
        (scene, "WEBP", {"lossless": True}),
        (scene, "WEBP", {}),
        (scene, "AVIF", {"speed": 10}),
        (scene, "HEIF", {}),
        (scene, "JPEG2000", {}),
        (scene, "BMP", {}),
        (palette, "GIF", {}),
        *((scene, name, {}) for name in ("TGA", "PCX", "SGI", "DDS", "PPM")),
        # Not taken from strangers.
        *((scene, name, {}) for name in ("EPS", "ICO", "PDF")),
    ]
    if _registers_heif():
        return [_saved(*each) for each in saved]
    return [_saved(*each) for each in saved if each[1] != "HEIF"]


def _registers_heif() -> bool:
    try:
        import pillow_heif
    except ModuleNotFoundError:
        return False
    pillow_heif.register_heif_opener()
    return True


def _saved(image: Image.Image, kind: str, options: dict[str, object]) -> bytes:
    file = BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


@cache
def bombs() -> list[bytes]:
    """Return files that say they are huge, or that become so when they are unpacked."""
    text = PngImagePlugin.PngInfo()
    text.add_text("bomb", "0" * 60_000_000, zip=True)
    tiny = Image.new("L", (8, 8))
    several = BytesIO()
    tiny.save(several, "TIFF", save_all=True, append_images=[tiny] * 400)
    animated = BytesIO()
    frames = [Image.new("P", (8, 8), number) for number in range(200)]
    frames[0].save(animated, "GIF", save_all=True, append_images=frames[1:])
    jpeg = bytearray(_saved(Image.new("RGB", (16, 16)), "JPEG", {}))
    start = jpeg.index(b"\xff\xc0") + 5
    jpeg[start : start + 4] = struct.pack(">HH", 65500, 65500)
    return [
        _png(60_000, 60_000, b"\0" * 100),
        _png(10_000, 12_000, b"\0" * 100),
        _png(9_000, 9_000, bytes(9_001 * 9_000)),
        # Just within the bound of pixels.
        _png(5_000, 4_990, bytes(5_001 * 4_990)),
        _png(4_000_000_000, 1, b"\0" * 100),
        _png(0, 0, b""),
        _saved(tiny, "PNG", {"pnginfo": text}),
        _saved(tiny, "PNG", {"icc_profile": bytes(40_000_000)}),
        _saved(Image.new("1", (20_000, 20_000)), "TIFF", {"compression": "group4"}),
        several.getvalue(),
        animated.getvalue(),
        bytes(jpeg),
        gzip.compress(bytes(100_000_000), 1),
        b"P6 100000 100000 255\n" + bytes(100),
        b"P5 4999 4999 255\n" + bytes(100),
        b"BM" + struct.pack("<IHHIIiiHHIIiiII", 0, 0, 0, 54, 40, 2**30, -(2**30), 1, 24, *(0,) * 6),
        b"II*\0" + struct.pack("<I", 8) + struct.pack("<H", 0xFFFF) + bytes(100),
        _endless_tiff(),
    ]


def _png(width: int, height: int, rows: bytes) -> bytes:
    """Return a PNG of 8-bit grey whose header may lie."""
    chunks = [
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)),
        (b"IDAT", zlib.compress(rows, 1)),
        (b"IEND", b""),
    ]
    parts = [
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in chunks
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def _endless_tiff() -> bytes:
    """Return a TIFF with very many directories, each of one tag."""
    head, count = b"II*\0" + struct.pack("<I", 8), 50_000
    entry = struct.pack("<HHHII", 1, 256, 4, 1, 8)
    return head + b"".join(
        entry + struct.pack("<I", 8 + (number + 1) * 18) for number in range(count)
    )
