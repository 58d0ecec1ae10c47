"""Pages of predictions."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sceneparse.labels import Labels, ade20k_labels
from sceneparse.reports.panels import PanelRow, prediction_panels

LABELS = ade20k_labels()
SIZES = [(60, 80), (90, 60), (8, 8), (50, 200), (500, 300)]


def panel_rows(seed: int, classes: int = 150) -> list[PanelRow]:
    """Make images that do not depend on the seed, and predictions that do."""
    image_rng, prediction_rng = np.random.default_rng(0), np.random.default_rng(seed)
    rows: list[PanelRow] = []
    for height, width in SIZES:
        image = image_rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
        target = np.full((height, width), 2, dtype=np.uint8)
        target[: height // 2] = 4
        target[:2, :2] = LABELS.ignore_index
        prediction = prediction_rng.integers(0, classes, (height, width), dtype=np.uint8)
        rows.append(PanelRow(f"image {height}", image, target, prediction))
    return rows


def read(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


def share(image: np.ndarray, color: tuple[int, int, int]) -> float:
    return float((image == color).all(axis=-1).mean())


def test_the_size_of_panels_does_not_depend_on_predictions(tmp_path: Path):
    sizes = set()
    for epoch, classes in enumerate([1, 3, 20, 150]):
        path = tmp_path / f"{epoch}.png"
        prediction_panels(path, panel_rows(epoch, classes), LABELS, f"epoch {epoch} · " * epoch)
        sizes.add(read(path).shape)
    assert len(sizes) == 1
    assert 1200 <= sizes.pop()[1] <= 1500


def test_panels_show_ground_truth_and_prediction_in_their_columns(tmp_path: Path):
    target = np.full((30, 40), 2, dtype=np.uint8)
    image = np.full((30, 40, 3), 10, dtype=np.uint8)
    row = PanelRow("one", image, target, np.full_like(target, 4))
    prediction_panels(tmp_path / "new" / "panel.png", [row], LABELS, "epoch 1")
    left, middle, right = np.array_split(read(tmp_path / "new" / "panel.png")[:350], 3, axis=1)
    assert share(middle, LABELS.colors[2]) > 0.5
    assert share(right, LABELS.colors[4]) > 0.5
    assert share(left, LABELS.colors[2]) == share(left, LABELS.colors[4]) == 0


def test_the_legend_lists_classes_of_ground_truth_and_prediction_and_void(tmp_path: Path):
    target = np.full((30, 40), 2, dtype=np.uint8)
    with_void = target.copy()
    with_void[:5] = LABELS.ignore_index
    image = np.full((30, 40, 3), 10, dtype=np.uint8)
    for mask, void in ((target, False), (with_void, True)):
        row = PanelRow("one", image, mask, np.full_like(mask, 4))
        prediction_panels(tmp_path / "panel.png", [row], LABELS, "epoch 1")
        legend = read(tmp_path / "panel.png")[-150:]
        assert share(legend, LABELS.colors[2]) > 0
        assert share(legend, LABELS.colors[4]) > 0
        assert share(legend, LABELS.colors[7]) == 0
        assert (share(legend, (0, 0, 0)) > 0) == void


def test_panels_shorten_long_names_and_titles(tmp_path: Path):
    labels = Labels(("street " * 40, "sky"), ((200, 0, 0), (0, 0, 200)), (0, 1))
    masks = np.array([[0, 1], [1, 1]], dtype=np.uint8)
    row = PanelRow("folder/" * 40, np.zeros((2, 2, 3), dtype=np.uint8), masks, masks)
    prediction_panels(tmp_path / "panel.png", [row], labels, "a long title " * 40)
    image = read(tmp_path / "panel.png")
    assert (image[:, -20:] == 255).all()
    assert share(image[-150:], labels.colors[0]) > 0
    assert share(image[-150:], labels.colors[1]) > 0


def test_panels_without_labelled_pixels_are_drawn(tmp_path: Path):
    void = np.full((20, 20), LABELS.ignore_index, dtype=np.uint8)
    row = PanelRow("void", np.zeros((20, 20, 3), dtype=np.uint8), void, np.zeros_like(void))
    prediction_panels(tmp_path / "panel.png", [row], LABELS, "")
    assert read(tmp_path / "panel.png").size


def test_panels_without_rows_are_refused(tmp_path: Path):
    with pytest.raises(ValueError, match="no images"):
        prediction_panels(tmp_path / "panel.png", [], LABELS, "epoch 1")
