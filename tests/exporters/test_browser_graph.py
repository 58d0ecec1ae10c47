"""The graph for browsers, computed by ONNX Runtime in Python."""

import numpy as np
import onnx
import onnxruntime
import pytest

import sceneparse
from sceneparse.exporters.browser_graph import browser_graph
from sceneparse.factory.model_files import bundled_graph
from sceneparse.scenes import draw_scene


@pytest.mark.parametrize("views", [1, 2])
def test_one_and_two_views_give_the_labels_of_sceneparse(views: int) -> None:
    graph = browser_graph(onnx.load(bundled_graph()))
    session = onnxruntime.InferenceSession(graph.SerializeToString())
    assert [value.name for value in session.get_inputs()] == ["images", "size", "decide", "views"]
    predictor = sceneparse.load(runtime="onnxruntime", flip=views == 2)
    for index in range(2):
        image, _ = draw_scene(9, index, 97, 131)
        inputs = {
            "images": image[None],
            "size": np.zeros(2, np.int64),
            "decide": np.array(True),
            "views": np.array([views]),
        }
        labels, confidence = session.run(["labels", "confidence"], inputs)
        expected = predictor.segment(image)
        assert np.mean(np.asarray(labels)[0] == expected.mask) >= 0.999
        # Both sum 150 probabilities in fp32, in other orders.
        np.testing.assert_allclose(np.asarray(confidence)[0], expected.confidence, atol=2e-5)
