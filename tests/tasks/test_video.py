"""`segment_video` keeps size, times, rotation and sound, and survives what is broken."""

import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image
from tests.videos import moving_square, read_video, write_video

from sceneparse.errors import InputError
from sceneparse.factory.loading import load
from sceneparse.recording.events import Event, Message, Progress
from sceneparse.tasks.video import SegmentedVideo, segment_video

FAST = ("inference.size=64", "inference.flip=false")
EVEN = [index / 25 for index in range(12)]
# Colours are rounded twice, and compressed with losses twice, by encoders set to high quality.
MEAN_COLOR_ERROR = 4.0


def segmented(video: Path, out: Path, said: list[Event] | None = None) -> SegmentedVideo:
    """Segment a video without drawing on it, so that frames can be compared."""
    callback = (said if said is not None else []).append
    return segment_video(video, out=out, opacity=0, overrides=FAST, callback=callback)


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A video of twelve frames in half a second."""
    path = tmp_path_factory.mktemp("video") / "video.webm"
    write_video(path, moving_square(12), EVEN)
    return path


@pytest.mark.parametrize("suffix", [".webm", ".mkv", ".mp4"])
@pytest.mark.parametrize("size", [(36, 48), (35, 47)])
def test_size_times_and_colours_stay(suffix: str, size: tuple[int, int], tmp_path: Path) -> None:
    write_video(tmp_path / "in.webm", moving_square(12, size), EVEN)
    frames, _ = read_video(tmp_path / "in.webm")
    made = segmented(tmp_path / "in.webm", tmp_path / f"out{suffix}")
    found, times = read_video(made.path)
    assert (made.frames, made.masks, made.error) == (12, None, "")
    assert made.duration_s == pytest.approx(0.48)
    np.testing.assert_allclose(times, EVEN, atol=0.001)
    assert {frame.shape for frame in found} == {(*size, 3)}
    assert np.abs(np.subtract(found, frames, dtype=np.float32)).mean() < MEAN_COLOR_ERROR
    with av.open(str(made.path)) as container:
        assert container.streams.video[0].codec_context.name == "vp9"
        assert container.duration is not None
        assert container.duration / 1e6 == pytest.approx(0.48, abs=0.002)


def test_times_of_a_variable_frame_rate_stay(tmp_path: Path) -> None:
    times = [0.0, 0.01, 0.3, 0.32, 1.0]
    write_video(tmp_path / "in.mp4", moving_square(5), times, codec="libx264")
    for name in ("out.webm", "out.mp4"):
        segmented(tmp_path / "in.mp4", tmp_path / name)
        np.testing.assert_allclose(read_video(tmp_path / name)[1], times, atol=0.001)


@pytest.mark.parametrize("rotation", [90, 180, -90])
def test_frames_are_turned_as_players_show_them(rotation: int, tmp_path: Path) -> None:
    frames = moving_square(4)
    write_video(tmp_path / "in.mp4", frames, EVEN[:4], codec="libx264", rotation=rotation)
    segmented(tmp_path / "in.mp4", tmp_path / "out.webm")
    found = np.stack(read_video(tmp_path / "out.webm")[0])
    upright = np.rot90(np.stack(frames), rotation // 90, axes=(1, 2))
    assert found.shape == upright.shape
    assert np.abs(np.subtract(found, upright, dtype=np.float32)).mean() < MEAN_COLOR_ERROR


@pytest.mark.parametrize("rotation", [0, 90])
def test_pixels_that_are_not_square_become_so(rotation: int, tmp_path: Path) -> None:
    path = tmp_path / "in.mp4"
    write_video(path, moving_square(2), EVEN[:2], codec="libx264", rotation=rotation, pixel_ratio=2)
    segmented(path, tmp_path / "out.webm")
    shape = (36, 96, 3) if rotation == 0 else (96, 36, 3)
    assert {frame.shape for frame in read_video(tmp_path / "out.webm")[0]} == {shape}


@pytest.mark.parametrize(
    ("codec", "suffix", "is_kept"),
    [("libopus", ".webm", True), ("aac", ".mp4", True), ("aac", ".mkv", True), ("aac", ".webm", 0)],
)
def test_sound_is_copied_where_the_format_can_hold_it(
    codec: str, suffix: str, is_kept: bool, tmp_path: Path
) -> None:
    write_video(tmp_path / "in.mkv", moving_square(12), EVEN, audio=codec, start_s=2.0)
    said: list[Event] = []
    made = segmented(tmp_path / "in.mkv", tmp_path / f"out{suffix}", said)
    with av.open(str(tmp_path / "in.mkv")) as before, av.open(str(made.path)) as after:
        sound = [bytes(packet) for packet in after.demux(audio=0)] if after.streams.audio else []
        assert bool(sound) == is_kept
        if is_kept:
            assert sound == [bytes(packet) for packet in before.demux(audio=0)]
    lost = "the sound (aac) is left out, because .webm cannot hold it; .mkv or .mp4 can"
    assert (Message(lost) in said) == (not is_kept)


def test_sound_stays_in_time_where_a_file_begins_later(tmp_path: Path) -> None:
    write_video(tmp_path / "in.mkv", moving_square(12), EVEN, audio="libopus", start_s=7.0)
    segmented(tmp_path / "in.mkv", tmp_path / "out.webm")
    starts: list[list[float]] = []
    for name in ("in.mkv", "out.webm"):
        with av.open(str(tmp_path / name)) as container:
            first: dict[str, float] = {}
            for packet in container.demux():
                if packet.pts is not None:
                    first.setdefault(packet.stream.type, float(packet.pts * packet.time_base))
            starts.append([first["video"], first["audio"]])
    np.testing.assert_allclose(np.diff(starts[1]), np.diff(starts[0]), atol=0.002)
    assert starts[1][0] < 0.1


def test_overlay_and_label_maps_are_those_of_the_predictor(video: Path, tmp_path: Path) -> None:
    made = segment_video(
        video, out=tmp_path / "out.webm", masks=tmp_path / "masks", smoothing_s=0, overrides=FAST
    )
    assert made.masks is not None
    predictor = load(overrides=FAST)
    shown, _ = read_video(made.path)
    masks = sorted(made.masks.iterdir())
    assert [path.name for path in masks] == [f"{index:06d}.png" for index in range(12)]
    for index in (0, 11):
        prediction = predictor(read_video(video)[0][index])
        np.testing.assert_array_equal(
            np.asarray(Image.open(masks[index])), predictor.labels.decode(prediction.mask)
        )
        error = np.subtract(shown[index], prediction.overlay(), dtype=np.float32)
        assert np.abs(error).mean() < 2 * MEAN_COLOR_ERROR


def test_progress_ends_with_the_last_frame(video: Path, tmp_path: Path) -> None:
    said: list[Event] = []
    segmented(video, tmp_path / "out.webm", said)
    progress = [event for event in said if isinstance(event, Progress)]
    assert [event.done for event in progress] == [*range(12), 12]
    assert [event.is_finished for event in progress] == [False] * 12 + [True]


def cut(path: Path, share: float) -> Path:
    """Cut off the end of a file."""
    content = path.read_bytes()
    target = path.with_name(f"cut{path.suffix}")
    target.write_bytes(content[: int(len(content) * share)])
    return target


def test_what_can_be_read_of_a_cut_video_is_kept(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    frames = [random.integers(0, 256, (36, 48, 3)).astype(np.uint8) for _ in range(20)]
    write_video(tmp_path / "in.webm", frames, [index / 5 for index in range(20)])
    said: list[Event] = []
    made = segmented(cut(tmp_path / "in.webm", 0.5), tmp_path / "out.webm", said)
    assert 5 <= made.frames <= 15
    assert len(read_video(made.path)[0]) == made.frames
    assert "cut.webm: cut off: " in made.error
    assert "of 3.8 s could be decoded" in made.error
    assert Message(str(made)) in said


def test_what_is_broken_in_the_middle_is_left_out(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    frames = [random.integers(0, 256, (36, 48, 3)).astype(np.uint8) for _ in range(20)]
    write_video(tmp_path / "in.mp4", frames, [index / 5 for index in range(20)])
    content = bytearray((tmp_path / "in.mp4").read_bytes())
    middle = len(content) // 2
    content[middle : middle + 3000] = bytes([0xFF]) * 3000
    (tmp_path / "in.mp4").write_bytes(content)
    made = segmented(tmp_path / "in.mp4", tmp_path / "out.webm")
    assert 10 <= made.frames < 20
    assert "in.mp4: broken in " in made.error
    assert len(read_video(made.path)[0]) == made.frames


def write_sound(path: Path) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libopus", rate=48_000)
        assert isinstance(stream, av.AudioStream)
        stream.layout = "mono"
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 960), np.int16), "s16", "mono")
        frame.sample_rate, frame.pts = 48_000, 0
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def test_files_that_are_no_videos_are_refused(tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("no video " * 100)
    (tmp_path / "text.txt").write_text("no video " * 100)
    (tmp_path / "empty.webm").touch()
    (tmp_path / "list.m3u8").write_text(
        "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nhttp://127.0.0.1:9/a.ts\n#EXT-X-ENDLIST\n"
    )
    write_sound(tmp_path / "sound.webm")
    expected = {
        "none.mp4": "no such file",
        ".": "is a folder; expected a video file",
        "text.mp4": "not a video that FFmpeg knows",
        "text.txt": "a text file; expected a video",
        "empty.webm": "not a video that FFmpeg knows",
        "list.m3u8": "not a video that FFmpeg knows",
        "sound.webm": "holds no video, only audio",
    }
    for name, message in expected.items():
        with pytest.raises(InputError, match=message):
            segmented(tmp_path / name, tmp_path / "out.webm")
    assert not (tmp_path / "out.webm").exists()


def test_targets_that_would_replace_something_are_refused(video: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.webm"
    out.write_bytes(b"precious")
    own = tmp_path / "own.webm"
    own.write_bytes(video.read_bytes())
    (tmp_path / "masks").mkdir()
    (tmp_path / "masks" / "mine.png").touch()
    refused: list[tuple[Path, dict[str, Path | bool], str]] = [
        (video, {"out": out}, "exists already; allow overwriting"),
        (own, {"out": own, "overwrite": True}, "is the video to segment"),
        (video, {"out": tmp_path / "a.avi"}, r"expected a name with \.webm, \.mkv, \.mp4"),
        (video, {"out": tmp_path / "a.webm", "masks": tmp_path / "masks"}, "holds files already"),
        (video, {"out": out / "a.webm"}, "the folder cannot be created"),
    ]
    for source, settings, message in refused:
        with pytest.raises(InputError, match=message):
            segment_video(source, **settings, overrides=FAST)  # pyright: ignore[reportArgumentType]
    assert out.read_bytes() == b"precious"
    assert own.read_bytes() == video.read_bytes()
    segment_video(video, out=out, overwrite=True, overrides=FAST)
    assert len(read_video(out)[0]) == 12


def test_label_maps_of_a_longer_video_do_not_stay(tmp_path: Path) -> None:
    masks = tmp_path / "masks"
    for count in (12, 5):
        write_video(tmp_path / "in.webm", moving_square(count), EVEN[:count])
        segment_video(
            tmp_path / "in.webm",
            out=tmp_path / "out.webm",
            masks=masks,
            overwrite=True,
            overrides=FAST,
        )
        for name in ("mine.png", "00000099.png"):
            (masks / name).touch()
    kept = {f"{index:06d}.png" for index in range(5)}
    assert {path.name for path in masks.iterdir()} == {*kept, "00000099.png", "mine.png"}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"opacity": 1.5}, r"opacity 1\.5; expected 0\.\.1"),
        ({"opacity": float("nan")}, "opacity nan; expected"),
        ({"smoothing_s": -1.0}, "smoothing -1 s; expected 0, or a time"),
        ({"smoothing_s": float("nan")}, "smoothing nan s; expected"),
    ],
)
def test_settings_out_of_range_are_refused(
    settings: dict[str, float], message: str, video: Path, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=message):
        segment_video(video, out=tmp_path / "out.webm", **settings)  # pyright: ignore[reportArgumentType]


def test_without_pyav_the_package_to_install_is_named(
    video: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "av", None)  # as if it was not installed
    with pytest.raises(InputError, match=r'need PyAV: `pip install "sceneparse\[video\]"`'):
        segmented(video, tmp_path / "out.webm")


def test_a_video_needs_no_torch(video: Path, tmp_path: Path) -> None:
    code = f"""
import sys
sys.modules["torch"] = None
from sceneparse import segment_video
segment_video({str(video)!r}, out={str(tmp_path / "out.webm")!r}, overrides={FAST})
"""
    subprocess.run([sys.executable, "-c", code], check=True)
    assert len(read_video(tmp_path / "out.webm")[0]) == 12


def test_an_interruption_leaves_no_file(video: Path, tmp_path: Path) -> None:
    def interrupt(event: Event) -> None:
        if isinstance(event, Progress) and event.done == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        segment_video(video, out=tmp_path / "out.webm", overrides=FAST, callback=interrupt)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="only Unix limits the size of files")
def test_a_full_disk_is_said_and_leaves_no_file(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    frames = [random.integers(0, 256, (120, 160, 3)).astype(np.uint8) for _ in range(12)]
    write_video(tmp_path / "in.webm", frames, EVEN)
    (tmp_path / "out").mkdir()
    code = f"""
import resource
from pathlib import Path
from sceneparse.errors import InputError
from sceneparse.tasks.video import segment_video
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
try:
    segment_video({str(tmp_path / "in.webm")!r}, out={str(tmp_path / "out" / "a.webm")!r},
                  opacity=0, overrides={FAST})
except InputError as error:
    print(error, error.parameters)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "a.webm: cannot be written (File too large); free some disk space" in done.stdout
    assert list((tmp_path / "out").iterdir()) == []
