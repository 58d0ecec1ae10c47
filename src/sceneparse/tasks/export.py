"""Export a model to one file for sharing."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from sceneparse.artifacts.weights import write_weights
from sceneparse.config import RunConfig
from sceneparse.data.datasets.ade20k_full import Ade20kFullData
from sceneparse.data.datasets.synthetic import SyntheticData
from sceneparse.errors import InputError
from sceneparse.factory.loading import deployed, find_weights, with_overrides
from sceneparse.system.files import create_folder


def export_safetensors(
    model: str,
    path: Path,
    *,
    half: bool,
    max_bytes: int | None,
    overwrite: bool,
    overrides: Sequence[str] = (),
) -> int:
    """Write the weights that prediction needs, with config and labels, to one file.

    Args:
        model: A run folder or a weights file.
        path: The file to write.
        half: Store weights in fp16.
        max_bytes: Maximum size of the file; none for no limit.
        overwrite: Whether an existing file may be replaced.
        overrides: Settings of inference to store in the file, such as `inference.flip=true`.

    Returns:
        The size of the file in bytes.

    Raises:
        InputError: If the model does not exist, an override is wrong, or the file exists, would be
            too large, or cannot be written.
    """
    if path.is_dir() or (path.exists() and not overwrite):
        raise InputError(
            f"{path}: exists already; allow overwriting, or choose another file",
            "overwrite",
            "out",
        )
    weights = deployed(with_overrides(find_weights(model), overrides))
    weights = weights._replace(config=_without_local_paths(weights.config))
    create_folder(path.parent, "out")
    return write_weights(path, weights, half=half, max_bytes=max_bytes)


def _without_local_paths(config: RunConfig) -> RunConfig:
    """Reduce the data paths of this machine to their last component."""
    data = config.data
    if isinstance(data, SyntheticData):
        return config
    changes: dict[str, object] = {"root": Path(data.root.name), "cache": "auto"}
    if isinstance(data, Ade20kFullData) and data.labels:
        changes["labels"] = Path(data.labels.name)
    return replace(config, data=replace(data, **changes))
