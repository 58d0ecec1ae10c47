"""What a run says when it does not learn, and that it says nothing when it does."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from tests.conftest import write_rectangles

from sceneparse.config.reading import read_config
from sceneparse.inference.evaluation import EvaluationSums
from sceneparse.metrics.scores import Scores
from sceneparse.recording.divergence import DivergenceWatch, class_difference, is_at_chance
from sceneparse.recording.events import Message
from sceneparse.tasks.train import train
from sceneparse.training.loop import EpochRecord

NAMES = ("wall", "floor", "lamp")
PIXELS = np.array([500, 300, 200])


def confusion(
    right: float, pixels_of_classes: NDArray[np.int64] = PIXELS, favourite: int = 0
) -> NDArray[Any]:
    """Predict a share of each class right, and all else as a favourite class."""
    matrix = np.zeros((3, 4), np.int64)
    for index, pixels in enumerate(pixels_of_classes):
        known = round(right * pixels)
        matrix[index, index] += known
        matrix[index, favourite] += pixels - known
    return matrix


def epoch(
    number: int, loss: float, train: NDArray[Any], validation: NDArray[Any] | None
) -> EpochRecord:
    evaluation = None if validation is None else EvaluationSums(validation, 1.0, 1).evaluation()
    return EpochRecord(
        epoch=number,
        step=50 * number,
        learning_rate=0.01,
        train_loss=loss,
        train=Scores.from_confusion(train),
        validation=evaluation,
        is_best=False,
        timing={},
    )


def said(
    losses: Sequence[float],
    train: Sequence[float],
    validation: Sequence[NDArray[Any] | None],
) -> list[str]:
    watch = DivergenceWatch()
    texts: list[str] = []
    for number, loss in enumerate(losses, start=1):
        record = epoch(number, loss, confusion(train[number - 1]), validation[number - 1])
        texts += watch.messages(record, NAMES)
        watch = DivergenceWatch(**asdict(watch))  # as a resumed run
    return texts


def test_a_run_that_learns_hears_nothing() -> None:
    learning = [0.1, 0.3, 0.5, 0.6, 0.7]
    validation = [confusion(right) for right in learning]
    assert said([1.1, 0.9, 0.8, 0.7, 0.6], learning, validation) == []
    # A fine-tuned network starts well, and its loss may stay where it is.
    assert said([0.2] * 5, [0.9] * 5, [confusion(0.9)] * 5) == []
    # Validation worse than training is overfitting, and the curves show it.
    assert said([1.0, 0.5, 0.2, 0.1], [0.5, 0.8, 0.9, 1.0], [confusion(0.3)] * 4) == []


def test_a_loss_that_does_not_fall_is_said_once() -> None:
    texts = said([1.1, 1.099, 1.1, 1.1, 1.1], [0.0] * 5, [None] * 5)
    assert len(texts) == 1
    assert texts[0].startswith("the training loss does not fall: 1.1 in the first epoch")
    assert "optimizer.lr" in texts[0]


def test_a_loss_that_rises_is_said() -> None:
    texts = said([1.1, 1.3, 2.5, 9.0], [0.3] * 4, [None] * 4)
    assert len(texts) == 1
    assert texts[0].startswith("the training loss has risen to 2.5, from 1.1")


def test_predictions_of_one_class_are_said_with_its_name() -> None:
    texts = said([1.1, 0.9, 0.8, 0.7], [0.4] * 4, [confusion(0.001, favourite=2)] * 4)
    assert texts[0].startswith("100.0% of the validation pixels are predicted as lamp, which 20.0%")
    # Where nearly all is one class, it is a fair start.
    mostly = confusion(0.0, np.array([990, 5, 5]))
    assert said([1.1, 0.9, 0.8, 0.7], [0.4] * 4, [mostly] * 2 + [None] * 2) == []


def test_splits_that_disagree_from_the_first_epoch_are_said() -> None:
    # Shifted ids: nothing is right, but all classes are predicted.
    shifted = np.roll(confusion(1.0)[:, :3], 1, axis=1)
    shifted = np.pad(shifted, ((0, 0), (0, 1)))
    texts = said([1.1, 0.9, 0.6, 0.4], [0.3, 0.5, 0.8, 0.9], [shifted] * 4)
    assert len(texts) == 1
    assert texts[0].startswith("training and validation disagree: mIoU 0.")
    assert "in all 3 validations" in texts[0]
    # A validation that was better once shows that the data fit.
    early = [confusion(0.6), *[shifted] * 3]
    assert said([1.1, 0.9, 0.6, 0.4], [0.3, 0.5, 0.8, 0.9], early) == []


def test_one_class_everywhere_is_at_chance_and_a_little_knowledge_is_not() -> None:
    assert is_at_chance(Scores.from_confusion(confusion(0.0)))
    assert is_at_chance(Scores.from_confusion(confusion(0.0, favourite=2)))
    assert not is_at_chance(Scores.from_confusion(confusion(0.2)))
    assert not is_at_chance(Scores.from_confusion(confusion(0.0, np.array([9, 0, 0]))))


def test_the_difference_of_classes_is_the_share_of_pixels_that_change() -> None:
    first, second = (
        Scores.from_confusion(confusion(0.5, np.array(pixels_of_classes)))
        for pixels_of_classes in ([500, 300, 200], [300, 300, 400])
    )
    assert class_difference(first, second) == pytest.approx(0.2)
    assert class_difference(first, first) == 0


def messages_of(config: Path, folder: Path, *overrides: str) -> list[str]:
    events: list[Any] = []
    long = ("training.epochs=18", "report.every=50")  # 108 steps
    train(read_config(config, [*long, *overrides]), out=folder, callback=events.append)
    return [str(event) for event in events if isinstance(event, Message)][1:]


@pytest.mark.parametrize(
    "overrides",
    [
        (),
        pytest.param(("optimizer={kind: sgd, lr: 0.05}",), marks=pytest.mark.slow),
        pytest.param(("training.ema=0.99", "schedule={kind: one_cycle}"), marks=pytest.mark.slow),
        pytest.param(
            ("model.normalization=group", "schedule={kind: cosine, warmup: 0.3}"),
            marks=pytest.mark.slow,
        ),
    ],
    ids=["adam", "sgd", "ema", "warmup"],
)
def test_networks_that_learn_hear_nothing(
    overrides: Sequence[str], rectangles_config: Path, tmp_path: Path
) -> None:
    texts = messages_of(rectangles_config, tmp_path / "run", *overrides)
    assert not [text for text in texts if "Likely" in text]


@pytest.mark.slow
def test_a_network_that_does_not_learn_hears_why(rectangles_config: Path, tmp_path: Path) -> None:
    slow = "optimizer={kind: sgd, lr: 1e-9}"
    texts = messages_of(rectangles_config, tmp_path / "slow", slow)
    assert any("the training loss does not fall" in text for text in texts)


@pytest.mark.slow
def test_validation_masks_of_other_images_are_noticed(
    rectangles_config: Path, tmp_path: Path
) -> None:
    root = tmp_path / "data"
    write_rectangles(root, {"training": 24, "validation": 6})
    for path in (root / "masks" / "validation").iterdir():
        ids = np.asarray(Image.open(path))
        Image.fromarray(((ids + 1) % 4).astype(np.uint8)).save(path)
    texts = messages_of(rectangles_config, tmp_path / "run", f"data.root={root}")
    assert any(text.startswith("training and validation disagree") for text in texts), texts
