"""Several looks of the network at one image, and the mean of what it says."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sceneparse.inference.backend import Backend
from sceneparse.inference.feature_map import log_probabilities, resampled, softmax
from sceneparse.inference.resize import CoveredLogits, Resize, logits_of_each


@dataclass(frozen=True)
class View:
    """One look at an image.

    Attributes:
        scale: Factor on the size at which the network sees it.
        mirrored: Whether left and right are exchanged.
    """

    scale: float = 1.0
    mirrored: bool = False


def views_of(scales: Sequence[float], *, flip: bool) -> tuple[View, ...]:
    """List the views at each scale, the largest first, and mirrored too if asked for."""
    mirrorings = (False, True) if flip else (False,)
    largest_first = sorted(set(scales), reverse=True)
    return tuple(View(scale, mirrored) for scale in largest_first for mirrored in mirrorings)


def views_text(views: Sequence[View]) -> str:
    """Say which views there are, as printed with scores; nothing for the plain one."""
    if tuple(views) == (View(),):
        return ""
    scales = ", ".join(f"{scale:g}" for scale in dict.fromkeys(view.scale for view in views))
    mirrored = ", also mirrored" if any(view.mirrored for view in views) else ""
    return f", mean over scales {scales}{mirrored}"


def logits_over_views(
    images: Sequence[NDArray[np.uint8]], backend: Backend, resize: Resize, views: Sequence[View]
) -> list[CoveredLogits]:
    """Compute the logits of images, for several views the log of their mean probability.

    Softmax is taken at the decoder's stride. The means are on the grid of the first view, which
    should be the finest, so that nothing that another view saw is lost. As softmax of the result
    is the mean, all that follows is the same for any number of views, and the cross-entropy of the
    result is -log of the mean.

    Args:
        images: `(H, W, 3)`, of any sizes.
        backend: The network.
        resize: How images are sized for it.
        views: At least one.
    """
    if len(views) == 1 and not views[0].mirrored:
        return logits_of_each(images, backend, resize, views[0].scale)
    means: list[CoveredLogits] = []
    for view in views:
        answers = logits_of_view(images, backend, resize, view)
        means = means or [
            CoveredLogits(np.zeros_like(logits), covered) for logits, covered in answers
        ]
        for mean, answer in zip(means, answers, strict=True):
            add_view(mean, answer, mirrored=view.mirrored, share=1 / len(views))
    return [CoveredLogits(log_probabilities(mean.logits), mean.covered) for mean in means]


def logits_of_view(
    images: Sequence[NDArray[np.uint8]], backend: Backend, resize: Resize, view: View
) -> list[CoveredLogits]:
    """Compute the logits of images as one view sees them, mirrored where it is."""
    seen = [np.ascontiguousarray(image[:, :: -1 if view.mirrored else 1]) for image in images]
    return logits_of_each(seen, backend, resize, view.scale)


def add_view(mean: CoveredLogits, answer: CoveredLogits, *, mirrored: bool, share: float) -> None:
    """Add a view's share to the mean of the probabilities, on the grid of the mean."""
    rows, columns = mean.logits.shape[1:]
    part = resampled(
        softmax(answer.logits), answer.covered, (rows, columns), mean.covered, mirrored=mirrored
    )
    total = mean.logits
    total += part * np.float32(share)
