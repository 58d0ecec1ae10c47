"""The training animation: how predictions change from epoch to epoch."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from sceneparse.artifacts.writing import atomic_write
from sceneparse.drawing import RgbImage

MAX_COLORS = 255  # Pillow takes the 256th as transparent, for pixels that do not change
NUM_EXACT_COLORS = 80
PALETTE_FRAMES = 12
# The palette takes 0.25 s; from five times as many pixels 1.3 s, with an error 2 % larger.
PALETTE_PIXELS = 20_000
LAST_FRAME_S = 2.5


def progress_gif(
    frames: Sequence[Path], out: Path, width: int = 720, seconds_per_frame: float = 0.7
) -> None:
    """Write the panels of successive epochs as an animated GIF that loops.

    All frames share one palette. It holds the most frequent colours exactly, which are those of
    the classes and the page; the rest of it approximates the colours of the images.

    Args:
        frames: Image files in order.
        out: GIF file to write.
        width: Width of the animation in pixels.
        seconds_per_frame: Duration of a frame in seconds; the last frame takes longer.

    Raises:
        ValueError: If there are no frames.
    """
    if not frames:
        raise ValueError("no frames: give at least one image")
    pages = _same_height([_read(path, width) for path in frames])
    step = -(-len(pages) // PALETTE_FRAMES)
    palette = _shared_palette(np.stack(pages[::-step]))
    images = [_image(indices, palette) for indices in _palette_indices(pages, palette)]
    last_s = max(LAST_FRAME_S, seconds_per_frame)
    seconds = [seconds_per_frame] * (len(images) - 1) + [last_s]
    durations = [round(1000 * duration) for duration in seconds]
    more = {"save_all": True, "append_images": images[1:], "duration": durations, "loop": 0}
    with atomic_write(out) as temporary:
        images[0].save(temporary, "GIF", **more)


def _read(path: Path, width: int) -> RgbImage:
    with Image.open(path) as image:
        size = (width, max(1, round(image.height * width / image.width)))
        # Unlike Lanczos, this filter does not overshoot, so flat areas keep their colour.
        return np.asarray(image.convert("RGB").resize(size, Image.Resampling.HAMMING))


def _same_height(images: list[RgbImage]) -> list[RgbImage]:
    """Pad images at the bottom with white to the height of the tallest."""
    height = max(image.shape[0] for image in images)
    return [
        np.pad(image, ((0, height - len(image)), (0, 0), (0, 0)), constant_values=255)
        for image in images
    ]


def _shared_palette(images: RgbImage) -> RgbImage:
    """Choose colours `(n, 3)`, n <= 255, for images `(N, H, W, 3)`."""
    codes, counts = np.unique(_packed(images), return_counts=True)
    by_count = codes[np.argsort(-counts, kind="stable")]
    exact = by_count[:NUM_EXACT_COLORS]
    if len(by_count) <= MAX_COLORS:
        return _unpacked(by_count)
    others = images[~np.isin(_packed(images), exact)]
    sample = Image.fromarray(others[np.newaxis, :: -(-len(others) // PALETTE_PIXELS)])
    quantized = sample.quantize(MAX_COLORS - len(exact), Image.Quantize.MEDIANCUT, kmeans=2)
    return np.concatenate([_unpacked(exact), _palette_of(quantized)])


def _palette_indices(images: Sequence[RgbImage], palette: RgbImage) -> Iterator[NDArray[np.uint8]]:
    """Convert images to palette indices `(H, W)`; pixels that do not change keep their index.

    Otherwise dithering spreads a change in one corner of the page over the images beside it: they
    flicker, and every frame stores them again.
    """
    indices = _indexed(images[0], palette)
    yield indices
    for previous, current in pairwise(images):
        same = (previous == current).all(axis=-1)
        indices = np.where(same, indices, _indexed(current, palette))
        yield indices


def _indexed(image: RgbImage, palette: RgbImage) -> NDArray[np.uint8]:
    """Convert an image to palette indices, dithering only colours that the palette lacks.

    Pillow compares colours with six bits per channel, so exact colours are looked up here. Pixels
    next to exact colours are not dithered, which would make edges dotted lines.
    """
    codes, order = np.unique(_packed(palette), return_index=True)
    image_codes = _packed(image)
    position = np.searchsorted(codes, image_codes).clip(max=len(codes) - 1)
    exact = codes[position] == image_codes
    edge = np.asarray(Image.fromarray(exact).convert("L").filter(ImageFilter.MaxFilter(3))) > 0
    nearest = _quantized(image, palette, Image.Dither.NONE)
    dithered = _quantized(image, palette, Image.Dither.FLOYDSTEINBERG)
    return np.where(exact, order[position], np.where(edge, nearest, dithered)).astype(np.uint8)


def _quantized(image: RgbImage, palette: RgbImage, dither: Image.Dither) -> NDArray[np.uint8]:
    palette_image = _image(np.zeros((1, 1), dtype=np.uint8), palette)
    return np.asarray(Image.fromarray(image).quantize(palette=palette_image, dither=dither))


def _image(indices: NDArray[np.uint8], palette: RgbImage) -> Image.Image:
    image = Image.fromarray(indices)
    image.putpalette(palette.tobytes())
    return image


def _palette_of(image: Image.Image) -> RgbImage:
    return np.array(image.getpalette(), dtype=np.uint8).reshape(-1, 3)


def _packed(colors: RgbImage) -> NDArray[np.uint32]:
    """Pack colours `(..., 3)` into integers `(...)`, which compare faster."""
    red, green, blue = np.moveaxis(colors.astype(np.uint32), -1, 0)
    return (red << 16) | (green << 8) | blue


def _unpacked(codes: NDArray[np.uint32]) -> RgbImage:
    return np.stack([codes >> 16, codes >> 8 & 255, codes & 255], axis=-1).astype(np.uint8)
