"""Smoothing over the frames of a video: a moving average of the probabilities."""

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sceneparse.data.io.resizing import resized_pixels
from sceneparse.data.io.video_reading import Frame
from sceneparse.inference.feature_map import log_probabilities, softmax
from sceneparse.inference.network import ImageLogits, as_array, like

# Chosen on moved scenes (docs/video.md): the longest that lowers no mIoU, even in fast pans.
DEFAULT_TIME_CONSTANT_S = 0.1
# Mean absolute difference of two frames, reduced so far that motion matters little, from which on
# there is a cut between them. All cuts from one image of ADE20K to another are above it, and nearly
# all pans of a twentieth of the width a frame below (docs/video.md).
CUT_DIFFERENCE = 0.13
_THUMBNAIL = (16, 16)


class TemporalSmoothing:
    """An exponential moving average of the probabilities of a video, reset at cuts.

    The weight of what came before falls by a factor of e in each time constant, whatever the frame
    rate. Like the mean over views, the result is the logarithm of the mean: logits again, at the
    decoder's stride, so that all that follows is the same with and without smoothing.
    """

    def __init__(self, time_constant_s: float) -> None:
        """Begin a video.

        Args:
            time_constant_s: Time constant in seconds; 0 for no smoothing.
        """
        self.time_constant_s = time_constant_s
        self._mean: NDArray[np.float32] | None = None
        self._thumbnail = np.zeros((*_THUMBNAIL, 1), np.float32)
        self._time_s = 0.0

    def __call__(self, logits: ImageLogits, frame: Frame) -> ImageLogits:
        """Average the probabilities of the next frame with those of the frames before it.

        Args:
            logits: Logits of the frame, `(K, h, w)`.
            frame: The frame.
        """
        if self.time_constant_s <= 0:
            return logits
        values = softmax(as_array(logits.values))
        kept = self._share_kept(frame, values.shape)
        if self._mean is not None and kept > 0:
            values += np.float32(kept) * (self._mean - values)
        self._mean = values
        return ImageLogits(like(log_probabilities(values), logits.values), logits.covered)

    def _share_kept(self, frame: Frame, shape: tuple[int, ...]) -> float:
        """Return the weight of the mean so far, 0 at a cut, and remember the frame."""
        before, self._thumbnail = self._thumbnail, thumbnail(frame.pixels)
        elapsed_s = max(0.0, frame.time_s - self._time_s)
        self._time_s = frame.time_s
        if self._mean is None or self._mean.shape != shape:
            return 0.0
        if frame_difference(before, self._thumbnail) > CUT_DIFFERENCE:
            return 0.0
        return math.exp(-elapsed_s / self.time_constant_s)


def thumbnail(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Reduce an image `(H, W, C)` to a few pixels in 0..1."""
    small = resized_pixels(pixels, _THUMBNAIL, Image.Resampling.BOX)
    return small.astype(np.float32) / np.float32(255)


def frame_difference(before: NDArray[np.float32], after: NDArray[np.float32]) -> float:
    """Return the mean absolute difference of two thumbnails, in 0..1."""
    return float(np.abs(after - before).mean())
