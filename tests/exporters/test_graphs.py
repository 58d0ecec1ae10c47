"""The sizing and the decision of exported models, against those of sceneparse."""

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray

from sceneparse.exporters.decision_graph import decision_graph
from sceneparse.exporters.sizing_graph import sizing_graph
from sceneparse.inference.decision import label_map
from sceneparse.inference.network import ImageLogits
from sceneparse.inference.resize import Resize, resized

ODD_SIZES = (
    *((1, 1), (1, 40), (40, 1), (2, 3), (5, 200), (200, 5), (31, 33), (32, 32), (33, 31)),
    *((47, 64), (63, 65), (64, 64), (64, 65), (97, 101), (99, 200), (128, 96), (131, 77)),
    *((150, 151), (199, 211), (256, 256), (257, 255), (300, 99), (133, 200), (200, 133)),
    *((166, 117), (65, 140), (300, 301), (64, 250), (250, 64), (7, 7)),
)


def session(model: onnx.ModelProto) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )


def noise(*shape: int) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


@pytest.mark.parametrize("resize", [Resize("stretch", 64), Resize("keep_ratio", 48)], ids=str)
def test_sizing_in_the_graph_equals_that_of_sceneparse(resize: Resize) -> None:
    graph = session(sizing_graph(resize, 32, 3))
    for height, width in ODD_SIZES:
        images = noise(2, height, width, 3)
        feeds = {"images": images, "size": np.zeros(2, np.int64)}
        sized, image_size, network_size = (np.asarray(found) for found in graph.run(None, feeds))
        expected = resize.network_size(height, width, 32)
        assert tuple(image_size) == (height, width)
        assert tuple(network_size) == expected
        for image, own in zip(images, sized.transpose(0, 2, 3, 1), strict=True):
            np.testing.assert_array_equal(own, resized(image, expected))


def test_a_given_size_is_kept_and_padded_at_the_end() -> None:
    graph = session(sizing_graph(Resize("stretch", 64), 32, 2))
    image = noise(1, 50, 70, 2)
    feeds = {"images": image, "size": np.array([50, 70])}
    sized, _, network_size = (np.asarray(found) for found in graph.run(None, feeds))
    assert tuple(network_size) == (50, 70)
    padded = np.pad(image, ((0, 0), (0, 14), (0, 26), (0, 0)), mode="edge")
    np.testing.assert_array_equal(sized.transpose(0, 2, 3, 1), padded)


@pytest.mark.parametrize(("num_classes", "stride"), [(2, 1), (5, 8), (150, 4), (300, 2)])
def test_the_decision_in_the_graph_equals_that_of_sceneparse(num_classes: int, stride: int) -> None:
    graph = session(decision_graph(num_classes, stride))
    logits = np.random.default_rng(0).normal(size=(2, num_classes, 6, 9)).astype(np.float32) * 3
    covered = (5.5, 8.25)
    dtype = np.uint8 if num_classes <= 256 else np.uint16
    differing = pixels = 0
    for height, width in ODD_SIZES:
        feeds = {
            "logits": logits,
            "image_size": np.array([height, width]),
            "network_size": np.array([round(stride * side) for side in covered]),
            "decide": np.array(True),
        }
        own_covered = tuple(side / stride for side in feeds["network_size"])
        labels, confidence = (np.asarray(found) for found in graph.run(None, feeds))
        assert labels.dtype == dtype
        for index, values in enumerate(logits):
            expected = label_map(
                ImageLogits(values, (own_covered[0], own_covered[1])), (height, width), dtype, 2**28
            )
            differing += np.count_nonzero(labels[index] != expected.mask)
            pixels += labels[index].size
            # Positions are float32 in the graph and float64 in sceneparse.
            np.testing.assert_allclose(confidence[index], expected.confidence, atol=1e-3)
    # Two classes that are equally probable to six digits.
    assert differing < 1e-4 * pixels
