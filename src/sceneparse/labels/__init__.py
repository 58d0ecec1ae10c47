"""The classes of a data set: names, colours and ids."""

from sceneparse.labels.classes import (
    Color,
    Labels,
    Mask,
    ade20k_labels,
    table_labels,
    table_names,
)

__all__ = [
    "Color",
    "Labels",
    "Mask",
    "ade20k_labels",
    "table_labels",
    "table_names",
]
