"""The training animation."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sceneparse.labels import ade20k_labels
from sceneparse.reports.progress_animation import progress_gif

CLASSES = ade20k_labels().palette[:24]


def write_frame(path: Path, epoch: int, height: int = 200) -> Path:
    """Write noise beside stripes of class colours, which move from epoch to epoch."""
    noise = np.random.default_rng(0).integers(0, 256, (height, 160, 3), dtype=np.uint8)
    stripes = CLASSES[(np.arange(240) // 10 + epoch) % 24]
    page = np.concatenate([noise, np.broadcast_to(stripes, (height, 240, 3))], axis=1)
    Image.fromarray(page).save(path)
    return path


@pytest.fixture
def frames(tmp_path: Path) -> list[Path]:
    return [write_frame(tmp_path / f"{epoch}.png", epoch) for epoch in range(5)]


def read(path: Path) -> list[np.ndarray]:
    images: list[np.ndarray] = []
    with Image.open(path) as animation:
        for number in range(getattr(animation, "n_frames", 1)):
            animation.seek(number)
            images.append(np.asarray(animation.convert("RGB")))
    return images


def test_progress_gif_holds_every_frame_and_loops(frames: list[Path], tmp_path: Path):
    out = tmp_path / "new" / "animation.gif"
    progress_gif(frames, out, width=300, seconds_per_frame=0.5)
    with Image.open(out) as animation:
        assert animation.size == (300, 150)
        assert getattr(animation, "n_frames", 1) == 5
        assert animation.info["loop"] == 0
        assert animation.info["duration"] == 500
        animation.seek(4)
        assert animation.info["duration"] == 2500


def test_progress_gif_keeps_class_colors_flat(frames: list[Path], tmp_path: Path):
    progress_gif(frames, tmp_path / "animation.gif", width=400)
    for epoch, frame in enumerate(read(tmp_path / "animation.gif")):
        expected = CLASSES[(np.arange(240) // 10 + epoch) % 24].astype(int)
        error = np.abs(frame[:, 160:].astype(int) - expected)
        assert error.max() == 0


def test_progress_gif_approximates_images_and_keeps_them_still(frames: list[Path], tmp_path: Path):
    progress_gif(frames, tmp_path / "animation.gif", width=400)
    first, *others = (frame[:, :160] for frame in read(tmp_path / "animation.gif"))
    with Image.open(frames[0]) as image:
        expected = np.asarray(image)[:, :160]
    assert np.abs(first.astype(int) - expected).mean() < 25
    for other in others:
        np.testing.assert_array_equal(other, first)


def test_progress_gif_accepts_one_frame_and_frames_of_different_heights(
    frames: list[Path], tmp_path: Path
):
    progress_gif(frames[:1], tmp_path / "one.gif")
    assert len(read(tmp_path / "one.gif")) == 1
    tall = write_frame(tmp_path / "tall.png", 7, height=300)
    progress_gif([frames[0], tall], tmp_path / "two.gif", width=200)
    first, second = read(tmp_path / "two.gif")
    assert first.shape == second.shape == (150, 200, 3)
    assert (first[101:] == 255).all()


def test_progress_gif_of_few_colors_is_exact(tmp_path: Path):
    page = np.zeros((20, 30, 3), dtype=np.uint8)
    page[5:, 7:] = (1, 2, 3)
    Image.fromarray(page).save(tmp_path / "page.png")
    progress_gif([tmp_path / "page.png"], tmp_path / "animation.gif", width=30)
    np.testing.assert_array_equal(read(tmp_path / "animation.gif")[0], page)


def test_progress_gif_refuses_no_frames(tmp_path: Path):
    with pytest.raises(ValueError, match="no frames"):
        progress_gif([], tmp_path / "animation.gif")
