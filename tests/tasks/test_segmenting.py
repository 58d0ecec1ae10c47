"""Reading, segmenting and writing at the same time changes neither results nor their order."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sceneparse.tasks import segmenting
from sceneparse.tasks.predict import predict

FAST = ("inference.size=64", "inference.flip=false")


@pytest.fixture
def images(tmp_path: Path) -> Path:
    random = np.random.default_rng(0)
    for name in ("a.png", "b.jpg", "d.png"):
        path = tmp_path / "images" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.integers(0, 255, (40, 50, 3)).astype(np.uint8)).save(path)
    return tmp_path / "images"


@pytest.mark.parametrize(
    "jobs", [pytest.param(1, marks=pytest.mark.slow), 2, pytest.param(7, marks=pytest.mark.slow)]
)
def test_any_number_of_jobs_gives_the_same_records_in_order(
    jobs: int, images: Path, tmp_path: Path
) -> None:
    # The first is the largest, so that others could overtake it.
    Image.fromarray(np.zeros((1500, 2000, 3), np.uint8)).save(images / "0.png")
    (images / "c.jpg").write_bytes(b"broken")
    records = predict(images, out=tmp_path / "out", overrides=FAST, jobs=jobs)
    assert [record.image.name for record in records] == [
        "0.png",
        "a.png",
        "b.jpg",
        "c.jpg",
        "d.png",
    ]
    assert [bool(record.error) for record in records] == [False, False, False, True, False]
    alone = predict(images, out=tmp_path / "again", overrides=FAST, jobs=1)
    assert [record.classes for record in records] == [record.classes for record in alone]


def test_large_images_among_others_stay_in_order(
    images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(segmenting, "MAX_PIXELS_TOGETHER", 50 * 40)
    Image.fromarray(np.zeros((60, 50, 3), np.uint8)).save(images / "aa.png")
    records = predict(images, out=tmp_path / "out", overrides=FAST, jobs=2)
    assert [record.image.name for record in records] == ["a.png", "aa.png", "b.jpg", "d.png"]
