"""Write the ONNX graph of the bundled model, which reads its weights from the weights file.

Run it again when the bundled weights, or the graphs in `sceneparse.exporters`, have changed.
"""

import json
from pathlib import Path

import onnx
import torch
from onnx import TensorProto, external_data_helper, numpy_helper
from safetensors.numpy import load_file

from sceneparse.exporters.onnx_export import onnx_model
from sceneparse.factory.model_files import BUNDLED, bundled_graph
from sceneparse.factory.torch_loading import find_weights, predictor_of, segmenter_of
from sceneparse.tasks.export import BUNDLED_LICENSE

_TYPES: dict[int, str] = {TensorProto.FLOAT: "F32", TensorProto.FLOAT16: "F16"}


def with_external_weights(model: onnx.ModelProto, weights: Path) -> onnx.ModelProto:
    """Replace the weights in a model by references into the weights file that it was made from.

    A safetensors file holds plain tensors, and the header says where each one lies, so both files
    together hold the weights once.

    Args:
        model: The model; its tensors have the names of the file's, with `/fp16` after those that
            it converts. It is changed.
        weights: The file, which has to lie beside the model.

    Raises:
        ValueError: If a tensor in the file differs from that of the model.
    """
    content = weights.read_bytes()
    start = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:start])
    for tensor in model.graph.initializer:
        entry = header.get(tensor.name.removesuffix("/fp16"))
        if entry is None:
            continue
        first, last = (start + offset for offset in entry["data_offsets"])
        own = numpy_helper.to_array(tensor).tobytes()
        if entry["dtype"] != _TYPES.get(tensor.data_type) or own != content[first:last]:
            raise ValueError(f"{tensor.name} differs from that of {weights}")
        tensor.raw_data = b""
        external_data_helper.set_external_data(
            tensor, location=weights.name, offset=first, length=last - first
        )
        tensor.ClearField("raw_data")
    return model


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
