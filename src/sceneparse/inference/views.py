"""Test-time augmentation: several views of an image, and the mean of their probabilities."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sceneparse.inference.feature_map import log_probabilities, resampled, softmax
from sceneparse.inference.network import ImageLogits, Network, as_array, like
from sceneparse.inference.resize import Resize, logits_of_images


@dataclass(frozen=True)
class View:
    """A version of an image for the network.

    Attributes:
        scale: Factor on the size to which the image is resized.
        flipped: Whether left and right are exchanged.
    """

    scale: float = 1.0
    flipped: bool = False


def views_of(scales: Sequence[float], *, flip: bool) -> tuple[View, ...]:
    """List the views at each scale, the largest first, and flipped too if `flip`."""
    flips = (False, True) if flip else (False,)
    largest_first = sorted(set(scales), reverse=True)
    return tuple(View(scale, flipped) for scale in largest_first for flipped in flips)


def is_single(views: Sequence[View]) -> bool:
    """Return whether nothing is averaged and no image flipped."""
    return len(views) == 1 and not views[0].flipped


def views_text(views: Sequence[View]) -> str:
    """Return which views there are, as printed with scores; nothing for the plain one."""
    if tuple(views) == (View(),):
        return ""
    scales = ", ".join(f"{scale:g}" for scale in dict.fromkeys(view.scale for view in views))
    flipped = ", also flipped" if any(view.flipped for view in views) else ""
    return f", mean over scales {scales}{flipped}"


def logits_over_views(
    images: Sequence[NDArray[np.uint8]], network: Network, resize: Resize, views: Sequence[View]
) -> list[ImageLogits]:
    """Compute the logits of images; for several views, the log of their mean probabilities.

    Softmax is computed at the decoder's stride. The means lie on the feature map of the first
    view, which should be the finest, so that no detail of another view is lost. As the softmax of
    the result is the mean, all that follows is the same for any number of views, and the
    cross-entropy of the result is -log of the mean.

    Args:
        images: `(H, W, C)`, of any sizes.
        network: Computes the logits of each view.
        resize: How images are resized for it.
        views: One or more.
    """
    if is_single(views):
        return logits_of_images(images, network, resize, views[0].scale)
    first: list[ImageLogits] = []
    means: list[NDArray[np.float32]] = []
    for view in views:
        found = _logits_of_view(images, network, resize, view)
        if not first:
            first = found
            means = [np.zeros_like(as_array(logits.values)) for logits in first]
        for mean, plain, logits in zip(means, first, found, strict=True):
            size = (mean.shape[1], mean.shape[2])
            probabilities = resampled(
                softmax(as_array(logits.values)),
                logits.covered,
                size,
                plain.covered,
                flipped=view.flipped,
            )
            np.add(mean, probabilities * np.float32(1 / len(views)), out=mean)
    return [
        ImageLogits(like(log_probabilities(mean), logits.values), logits.covered)
        for mean, logits in zip(means, first, strict=True)
    ]


def _logits_of_view(
    images: Sequence[NDArray[np.uint8]], network: Network, resize: Resize, view: View
) -> list[ImageLogits]:
    """Compute the logits of one view of images; those of a flipped view are flipped too."""
    step = -1 if view.flipped else 1
    inputs = [np.ascontiguousarray(image[:, ::step]) for image in images]
    return logits_of_images(inputs, network, resize, view.scale)
