"""YAML and JSON texts."""

import pytest

from sceneparse.errors import InputError
from sceneparse.system.yaml_text import parse_yaml


def test_json_is_read_like_yaml_and_its_mistakes_are_named() -> None:
    text = '{"a": [1, 2.5, null, true], "b": {"c": "\\u00e9"}}'
    assert parse_yaml(text, "x") == {"a": [1, 2.5, None, True], "b": {"c": "é"}}
    assert parse_yaml("{a: off}", "x") == {"a": "off"}  # YAML in braces
    with pytest.raises(InputError, match="`a` is given twice"):
        parse_yaml('{"a": 1, "a": 2}', "x")
    with pytest.raises(InputError, match="not YAML"):
        parse_yaml("{" * 5000, "x")
