"""Frames of video files, decoded one after the other by FFmpeg (PyAV)."""

from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from fractions import Fraction
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sceneparse.data.io.opening import check_pixels
from sceneparse.errors import InputError

if TYPE_CHECKING:
    from av import AudioStream, Packet, VideoFrame, VideoStream
    from av.container import InputContainer

INSTALL = 'pip install "sceneparse[video]"'
# Frames per second where a file does not say it.
_DEFAULT_RATE = 25
# Frames are at least so far apart: Matroska and WebM count milliseconds.
MIN_STEP_S = 0.001
# A file may end so much before the time that it states.
_MISSING_S, _MISSING_SHARE = 1.0, 0.05
# Pixels of DVDs and anamorphic films are up to twice as wide as high, or the other way round.
_MAX_PIXEL_RATIO = 4
# FFmpeg shows text files as videos of a terminal.
_NO_VIDEO_FORMATS = ("tty",)


class Frame(NamedTuple):
    """An image of a video.

    Attributes:
        time_s: When it is shown, in seconds from the start of the video.
        pixels: RGB `(H, W, 3)` in 0..255, upright and square.
        duration_s: How long it is shown, in seconds, as far as the file says it.
    """

    time_s: float
    pixels: NDArray[np.uint8]
    duration_s: float = 0.0


class VideoReader:
    """A video file while it is read, from its start to its end, once.

    Attributes:
        path: The file.
        video: Its video stream.
        audio: Its audio streams.
        error: Why the video is not complete; empty as long as it is.
    """

    def __init__(self, path: Path, container: "InputContainer", video: "VideoStream") -> None:
        """Take an opened file and the stream to read."""
        self.path = path
        self.video = video
        self.audio: list[AudioStream] = list(container.streams.audio)
        self.error = ""
        self._container = container
        # Some containers count from another time than 0; sound and frames do so alike.
        self._start = Fraction(container.start_time or 0, 10**6)
        self._last_s = -MIN_STEP_S
        self._read_s = 0.0
        self._broken_packets = 0

    @property
    def rate(self) -> Fraction:
        """Frames per second: the mean, where it varies."""
        rates = (self.video.average_rate, self.video.guessed_rate, Fraction(_DEFAULT_RATE))
        return next(rate for rate in rates if rate)

    @property
    def duration_s(self) -> float | None:
        """Length in seconds as the file states it; none if it does not."""
        if not self._container.duration:
            return None
        # Matroska states when it ends, others how long they are.
        counts_from_start = "matroska" not in self._container.format.name
        start = Fraction(0) if counts_from_start else self._start
        return float(Fraction(self._container.duration, 10**6) - start)

    @property
    def expected_frames(self) -> int | None:
        """Number of frames as the file states it, or about that many; none if not known."""
        if self.video.frames:
            return self.video.frames
        return None if self.duration_s is None else max(1, round(self.duration_s * self.rate))

    def frames(
        self, on_audio: "Callable[[Packet[Any]], object]" = lambda _: None
    ) -> Iterator[Frame]:
        """Decode the frames as players show them, all in the size of the first.

        They are turned as the file says, and become wider or narrower where their pixels are not
        square. What cannot be decoded is left out, and `error` says so.

        Args:
            on_audio: Called with each packet of sound, whose times are moved like those of frames.

        Raises:
            InputError: If no frame can be decoded.
        """
        size: tuple[int, int] | None = None
        for decoded in self._decoded(on_audio):
            size = size or self._shown_size(decoded)
            pixels = decoded.to_ndarray(format="rgb24", width=size[0], height=size[1])
            turns = round(decoded.rotation / 90)
            upright = np.ascontiguousarray(np.rot90(pixels, turns)).astype(np.uint8, copy=False)
            yield Frame(self._time_of(decoded), upright, self._duration_of(decoded))
        if size is None:
            raise InputError(
                f"{self.path}: no frame could be decoded; it is broken, so replace the file"
            )
        self._note_what_is_missing()

    def _shown_size(self, decoded: "VideoFrame") -> tuple[int, int]:
        """Return width and height in square pixels, before the frame is turned."""
        ratio = self.video.sample_aspect_ratio or Fraction(1)
        is_credible = 1 / _MAX_PIXEL_RATIO <= ratio <= _MAX_PIXEL_RATIO
        width = max(1, round(decoded.width * ratio)) if is_credible else decoded.width
        check_pixels(str(self.path), width, decoded.height)
        return width, decoded.height

    def _decoded(self, on_audio: "Callable[[Packet[Any]], object]") -> "Iterator[VideoFrame]":
        for packet in self._packets():
            self._note_time(packet)
            if packet.stream is self.video:
                yield from self._decode(packet)
            elif packet.dts is not None:
                shift = round(self._start / packet.time_base)
                packet.dts -= shift
                packet.pts = None if packet.pts is None else packet.pts - shift
                on_audio(packet)

    def _packets(self) -> "Iterator[Packet[Any]]":
        """Yield the packets to read; an unreadable rest of the file counts as a broken one."""
        from av.error import FFmpegError

        try:
            yield from self._container.demux(self.video, *self.audio)
        except FFmpegError:
            self._broken_packets += 1
            # The decoder still holds some frames.
            from av import Packet

            flush: Any = Packet()
            flush.stream = self.video
            yield flush

    def _decode(self, packet: "Packet[Any]") -> "list[VideoFrame]":
        from av.error import FFmpegError

        try:
            return packet.decode()
        except FFmpegError:
            self._broken_packets += 1
            return []

    def _note_time(self, packet: "Packet[Any]") -> None:
        """Remember how far the file was read, sound included."""
        if packet.pts is not None:
            end = (packet.pts + (packet.duration or 0)) * packet.time_base - self._start
            self._read_s = max(self._read_s, float(end))

    def _time_of(self, decoded: "VideoFrame") -> float:
        """Return the time of a frame; times that are missing or run backwards go on evenly."""
        if decoded.pts is None or decoded.time_base is None:
            step = float(1 / self.rate) if self._last_s >= 0 else MIN_STEP_S
            time_s = self._last_s + step
        else:
            time_s = float(decoded.pts * decoded.time_base - self._start)
        self._last_s = max(time_s, self._last_s + MIN_STEP_S)
        return self._last_s

    def _duration_of(self, decoded: "VideoFrame") -> float:
        if decoded.duration and decoded.time_base:
            return float(decoded.duration * decoded.time_base)
        return float(1 / self.rate)

    def _note_what_is_missing(self) -> None:
        stated_s, end_s = self.duration_s or 0.0, self._last_s + float(1 / self.rate)
        if self._broken_packets:
            count = self._broken_packets
            noun = "place" if count == 1 else "places"
            self.error = f"{self.path}: broken in {count} {noun}, up to {end_s:.1f} s"
        if stated_s - max(self._read_s, end_s) > max(_MISSING_S, _MISSING_SHARE * stated_s):
            self.error = f"{self.path}: cut off: {end_s:.1f} of {stated_s:.1f} s could be decoded"


@contextmanager
def open_video(path: Path) -> Generator[VideoReader]:
    """Open a video file.

    Raises:
        InputError: If PyAV is missing, or the file does not exist, cannot be read, holds no video,
            or one that is too large.
    """
    require_av()
    import av
    from av.error import FFmpegError

    if path.is_dir():
        raise InputError(f"{path}: is a folder; expected a video file")
    if not path.exists():
        raise InputError(f"{path}: no such file")
    try:
        # A playlist may not open other places, nor a name such as `a:b.mp4` mean a protocol.
        container = av.open(f"file:{path}", options={"protocol_whitelist": "file"})
    except FFmpegError as error:
        if isinstance(error, PermissionError):
            raise InputError(f"{path}: cannot be read ({error.strerror})") from None
        raise InputError(
            f"{path}: not a video that FFmpeg knows, or cut off before its index; give another file"
        ) from None
    with container:
        yield VideoReader(path, container, _video_stream(path, container))


def require_av() -> None:
    """Check that PyAV is installed.

    Raises:
        InputError: If it is not.
    """
    if find_spec("av") is None:
        raise InputError(f"videos need PyAV: `{INSTALL}`")


def _video_stream(path: Path, container: "InputContainer") -> "VideoStream":
    """Return the first video that is no cover of an album.

    Raises:
        InputError: If there is none, or its codec is unknown.
    """
    from av.stream import Disposition

    if container.format.name in _NO_VIDEO_FORMATS:
        raise InputError(f"{path}: a text file; expected a video")
    videos = [
        stream
        for stream in container.streams.video
        if not stream.disposition & Disposition.attached_pic
    ]
    if not videos:
        kinds = sorted({stream.type for stream in container.streams}) or ["nothing"]
        raise InputError(f"{path}: holds no video, only {' and '.join(kinds)}; give another file")
    # PyAV has no decoder for a codec that FFmpeg was built without.
    if getattr(videos[0], "codec_context", None) is None:
        raise InputError(f"{path}: its codec is not known; convert it to VP9, AV1 or H.264")
    check_pixels(str(path), videos[0].width, videos[0].height)
    videos[0].thread_type = "AUTO"
    return videos[0]
