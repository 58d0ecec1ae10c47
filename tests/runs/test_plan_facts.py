"""Which weights a plan starts from."""

import pytest
from tests.planning.facts import data

from sceneparse.config import Ade20kData, EncoderUNetModel
from sceneparse.labels import ade20k_labels
from sceneparse.planning.facts import DataFacts
from sceneparse.runs.plan_facts import best_start

CLASSES = ade20k_labels().class_names


@pytest.mark.parametrize(
    ("facts", "weights"),
    [
        (data(class_names=CLASSES), "bundled"),
        (data(class_names=CLASSES, config=Ade20kData()), "imagenet"),
        (data(class_names=("background", "liver")), "imagenet"),
    ],
    ids=["its classes", "its own pictures", "other classes"],
)
def test_a_plan_starts_from_the_model_of_the_package_where_that_is_honest(
    facts: DataFacts, weights: str
) -> None:
    start = best_start(facts, "cpu")
    assert isinstance(start.model, EncoderUNetModel)
    assert start.model.weights == weights
