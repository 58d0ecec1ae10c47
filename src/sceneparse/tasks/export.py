"""From a run to one file that can be given away."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from sceneparse.artifacts.weights import write_weights
from sceneparse.config import RunConfig
from sceneparse.data.datasets.ade20k_full import Ade20kFullData
from sceneparse.data.datasets.synthetic import SyntheticData
from sceneparse.errors import InputError
from sceneparse.factory.loading import deployed, find_weights, overridden


def export_safetensors(
    model: str,
    path: Path,
    *,
    half: bool,
    max_bytes: int | None,
    overwrite: bool,
    overrides: Sequence[str] = (),
) -> int:
    """Write what predictions need of a model, with its config and labels, to one file.

    Args:
        model: A run folder or a weights file.
        path: The file to write.
        half: Store weights in fp16.
        max_bytes: Of the file; none for any size.
        overwrite: Whether a file that is there may be replaced.
        overrides: Of its `inference`, such as `inference.flip=true`: how it predicts from then on.

    Returns:
        The size of the file in bytes.

    Raises:
        InputError: If there is no such model, an override is wrong, or the file is there already,
            would be too large, or cannot be written.
    """
    if path.is_dir() or (path.exists() and not overwrite):
        raise InputError(
            f"{path}: is there already; allow overwriting, or choose another file",
            "overwrite",
            "out",
        )
    weights = deployed(overridden(find_weights(model), overrides))
    weights = weights._replace(config=_elsewhere(weights.config))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{path.parent}: cannot be made ({error.strerror})") from None
    return write_weights(path, weights, half=half, max_bytes=max_bytes)


def _elsewhere(config: RunConfig) -> RunConfig:
    """Leave out where the data lay on this machine, but for the last names of the paths."""
    data = config.data
    if isinstance(data, SyntheticData):
        return config
    there: dict[str, object] = {"root": Path(data.root.name), "cache": "auto"}
    if isinstance(data, Ade20kFullData) and data.labels:
        there["labels"] = Path(data.labels.name)
    return replace(config, data=replace(data, **there))
