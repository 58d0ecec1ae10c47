"""Exported models for benchmarks of inference: each is exported once to a temporary folder."""

import tempfile
from pathlib import Path

import torch

from machine import ROOT
from sceneparse.artifacts.weights import StoredModel, write_weights
from sceneparse.config.reading import read_config
from sceneparse.labels import ade20k_labels
from sceneparse.tasks.export import export

_SAMPLES = 3


def exported(config_name: str, size: int) -> tuple[str, str]:
    """Export an untrained network of a config, and return its weights file and its ONNX file.

    The batch norms have statistics of a few batches, so that activations have usual sizes.

    Args:
        config_name: Name of a file in `configs/ade20k`.
        size: Side of the images for the network.
    """
    config = read_config(
        ROOT / "configs" / "ade20k" / f"{config_name}.yaml",
        [f"inference.size={size}", "training.precision=fp32"],
    )
    labels = ade20k_labels()
    torch.manual_seed(0)
    segmenter = config.model.build(labels.num_classes)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for _ in range(_SAMPLES):
            shape = (2, 3, size, size)
            segmenter(torch.randint(0, 256, shape, generator=generator, dtype=torch.uint8))
    folder = Path(tempfile.mkdtemp(prefix="sceneparse-bench-"))
    weights = folder / "model.safetensors"
    write_weights(weights, StoredModel(segmenter.state_dict(), config, labels))
    return str(weights), str(export(weights, out=folder / "model.onnx").path)
