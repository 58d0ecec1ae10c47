"""The `video` command."""

from collections.abc import Callable
from inspect import signature
from pathlib import Path

from sceneparse.cli.video import video as video_command
from sceneparse.tasks.video import segment_video
from tests.cli.conftest import Cli
from tests.videos import moving_square, read_video, write_video

FAST = ("inference.size=64", "inference.flip=false")


def test_a_video_is_segmented(cli: Cli, tmp_path: Path) -> None:
    write_video(tmp_path / "in.webm", moving_square(8), [index / 5 for index in range(8)])
    done = cli("video", "in.webm", "--out", "out/out.webm", *FAST)
    assert done.returncode == 0, done.stderr
    assert "\nout/out.webm: 8 frames, 1.4 s\n" in done.stdout
    assert done.stderr == ""
    assert len(read_video(tmp_path / "out" / "out.webm")[0]) == 8


def test_a_cut_video_is_kept_and_told_by_the_exit_status(
    cli: Cli, fails: Callable[..., str], tmp_path: Path
) -> None:
    frames = moving_square(20, (72, 96))
    write_video(tmp_path / "in.webm", frames, [index / 5 for index in range(20)])
    whole = (tmp_path / "in.webm").read_bytes()
    (tmp_path / "in.webm").write_bytes(whole[: len(whole) // 2])
    done = cli("video", "in.webm", "--out", "out.webm", *FAST)
    assert done.returncode == 1, done.stderr
    assert "in.webm: cut off: " in done.stdout
    message = fails("video", "in.webm", "--out", "out.webm")
    assert "exists already; allow overwriting, or choose another file (--overwrite" in message


def test_the_command_has_the_defaults_of_the_function() -> None:
    command = signature(video_command).parameters
    function = signature(segment_video).parameters
    for name in ("model", "opacity", "smoothing_s", "overwrite", "device", "runtime"):
        assert command[name].default == function[name].default
