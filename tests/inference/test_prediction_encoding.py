"""Overlay files of large images are reduced to what can be drawn and stored."""

import pytest

from sceneparse.inference.prediction_encoding import MAX_OVERLAY_PIXELS, overlay_step


@pytest.mark.parametrize(
    ("size", "step"),
    [((1, 1), 1), ((4000, 6000), 1), ((9000, 12000), 3), ((1, 60001), 2), ((100000, 1), 2)],
)
def test_overlays_of_large_images_are_reduced(size: tuple[int, int], step: int) -> None:
    assert overlay_step(*size) == step
    height, width = (-(-side // step) for side in size)
    assert height * width <= MAX_OVERLAY_PIXELS
    assert max(height, width) <= 60_000
