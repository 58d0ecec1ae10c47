"""Video files in VP9, a codec without royalties, with the sound of another file."""

from collections.abc import Generator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sceneparse.data.io.video_reading import MIN_STEP_S, Frame, VideoReader
from sceneparse.errors import InputError
from sceneparse.system.files import replacing

if TYPE_CHECKING:
    from av import AudioStream, Packet, VideoStream
    from av.container import OutputContainer

VIDEO_FORMATS = {".webm": "webm", ".mkv": "matroska", ".mp4": "mp4"}
# VP9 takes any size from 1×1 on; SVT-AV1, the other one in PyAV's wheels, takes none below 4×4, and
# prints to the terminal. Of a video of 1280×720, two cores write 150 frames a second with these
# options; slower ones halve the file.
_CODEC = "libvpx-vp9"
_QUALITY = {"crf": "32", "b": "0", "deadline": "realtime", "cpu-used": "6", "row-mt": "1"}
# As libvpx is usually built; the format itself allows 65,536.
_MAX_SIDE = 16_384
_TIME_BASE = Fraction(1, 90_000)
_BT709, _LIMITED = 1, 1  # ITU-T H.273: matrix coefficients, and the range of 8-bit video


class VideoWriter:
    """A video file while it is written.

    Attributes:
        audio_left_out: Codecs of the sound that its format cannot hold.
        frames: Number of frames written.
        end_s: When the last of them ends, in seconds.
    """

    def __init__(self, container: "OutputContainer", source: VideoReader) -> None:
        """Begin a file beside the video that it is made of."""
        self.frames = 0
        self.end_s = 0.0
        self._container = container
        self._source = source
        self._video: VideoStream | None = None
        self._durations: dict[int, int] = {}
        self._audio: dict[int, AudioStream] = {}
        self._waiting_audio: list[Packet[Any]] = []
        held = container.supported_codecs
        self.audio_left_out = sorted(
            {each.codec_context.codec.name for each in source.audio} - held
        )
        self._audio_sources = [
            each for each in source.audio if each.codec_context.codec.name in held
        ]

    def write(self, frame: Frame, pixels: NDArray[np.uint8]) -> None:
        """Write what is shown in place of a frame.

        Args:
            frame: The frame, whose time is kept.
            pixels: RGB `(H, W, 3)` of its size.
        """
        from av import VideoFrame

        video = self._begun(pixels)
        image = VideoFrame.from_ndarray(pixels, format="rgb24").reformat(
            format="yuv420p", dst_colorspace=_BT709, dst_color_range=_LIMITED
        )
        image.pts, image.time_base = round(frame.time_s / _TIME_BASE), _TIME_BASE
        self._durations[image.pts] = round(max(frame.duration_s, MIN_STEP_S) / _TIME_BASE)
        self._mux(video.encode(image))
        self.frames += 1
        self.end_s = frame.time_s + frame.duration_s

    def write_audio(self, packet: "Packet[Any]") -> None:
        """Copy a packet of sound, if the format can hold it."""
        if self._video is None:
            # The streams of a file are known once its first frame is.
            self._waiting_audio.append(packet)
        elif packet.stream.index in self._audio:
            packet.stream = self._audio[packet.stream.index]
            self._container.mux(packet)

    def finish(self) -> None:
        """Write the frames that the encoder still holds."""
        if self._video is not None:
            self._mux(self._video.encode(None))

    def _begun(self, pixels: NDArray[np.uint8]) -> "VideoStream":
        if self._video is None:
            self._video = self._new_stream(pixels.shape[0], pixels.shape[1])
            for source in self._audio_sources:
                self._audio[source.index] = self._container.add_stream_from_template(source)
            for packet in self._waiting_audio:
                self.write_audio(packet)
            self._waiting_audio.clear()
        return self._video

    def _new_stream(self, height: int, width: int) -> "VideoStream":
        if max(height, width) > _MAX_SIDE:
            raise InputError(
                f"{self._source.path}: {width}×{height} pixels; the VP9 encoder takes at most "
                f"{_MAX_SIDE} a side; scale the video down"
            )
        stream: VideoStream = self._container.add_stream(_CODEC, self._source.rate, _QUALITY)
        context, source = stream.codec_context, self._source.video
        context.width, context.height, context.pix_fmt = width, height, "yuv420p"
        context.time_base = _TIME_BASE
        context.colorspace, context.color_range = _BT709, _LIMITED
        context.color_primaries = source.codec_context.color_primaries
        context.color_trc = source.codec_context.color_trc
        return stream

    def _mux(self, packets: "list[Packet[Any]]") -> None:
        for packet in packets:
            if packet.pts in self._durations:
                packet.duration = self._durations.pop(packet.pts)
            self._container.mux(packet)


@contextmanager
def new_video(path: Path, source: VideoReader) -> Generator[VideoWriter]:
    """Write a video file, whole or not at all.

    Args:
        path: The file; its suffix, one of `VIDEO_FORMATS`, decides the format.
        source: The video that it is made of, whose rate, sound and colours it takes.

    Raises:
        InputError: If the file cannot be written, or the video is too large for the codec.
        OSError: If the finished file cannot be moved to its place.
    """
    import av
    from av.error import FFmpegError

    try:
        with (
            replacing(path) as temporary,
            av.open(
                str(temporary.absolute()), "w", format=VIDEO_FORMATS[path.suffix.lower()]
            ) as file,
        ):
            writer = VideoWriter(file, source)
            yield writer
            writer.finish()
    except FFmpegError as error:
        reason = error.strerror or str(error)
        raise InputError(
            f"{path}: cannot be written ({reason}); free some disk space, or choose another folder",
            "out",
        ) from error
