"""Windows cover everything, and blending them changes nothing that they agree on."""

import numpy as np
import pytest
import torch

from sceneparse.inference.network import as_array
from sceneparse.inference.resize import Resize, logits_of_images
from sceneparse.inference.windows import blended, spans
from tests.inference.networks import Function, SquaresNetwork, network_of, random_image


@pytest.mark.parametrize("length", [8, 56, 64, 72, 200, 1000])
@pytest.mark.parametrize("side", [8, 64])
@pytest.mark.parametrize("overlap", [0.0, 0.25, 0.5, 0.99])
def test_windows_cover_a_length_at_equal_steps(length: int, side: int, overlap: float) -> None:
    cut = spans(length, side, overlap, (8, 4))
    starts = [span.start for span in cut]
    assert starts[0] == 0
    assert cut[-1].stop == length
    assert all(start % 8 == 0 for start in starts)
    steps = np.diff(starts)
    assert len(steps) == 0 or steps.max() - steps.min() <= 8
    # At least as much overlap as asked for, but that windows lie a stride apart at least.
    assert all(step <= max(8, side * (1 - overlap) + 1e-6) for step in steps)


@pytest.mark.parametrize("length", [8, 40, 136, 1000])
@pytest.mark.parametrize("overlap", [0.0, 0.3, 0.7])
def test_what_windows_count_adds_up_to_one(length: int, overlap: float) -> None:
    total = np.zeros(length // 4)
    for span in spans(length, 64, overlap, (8, 4)):
        assert (span.weights > 0).all()
        total[span.start // 4 : span.stop // 4] += span.weights
    np.testing.assert_allclose(total, 1, atol=1e-6)


def test_a_window_counts_most_in_its_middle() -> None:
    middle = spans(400, 80, 0.5, (8, 4))[3].weights
    assert middle.argmax() in (9, 10)
    np.testing.assert_allclose(middle, middle[::-1], atol=1e-6)
    assert middle[0] < 0.01


def test_a_field_that_is_linear_in_place_stays_so() -> None:
    # The image itself is the field: red grows along the rows, green along the columns.
    image = np.zeros((120, 200, 3), np.uint8)
    image[..., 0] = np.arange(120)[:, None]
    image[..., 1] = np.arange(200)
    image[..., 2] = 77
    network = network_of(Function(lambda pixels: pixels[:, :, ::8, ::8].float()), 3, 8)
    blend = blended(image, network, 64, 0.4)
    np.testing.assert_allclose(
        as_array(blend.whole().values), image[::8, ::8].transpose(2, 0, 1), atol=1e-4
    )


@pytest.mark.parametrize("size", [(64, 64), (64, 200), (304, 64), (304, 200), (16, 24), (8, 8)])
def test_windows_of_a_network_that_looks_at_single_cells_are_the_whole(
    size: tuple[int, int],
) -> None:
    network = network_of(SquaresNetwork(5, 8), 5, 8)
    image = random_image(*size)
    whole = network.logits(image[None])[0]
    blend = blended(image, network, 64, 0.3)
    np.testing.assert_allclose(as_array(blend.whole().values), as_array(whole), atol=1e-4)


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (33, 7)])
def test_images_of_any_size_are_seen_through_windows(size: tuple[int, int]) -> None:
    network = network_of(SquaresNetwork(4, 8), 4, 8)
    found = logits_of_images([random_image(*size)], network, Resize("window", 32))[0]
    assert min(found.values.shape[1:]) == 4
    assert np.isfinite(as_array(found.values)).all()


def test_no_edge_of_a_window_shows() -> None:
    # A network whose logits differ at the edges of its input.
    def padded(pixels: torch.Tensor) -> torch.Tensor:
        squares = torch.zeros(len(pixels), 1, pixels.shape[2] // 4, pixels.shape[3] // 4)
        squares[..., 0] = squares[..., -1] = 1
        return squares

    blend = blended(random_image(64, 256), network_of(Function(padded), 1, 4), 64, 0.5)
    row = as_array(blend.whole().values)[0, 0]
    assert row[1:-1].max() < 0.02
    assert row[0] == row[-1] == 1


@pytest.mark.parametrize("size", [(200, 64), (64, 200), (304, 200), (200, 304), (64, 64), (16, 24)])
@pytest.mark.parametrize("overlap", [0.0, 0.3, 0.8])
def test_slabs_of_windows_put_together_are_their_weighted_sum(
    size: tuple[int, int], overlap: float
) -> None:
    network = network_of(SquaresNetwork(3, 8), 3, 8)
    image = random_image(*size)
    expected = np.zeros((3, size[0] // 8, size[1] // 8))
    for row in spans(size[0], 64, overlap, (8, 8)):
        for column in spans(size[1], 64, overlap, (8, 8)):
            window = image[row.start : row.stop, column.start : column.stop]
            weights = row.weights[:, None].astype(np.float64) * column.weights
            area = expected[:, row.start // 8 : row.stop // 8, column.start // 8 : column.stop // 8]
            area += as_array(network.logits(np.ascontiguousarray(window)[None])[0]) * weights
    found = as_array(blended(image, network, 64, overlap).whole().values)
    # Up to 8 × 8 windows, each with three roundings to fp32.
    tolerance = 64 * 3 * np.finfo(np.float32).eps * np.abs(expected).max()
    np.testing.assert_allclose(found, expected, atol=tolerance)


def test_the_network_runs_no_further_than_slabs_are_read() -> None:
    seen: list[int] = []

    def counted(pixels: torch.Tensor) -> torch.Tensor:
        seen.append(len(pixels))
        return pixels[:, :, ::8, ::8].float()

    slabs = blended(random_image(64, 640), network_of(Function(counted), 3, 8), 64, 0.0)
    assert not seen
    assert slabs.first.shape == (3, 8, 8)
    assert len(seen) == 1
    slabs.whole()
    assert len(seen) == 10
