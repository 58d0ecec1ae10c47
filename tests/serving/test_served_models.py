"""Models get ids for addresses and names for people."""

import pytest

from sceneparse.errors import InputError
from sceneparse.serving.served_models import model_choices, model_ids


def test_overrides_belong_to_the_model_before_them() -> None:
    arguments = ["bundled", "bundled", "inference.flip=true", "inference.size=64", "runs/my run"]
    choices = model_choices(arguments)
    assert [choice.overrides for choice in choices] == [
        (),
        ("inference.flip=true", "inference.size=64"),
        (),
    ]
    assert [choice.name for choice in choices] == [
        "bundled",
        "bundled, flip=true, size=64",
        "my run",
    ]
    assert model_ids(choices) == ["bundled", "bundled-2", "my-run"]


def test_the_bundled_model_stands_for_none() -> None:
    (choice,) = model_choices([])
    assert choice.model == "bundled"
    (choice,) = model_choices(["inference.flip=false"])
    assert choice == ("bundled", ("inference.flip=false",))


def test_overrides_before_the_first_of_several_models_are_refused() -> None:
    with pytest.raises(InputError, match="overrides belong after their model"):
        model_choices(["inference.flip=true", "bundled"])


def test_ids_are_safe_and_unique_and_names_hide_folders() -> None:
    choices = model_choices(["/home/me/Größe.onnx", "/srv/a b/Größe.onnx", "..", "a/../x?y#z", "/"])
    ids = model_ids(choices)
    assert len(set(ids)) == len(ids)
    assert all(each.isascii() and not set(each) & set("/?#% ") for each in ids)
    assert not any("/" in choice.name for choice in choices)
    assert choices[0].name == "Größe"
