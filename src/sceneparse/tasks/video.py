"""Segment a video and write it again, with the classes laid over its frames."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from itertools import tee
from pathlib import Path

from PIL import Image

from sceneparse import drawing
from sceneparse.data.io.video_reading import VideoReader, open_video
from sceneparse.data.io.video_writing import VIDEO_FORMATS, VideoWriter, new_video
from sceneparse.errors import InputError
from sceneparse.factory.loading import load
from sceneparse.inference.predictor import Predictor
from sceneparse.inference.smoothing import DEFAULT_TIME_CONSTANT_S
from sceneparse.labels import Mask
from sceneparse.recording.events import Callback, Message, Progress, ignore
from sceneparse.system.files import create_folder, write_whole
from sceneparse.system.memory_advice import PREDICTION, advice_on_memory
from sceneparse.system.paths import expand_user


@dataclass(frozen=True)
class SegmentedVideo:
    """A video that was segmented.

    Attributes:
        path: The new video.
        frames: Number of its frames.
        duration_s: Its length in seconds.
        masks: Folder of the label maps; none if none were asked for.
        error: Why it does not have all frames of the given video; empty if it does.
    """

    path: Path
    frames: int
    duration_s: float
    masks: Path | None = None
    error: str = ""

    def __str__(self) -> str:
        """Write path, frames and length, and what is missing on a line of its own."""
        noun = "frame" if self.frames == 1 else "frames"
        line = f"{self.path}: {self.frames} {noun}, {self.duration_s:.1f} s"
        return f"{line}\n{self.error}" if self.error else line


def segment_video(
    video: str | Path,
    *,
    out: str | Path,
    model: str | Path = "bundled",
    opacity: float = 0.5,
    smoothing_s: float = DEFAULT_TIME_CONSTANT_S,
    masks: str | Path | None = None,
    overwrite: bool = False,
    overrides: Sequence[str] = (),
    device: str = "auto",
    runtime: str = "auto",
    callback: Callback = ignore,
) -> SegmentedVideo:
    """Segment a video, and write it again with the class colours laid over its frames.

    The new video, in VP9, has the size, frames and times of the given one as players show it.
    Its sound is copied where the new format can hold it. What is broken in the given video is left
    out and said, and the rest is segmented. Frames are held a few at a time.

    Args:
        video: The video file, in any format that FFmpeg reads.
        out: The file to write: `.webm`, `.mkv` or `.mp4`.
        model: A run folder, a weights file, an ONNX file, `bundled` for the bundled model, or
            `hf://owner/name`.
        opacity: Opacity of the class colours, in 0..1.
        smoothing_s: Time constant in seconds of the moving average of the probabilities, against
            flicker; 0 for each frame by itself.
        masks: Folder for the label map of each frame, as `000000.png` and so on, in the ids of the
            data set's annotations; none for no label maps.
        overwrite: Whether existing files may be replaced. Then label maps beyond the
            last frame, of a longer video that was there, are removed from `masks`.
        overrides: Changed settings of inference, as `inference.field=value`.
        device: `auto`, or a device such as `cpu` or `cuda`.
        runtime: What computes the network; see `sceneparse.load`.
        callback: Called with each event.

    Raises:
        InputError: If PyAV is missing, the video or the model cannot be read, a setting is wrong,
            or the result exists or cannot be written. Then `out` is as it was before, and the
            label maps that were written stay.

    Example:
        >>> made = sceneparse.segment_video("street.mp4", out="segmented.webm")  # doctest: +SKIP
        >>> print(made)  # doctest: +SKIP
        segmented.webm: 240 frames, 8.0 s
    """
    source, target = expand_user(video), expand_user(out)
    folder = None if masks is None else expand_user(masks)
    _check_settings(opacity, smoothing_s)
    with open_video(source) as reader:
        _check_target(source, target, folder, overwrite=overwrite)
        predictor = _predictor_of_videos(load(model, device, overrides, runtime=runtime))
        callback(Message(f"{predictor.network}; {predictor}"))
        create_folder(target.parent, "out")
        with new_video(target, reader) as writer, advice_on_memory(PREDICTION):
            if writer.audio_left_out:
                callback(Message(_left_out(writer.audio_left_out, target)))
            for mask in _segmented(predictor, reader, writer, smoothing_s, opacity, callback):
                if folder is not None:
                    ids = predictor.labels.decode(mask)
                    _write_mask(ids, folder / _mask_name(writer.frames - 1))
            if folder is not None:
                _remove_masks_from(writer.frames, folder)
    made = SegmentedVideo(target, writer.frames, writer.end_s, folder, reader.error)
    callback(Message(str(made)))
    return made


def _segmented(
    predictor: Predictor,
    reader: VideoReader,
    writer: VideoWriter,
    smoothing_s: float,
    opacity: float,
    callback: Callback,
) -> Iterator[Mask]:
    """Segment the frames, write each overlay, and yield the train ids of each frame."""
    total = reader.expected_frames
    callback(Progress("segmenting", 0, total))
    frames, segmented = tee(reader.frames(writer.write_audio))
    masks = predictor.segment_frames(segmented, smoothing_s)
    for frame, mask in zip(frames, masks, strict=True):
        drawn = drawing.overlay(frame.pixels, mask, predictor.labels, opacity)
        writer.write(frame, drawn)
        yield mask
        # The number that a file states may be wrong.
        if total is None or writer.frames < total:
            callback(Progress("segmenting", writer.frames, total))
    callback(Progress("segmenting", writer.frames, writer.frames))


def _check_settings(opacity: float, smoothing_s: float) -> None:
    if not 0 <= opacity <= 1:
        raise InputError(f"opacity {opacity:g}; expected 0..1, such as 0.5", "opacity")
    if not 0 <= smoothing_s < float("inf"):
        raise InputError(
            f"smoothing {smoothing_s:g} s; expected 0, or a time such as 0.1", "smoothing_s"
        )


def _check_target(source: Path, target: Path, masks: Path | None, *, overwrite: bool) -> None:
    """Refuse a target of another format, and one that would replace something.

    Raises:
        InputError: If the target is refused.
    """
    if target.suffix.lower() not in VIDEO_FORMATS:
        raise InputError(
            f"{target}: unknown video format; expected a name with {', '.join(VIDEO_FORMATS)}",
            "out",
        )
    if target.exists() and target.samefile(source):
        raise InputError(f"{target}: is the video to segment; choose another file", "out")
    if target.is_dir() or (target.exists() and not overwrite):
        raise InputError(
            f"{target}: exists already; allow overwriting, or choose another file",
            "overwrite",
            "out",
        )
    if masks is not None:
        create_folder(masks, "masks")
        if not overwrite and any(masks.iterdir()):
            raise InputError(
                f"{masks}: holds files already; allow overwriting, or choose another folder",
                "overwrite",
                "masks",
            )


def _predictor_of_videos(predictor: Predictor) -> Predictor:
    """Return a predictor if it takes RGB.

    Raises:
        InputError: If it takes other bands.
    """
    if predictor.reading.bands is not None:
        raise InputError(
            f"the model takes {predictor.reading.channels} bands of a file, but videos are RGB; "
            "choose a model of RGB images",
            "model",
        )
    return predictor


def _left_out(codecs: Sequence[str], target: Path) -> str:
    others = ".mkv" if target.suffix.lower() == ".mp4" else ".mkv or .mp4"
    return (
        f"the sound ({', '.join(codecs)}) is left out, because {target.suffix.lower()} cannot hold "
        f"it; {others} can"
    )


def _mask_name(frame: int) -> str:
    return f"{frame:06d}.png"


def _remove_masks_from(first: int, folder: Path) -> None:
    """Remove the label maps of a longer video that the folder held before."""
    for path in list(folder.iterdir()):
        number = re.fullmatch(r"([0-9]{6,})\.png", path.name)
        if number and int(number[1]) >= first and path.name == _mask_name(int(number[1])):
            try:
                path.unlink()
            except OSError as error:
                raise InputError(
                    f"{path}: a label map of another video, which cannot be removed "
                    f"({error.strerror}); delete it, or choose another folder",
                    "masks",
                ) from None


def _write_mask(ids: Mask, path: Path) -> None:
    file = BytesIO()
    Image.fromarray(ids).save(file, "PNG")
    try:
        write_whole(path, file.getvalue())
    except OSError as error:
        raise InputError(
            f"{path}: cannot be written ({error.strerror}); free some disk space, or choose "
            "another folder",
            "masks",
        ) from None
