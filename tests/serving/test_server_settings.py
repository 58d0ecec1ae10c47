"""Bounds that contradict themselves are refused."""

from typing import Any

import pytest

from sceneparse.errors import InputError
from sceneparse.serving.server_settings import ServerSettings


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"queue_size": 0}, "queue_size 0: expected more than 0"),
        ({"max_body_mb": -1.0}, "max_body_mb -1.0: expected more than 0"),
        ({"max_wait_ms": float("nan")}, "max_wait_ms nan"),
        ({"max_body_mb": 200}, "max_body_mb 200 is more than max_bodies_mb 128"),
        ({"max_megapixels": 60}, "max_megapixels 60 is more than max_megapixels_together 50"),
    ],
)
def test_wrong_bounds_are_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        ServerSettings(**wrong)


def test_a_server_may_never_wait_for_a_batch() -> None:
    assert ServerSettings(max_wait_ms=0).max_wait_ms == 0
