"""Drawing of a random scene by seed and index."""

import numpy as np
from numpy.typing import NDArray

from sceneparse.scenes.canvas import Array, Canvas
from sceneparse.scenes.indoor import bedroom, living_room
from sceneparse.scenes.kitchen import bathroom, kitchen
from sceneparse.scenes.outdoor import park, village
from sceneparse.scenes.shore import coast, mountain_lake
from sceneparse.scenes.street import street
from sceneparse.scenes.study import study

_SCENES = (
    living_room,
    street,
    bedroom,
    village,
    kitchen,
    coast,
    study,
    park,
    bathroom,
    mountain_lake,
)


def draw_scene(
    seed: int, index: int, height: int, width: int
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Draw one scene; the same arguments always give the same scene.

    The content is the same at any size of one aspect ratio, and similar at other aspect ratios.

    Args:
        seed: Seed of the scenes.
        index: Index of the scene.
        height: Height of the image in pixels.
        width: Width of the image in pixels.

    Returns:
        RGB image `(H, W, 3)` in 0..255 and mask `(H, W)` of raw ADE20K ids, 0 where unlabelled.
    """
    rng = np.random.default_rng([seed, index])
    canvas = Canvas(height, width)
    draw = _SCENES[rng.integers(len(_SCENES))]
    draw(canvas, rng)
    return _apply_camera(canvas.image, rng), canvas.mask


def _apply_camera(image: Array, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Apply vignette, exposure, white balance, contrast and grain, as a camera does."""
    _, height, width = image.shape
    exposure = (rng.uniform(0.54, 0.64) / float(image.mean())) ** 0.8
    balance = rng.uniform(0.96, 1.04, 3) * np.clip(exposure, 0.8, 1.7)
    y = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    x = np.linspace(-1, 1, width, dtype=np.float32)[None]
    vignette = 1 - np.float32(rng.uniform(0.03, 0.12)) * (x * x + y * y)
    image = image * (vignette * balance.astype(np.float32).reshape(3, 1, 1))
    grey = image.mean(0)
    contrast = np.float32(rng.uniform(1.02, 1.15))
    image = (image - grey) * np.float32(rng.uniform(1.1, 1.35)) + (grey - 0.5) * contrast + 0.5
    grain = rng.standard_normal((height, width), dtype=np.float32)
    image += grain * np.float32(rng.uniform(0.003, 0.011))
    # A soft shoulder keeps lamps and sky from clipping to flat white.
    overexposure = np.maximum(image - np.float32(0.8), 0)
    image -= overexposure * (overexposure / (overexposure + np.float32(0.2)))
    levels = np.clip(image * np.float32(255) + np.float32(0.5), 0, 255)
    return np.ascontiguousarray(levels.astype(np.uint8).transpose(1, 2, 0))
