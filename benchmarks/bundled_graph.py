"""Write the ONNX graph of the bundled model, which reads its weights from the weights file.

Run it again when the bundled weights, or the graphs in `sceneparse.exporters`, have changed.
"""

from pathlib import Path

import torch
from safetensors.numpy import load_file

from sceneparse.exporters.external_weights import with_external_weights
from sceneparse.exporters.onnx_export import onnx_model
from sceneparse.factory.model_files import BUNDLED, bundled_graph
from sceneparse.factory.torch_loading import find_weights, predictor_of, segmenter_of
from sceneparse.tasks.export import BUNDLED_LICENSE

if __name__ == "__main__":
    weights = Path(str(BUNDLED))
    stored = find_weights("bundled")
    predictor = predictor_of(stored, torch.device("cpu"), "fp32")
    model = onnx_model(
        segmenter_of(stored), stored.config, predictor, load_file(weights), BUNDLED_LICENSE
    )
    content = with_external_weights(model, weights).SerializeToString()
    bundled_graph().write_bytes(content)
    print(f"{bundled_graph()}: {len(content) / 1e3:.0f} KB")
