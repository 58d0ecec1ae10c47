"""Write small videos for tests."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.container import OutputContainer
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
TICKS = 90_000  # a second in the unit of the times
AUDIO_RATE = 48_000


def moving_square(count: int, size: tuple[int, int] = (36, 48)) -> list[Pixels]:
    """A bright square that moves over a dark image, from the top left to the right."""
    frames: list[Pixels] = []
    for index in range(count):
        frame = np.full((*size, 3), (20, 40, 90), np.uint8)
        frame[2:14, 2 + index : 14 + index] = (230, 180, 60)
        frames.append(frame)
    return frames


def write_video(
    path: Path,
    frames: Sequence[Pixels],
    times_s: Sequence[float],
    *,
    codec: str = "libvpx-vp9",
    rotation: int = 0,
    pixel_ratio: int = 1,
    audio: str = "",
    start_s: float = 0.0,
) -> None:
    """Write RGB frames, and a tone as long as they last.

    Args:
        path: The file; its suffix decides the format.
        frames: The frames.
        times_s: When each is shown.
        codec: An encoder of FFmpeg.
        rotation: Degrees counter-clockwise by which players shall turn the frames.
        pixel_ratio: Width of a pixel by its height.
        audio: Encoder of the tone; empty for none.
        start_s: Added to all times.
    """
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25, options={"crf": "10"})
        assert isinstance(stream, av.VideoStream)
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = "yuv444p" if codec == "libx264" else "yuv420p"
        stream.codec_context.time_base = Fraction(1, TICKS)
        stream.codec_context.gop_size = 5
        stream.codec_context.sample_aspect_ratio = Fraction(pixel_ratio)
        stream.set_display_rotation(rotation)
        tone = container.add_stream(audio, rate=AUDIO_RATE, layout="mono") if audio else None
        for pixels, time_s in zip(frames, times_s, strict=True):
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts, frame.time_base = round((start_s + time_s) * TICKS), Fraction(1, TICKS)
            container.mux(stream.encode(frame))
        if tone is not None:
            assert isinstance(tone, av.AudioStream)
            _write_tone(container, tone, start_s, times_s[-1])
        container.mux(stream.encode(None))


def _write_tone(
    container: OutputContainer, stream: av.AudioStream, start_s: float, end_s: float
) -> None:
    samples = 960
    for begin in range(0, round(end_s * AUDIO_RATE), samples):
        wave = np.sin(np.arange(begin, begin + samples) * (2 * np.pi * 440 / AUDIO_RATE))
        values = (wave * 8000).astype(np.int16)[None]
        frame = av.AudioFrame.from_ndarray(values, format="s16", layout="mono")
        frame.sample_rate = AUDIO_RATE
        frame.pts = begin + round(start_s * AUDIO_RATE)
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))


def read_video(path: Path) -> tuple[list[Pixels], list[float]]:
    """Return the frames, as players show them without turning, and their times."""
    with av.open(str(path)) as container:
        decoded = list(container.decode(video=0))
        pixels = [np.asarray(frame.to_ndarray(format="rgb24"), np.uint8) for frame in decoded]
        return pixels, [float(frame.time or 0) for frame in decoded]
