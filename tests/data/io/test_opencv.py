"""OpenCV and Pillow decode to the same pixels."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from sceneparse.data.io import opencv
from sceneparse.data.io.decode import (
    read_image,
)
from sceneparse.data.io.masks import read_mask


@pytest.mark.real
def test_opencv_and_pillow_decode_real_files_equally(
    real_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = sorted((real_root / "images" / "validation").iterdir())[:30]
    masks = sorted((real_root / "annotations" / "validation").iterdir())[:30]

    def everything() -> list[NDArray[np.generic]]:
        return [
            *(read_image(path, needed) for path in images for needed in (None, (100, 100))),
            *(read_mask(path) for path in masks),
        ]

    with_opencv = everything()
    monkeypatch.setattr(opencv, "_opencv", lambda: None)
    for one, other in zip(with_opencv, everything(), strict=True):
        np.testing.assert_array_equal(one, other)
        assert one.dtype == other.dtype


def test_threads_can_import_opencv_concurrently(
    tmp_path: Path,
) -> None:
    pytest.importorskip("cv2")
    mask = tmp_path / "mask.png"
    Image.new("L", (4, 3), 7).save(mask)
    # Threads call the decoder while another one imports OpenCV.
    script = f"""
import sys, threading, time
from pathlib import Path
from sceneparse.data.io.masks import read_mask
sys.setswitchinterval(1e-5)
read = []
def decode(place):
    time.sleep(place / 500)
    read.append(read_mask(Path({str(mask)!r})).tolist())
threads = [threading.Thread(target=decode, args=(place,)) for place in range(90)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
print(len(read), read.count([[7] * 4] * 3))
"""
    result = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, check=False, text=True
    )
    assert (result.stdout, result.stderr) == ("90 90\n", "")
