"""The space on the disk that a run needs, known before its folder exists."""

import torch

from sceneparse.artifacts.run_folder import RunFolder
from sceneparse.config import RunConfig
from sceneparse.system.files import require_free_space
from sceneparse.training.state import TrainState

# A row of a page: a photograph and two masks, at most; the training animation included.
_BYTES_PER_DRAWN_IMAGE = 600_000
# Tables, config, labels, curves.
_BYTES_OF_REST = 2_000_000
# Tensors of the size of the weights that an optimizer keeps at most; before its first step it has
# none of them.
_MOMENTS = 2


def checkpoint_bytes(config: RunConfig, state: TrainState) -> int:
    """Return about how large a checkpoint of a run becomes."""
    weights = _weight_bytes(state)
    averages = 1 if config.training.ema is not None else 0
    # The best weights are part of it.
    return (2 + _MOMENTS + averages) * weights + state.sums.confusion.nbytes


def run_bytes(config: RunConfig, state: TrainState) -> int:
    """Return about how much space the folder of a run takes, in bytes.

    One checkpoint more than are kept exists while it is written, and so do the best weights.
    """
    training, report = config.training, config.report
    pages = 2 + training.epochs // report.every
    return (
        (training.checkpoints_kept + 1) * checkpoint_bytes(config, state)
        + 2 * _weight_bytes(state)
        + pages * report.images * _BYTES_PER_DRAWN_IMAGE
        + _BYTES_OF_REST
    )


def require_space_of_run(folder: RunFolder, config: RunConfig, state: TrainState) -> None:
    """Refuse a run that would fill the disk; what its folder holds already counts.

    Raises:
        InputError: If there is less free space.
    """
    held = sum(path.stat().st_size for path in folder.path.rglob("*") if path.is_file())
    # However much is there, the next checkpoint needs its own space.
    needed = max(run_bytes(config, state) - held, checkpoint_bytes(config, state))
    require_free_space(folder.path, needed, "the checkpoints, weights and drawings take about")


def _weight_bytes(state: TrainState) -> int:
    tensors = state.segmenter.state_dict().values()
    return sum(tensor.nbytes for tensor in tensors if isinstance(tensor, torch.Tensor))
