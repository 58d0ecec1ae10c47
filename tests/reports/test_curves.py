"""Learning curves from a file of metrics."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sceneparse.errors import InputError
from sceneparse.reports.curves import COLORS, training_history

HEADER = (
    "epoch,step,learning_rate,train_loss,train_miou,train_pixel_accuracy,validation_loss,"
    "validation_miou,validation_pixel_accuracy,validation_mean_accuracy,validation_fwiou"
)
VALIDATION_COLOR = tuple(bytes.fromhex(COLORS["validation"][1:]))


def draw(folder: Path, rows: list[str]) -> np.ndarray:
    """Draw the rows of a metrics file and return the image."""
    (folder / "metrics.csv").write_text("\n".join([HEADER, *rows]) + "\n", encoding="utf-8")
    training_history(folder / "metrics.csv", folder / "new" / "history.png")
    with Image.open(folder / "new" / "history.png") as image:
        return np.asarray(image.convert("RGB"))


def row(epoch: int, validation: str = "1.5,0.2,0.6,0.3,0.4", rate: str = "0.001") -> str:
    return f"{epoch},{100 * epoch},{rate},{3 / (epoch + 1)},0.1,0.5,{validation}"


def count_validation_pixels(image: np.ndarray) -> int:
    """Count the pixels that have the colour of the validation curves."""
    return int((image == VALIDATION_COLOR).all(axis=-1).sum())


@pytest.mark.parametrize("epochs", [1, 2, 300])
def test_training_history_draws_any_number_of_epochs(tmp_path: Path, epochs: int):
    image = draw(tmp_path, [row(epoch) for epoch in range(1, epochs + 1)])
    assert image.shape == (1000, 1400, 3)
    assert count_validation_pixels(image) > 100


def test_training_history_accepts_empty_validation_values(tmp_path: Path):
    partial = draw(tmp_path, [row(1, ",,,,"), row(2), row(3, ",,,,"), row(4)])
    empty = draw(tmp_path, [row(1, ",,,,"), row(2, ",,,,")])
    assert count_validation_pixels(partial) > 2 * count_validation_pixels(empty)


def test_training_history_leaves_out_non_finite_values(tmp_path: Path):
    image = draw(tmp_path, [row(1), row(2, "nan,nan,nan,nan,nan", "nan"), row(3, "inf,,1,,")])
    assert count_validation_pixels(image) > 100


def test_training_history_marks_the_best_epoch(tmp_path: Path):
    low, high = "1.5,0.2,0.6,0.3,0.4", "1.5,0.4,0.6,0.3,0.4"
    early = draw(tmp_path, [row(1, high), row(2, low), row(3, low), row(4, low)])
    late = draw(tmp_path, [row(1, low), row(2, low), row(3, low), row(4, high)])
    loss_early, loss_late = (image[100:400, 60:680] for image in (early, late))

    def mark_column(panel: np.ndarray) -> int:
        near = (np.abs(panel.astype(int) - VALIDATION_COLOR) < 60).all(axis=-1)
        return int(near.sum(axis=0).argmax())

    assert mark_column(loss_early) < 310 < mark_column(loss_late)


def test_training_history_draws_zero_and_wide_learning_rates(tmp_path: Path):
    rates = ["0", "1e-6", "1e-3", "1e-5"]
    assert draw(tmp_path, [row(epoch, rate=rate) for epoch, rate in enumerate(rates)]).size
    assert draw(tmp_path, [row(1, rate="0")]).size


def test_training_history_refuses_a_file_without_epochs(tmp_path: Path):
    with pytest.raises(InputError, match=r"metrics\.csv: found no epochs"):
        draw(tmp_path, [])
