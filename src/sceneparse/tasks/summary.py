"""Summarize the network of a config."""

from dataclasses import dataclass

from sceneparse.config import RunConfig
from sceneparse.data.datasets.file_data import PublishedData
from sceneparse.data.datasets.folder import FolderData
from sceneparse.data.datasets.synthetic import SyntheticData
from sceneparse.labels import ade20k_labels
from sceneparse.models.structure import LayerSummary, mermaid_diagram, summarize_layers


@dataclass(frozen=True)
class NetworkSummary:
    """Layers and size of a network.

    Attributes:
        layers: The layers in the order of the forward pass.
        parameters: Number of parameters that prediction uses.
        diagram: Mermaid flow chart of the network.
        size: Side in pixels of the image for which multiply-adds are counted.
        num_classes: Number of classes of the data set.
    """

    layers: list[LayerSummary]
    parameters: int
    diagram: str
    size: int
    num_classes: int


def summary(config: RunConfig) -> NetworkSummary:
    """Build the network of a config with random weights, and count its layers.

    The number of classes comes from the data set, which may need to read its files.
    """
    num_classes = _num_classes(config)
    segmenter = config.model.untrained.build(num_classes, config.channels)
    return NetworkSummary(
        layers=summarize_layers(segmenter, config.transform.size),
        parameters=sum(parameter.numel() for parameter in segmenter.parameters()),
        diagram=mermaid_diagram(segmenter.network.blocks()),
        size=config.transform.size,
        num_classes=num_classes,
    )


def _num_classes(config: RunConfig) -> int:
    match config.data:
        case SyntheticData():
            return ade20k_labels().num_classes
        case PublishedData() | FolderData() as files:
            return files.find_labels().num_classes
