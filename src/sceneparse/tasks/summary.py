"""The network that a config builds, in words and numbers."""

from dataclasses import dataclass

from sceneparse.config import RunConfig
from sceneparse.data.datasets.folder import FolderData, folder_labels
from sceneparse.data.datasets.published import PublishedData
from sceneparse.data.datasets.synthetic import SyntheticData
from sceneparse.labels import ade20k_labels
from sceneparse.models.structure import LayerSummary, mermaid_diagram, summarize_layers


@dataclass(frozen=True)
class NetworkSummary:
    """A network as built.

    Attributes:
        layers: In the order in which an image meets them.
        parameters: All that predictions take.
        diagram: As a Mermaid flow chart.
        size: Side of the image that was counted with.
        num_classes: Of the data set.
    """

    layers: list[LayerSummary]
    parameters: int
    diagram: str
    size: int
    num_classes: int


def summary(config: RunConfig) -> NetworkSummary:
    """Build the network of a config, without weights to start from, and measure it.

    The number of classes is that of the data set, whose files are looked at where they tell it.
    """
    num_classes = _num_classes(config)
    segmenter = config.model.untrained.build(num_classes)
    return NetworkSummary(
        layers=summarize_layers(segmenter, config.transform.size),
        parameters=sum(parameter.numel() for parameter in segmenter.parameters()),
        diagram=mermaid_diagram(segmenter.network.blocks()),
        size=config.transform.size,
        num_classes=num_classes,
    )


def _num_classes(config: RunConfig) -> int:
    match config.data:
        case FolderData(root=root):
            return folder_labels(root).num_classes
        case SyntheticData():
            return ade20k_labels().num_classes
        case PublishedData() as published:
            return published.find_labels().num_classes
