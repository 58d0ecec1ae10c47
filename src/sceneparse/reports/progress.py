"""A animation of how the predictions become better."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from sceneparse.drawing import RgbImage

COLORS = 255  # the 256th is left to Pillow: "transparent" marks what did not change
EXACT_COLORS = 80
FRAMES_FOR_PALETTE = 12
# On these the palette takes 0.25 s, on five times as many 1.3 s, and the error is larger by 2 %.
PIXELS_FOR_PALETTE = 20_000
LAST_FRAME_S = 2.5


def progress_gif(
    frames: Sequence[Path], out: Path, width: int = 720, seconds_per_frame: float = 0.7
) -> None:
    """Join the panels of successive epochs into an animated GIF that loops.

    All frames share one palette. It holds the most frequent colours exactly, which are those of
    the classes and of the page, and the photos share the rest of it.

    Args:
        frames: Images in their order.
        out: GIF file to write.
        width: Width of the animation in pixels.
        seconds_per_frame: How long a frame is seen; the last one stays longer.

    Raises:
        ValueError: If there are no frames.
    """
    if not frames:
        raise ValueError("no frames: give at least one image")
    pages = _same_size([_read(path, width) for path in frames])
    every = -(-len(pages) // FRAMES_FOR_PALETTE)
    palette = _shared_palette(np.stack(pages[::-every]))
    images = [_image(indices, palette) for indices in _animation(pages, palette)]
    last = max(LAST_FRAME_S, seconds_per_frame)
    seconds = [seconds_per_frame] * (len(images) - 1) + [last]
    durations = [round(1000 * duration) for duration in seconds]
    out.parent.mkdir(parents=True, exist_ok=True)
    images[0].save(out, save_all=True, append_images=images[1:], duration=durations, loop=0)


def _read(path: Path, width: int) -> RgbImage:
    with Image.open(path) as image:
        size = (width, max(1, round(image.height * width / image.width)))
        # Unlike Lanczos, this filter does not overshoot: flat colours stay what they are.
        return np.asarray(image.convert("RGB").resize(size, Image.Resampling.HAMMING))


def _same_size(images: list[RgbImage]) -> list[RgbImage]:
    """Add white beneath the shorter images."""
    height = max(image.shape[0] for image in images)
    return [
        np.pad(image, ((0, height - len(image)), (0, 0), (0, 0)), constant_values=255)
        for image in images
    ]


def _shared_palette(images: RgbImage) -> RgbImage:
    """Choose colours `(n, 3)`, n <= 255, for images `(N, H, W, 3)`."""
    codes, counts = np.unique(_packed(images), return_counts=True)
    by_count = codes[np.argsort(-counts, kind="stable")]
    exact = by_count[:EXACT_COLORS]
    if len(by_count) <= COLORS:
        return _unpacked(by_count)
    others = images[~np.isin(_packed(images), exact)]
    sample = Image.fromarray(others[np.newaxis, :: -(-len(others) // PIXELS_FOR_PALETTE)])
    mixed = sample.quantize(COLORS - len(exact), Image.Quantize.MEDIANCUT, kmeans=2)
    return np.concatenate([_unpacked(exact), _palette_of(mixed)])


def _animation(images: Sequence[RgbImage], palette: RgbImage) -> Iterator[NDArray[np.uint8]]:
    """Turn images into palette indices `(H, W)`; what does not change keeps its index.

    Dithering alone would let a change in one corner of the page ripple through the photos beside
    it: they would flicker, and be stored again in every frame.
    """
    indices = _indexed(images[0], palette)
    yield indices
    for before, after in pairwise(images):
        same = (before == after).all(axis=-1)
        indices = np.where(same, indices, _indexed(after, palette))
        yield indices


def _indexed(image: RgbImage, palette: RgbImage) -> NDArray[np.uint8]:
    """Dither photos only: neither the colours that the palette holds nor the edges of their areas.

    Pillow alone would look up colours with six bits, and draw edges as dotted lines.
    """
    codes, order = np.unique(_packed(palette), return_index=True)
    wanted = _packed(image)
    place = np.searchsorted(codes, wanted).clip(max=len(codes) - 1)
    exact = codes[place] == wanted
    edge = np.asarray(Image.fromarray(exact).convert("L").filter(ImageFilter.MaxFilter(3))) > 0
    nearest = _quantized(image, palette, Image.Dither.NONE)
    dithered = _quantized(image, palette, Image.Dither.FLOYDSTEINBERG)
    return np.where(exact, order[place], np.where(edge, nearest, dithered)).astype(np.uint8)


def _quantized(image: RgbImage, palette: RgbImage, dither: Image.Dither) -> NDArray[np.uint8]:
    swatch = _image(np.zeros((1, 1), dtype=np.uint8), palette)
    return np.asarray(Image.fromarray(image).quantize(palette=swatch, dither=dither))


def _image(indices: NDArray[np.uint8], palette: RgbImage) -> Image.Image:
    image = Image.fromarray(indices)
    image.putpalette(palette.tobytes())
    return image


def _palette_of(image: Image.Image) -> RgbImage:
    return np.array(image.getpalette(), dtype=np.uint8).reshape(-1, 3)


def _packed(colors: RgbImage) -> NDArray[np.uint32]:
    """Join colours `(..., 3)` to numbers `(...)`, which compare faster."""
    red, green, blue = np.moveaxis(colors.astype(np.uint32), -1, 0)
    return (red << 16) | (green << 8) | blue


def _unpacked(codes: NDArray[np.uint32]) -> RgbImage:
    return np.stack([codes >> 16, codes >> 8 & 255, codes & 255], axis=-1).astype(np.uint8)
