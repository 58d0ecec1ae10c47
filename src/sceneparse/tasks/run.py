"""A training run on disk."""

from dataclasses import dataclass
from pathlib import Path

from sceneparse.artifacts.run_folder import RunFolder
from sceneparse.factory.loading import load
from sceneparse.inference.predictor import Predictor


@dataclass(frozen=True)
class Run:
    """A training run, as `train` returns it.

    Attributes:
        folder: The run folder with `model.safetensors`, tables, drawings and checkpoint.
        is_finished: Whether the run reached its end; if not, it can be resumed.
        best_epoch: The epoch whose weights are kept, counted from 1; 0 if none was validated.
        best_miou: Validation mIoU of these weights, in 0..1.
        resize: How validation resizes images for the network.
        stopped_by: Number of the signal that stopped the run, in any process; 0 if none.
        is_requeued: Whether SLURM has been asked to start the job again.
    """

    folder: Path
    is_finished: bool
    best_epoch: int
    best_miou: float
    resize: str
    stopped_by: int = 0
    is_requeued: bool = False

    @property
    def files(self) -> RunFolder:
        """The paths of all files in the folder."""
        return RunFolder(self.folder)

    @property
    def weights(self) -> Path:
        """The weights file: the best weights by validation mIoU, with config and labels."""
        return self.files.weights

    @property
    def history(self) -> list[dict[str, float]]:
        """The row of each epoch in `metrics.csv`: losses, scores and learning rate."""
        return self.files.read_metrics()

    @property
    def scores(self) -> dict[str, float]:
        """The row of the epoch whose weights are kept; empty if none was validated."""
        rows = [row for row in self.history if row["epoch"] == self.best_epoch]
        return rows[0] if rows else {}

    def load(self, device: str = "auto") -> Predictor:
        """Load the kept weights as a predictor."""
        return load(self.folder, device)
