"""Fixtures of a fake Hub and of a session that is connected to it: a plugin of `conftest.py`."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest
from huggingface_hub import constants

from tests.fake_hub import WRITER, FakeHub


@contextmanager
def connected_hub(folder: Path) -> Generator[FakeHub]:
    """Start a Hub whose writer is logged in here, with an empty cache in a folder."""
    cache = str(folder / "hub")
    with FakeHub() as hub, pytest.MonkeyPatch.context() as patch:
        # The package reads its variables once, when it is imported.
        patch.setattr(constants, "ENDPOINT", hub.url)
        template = "/{repo_id}/resolve/{revision}/{filename}"
        patch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", hub.url + template)
        patch.setattr(constants, "HF_HUB_CACHE", cache)
        patch.setattr(constants, "HF_TOKEN_PATH", str(folder / "token"))
        # Xet storage has servers of its own.
        patch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        patch.setenv("HF_TOKEN", WRITER)
        yield hub


@pytest.fixture
def hub(tmp_path: Path) -> Generator[FakeHub]:
    """A Hub whose writer is logged in here, with an empty cache."""
    with connected_hub(tmp_path) as hub:
        yield hub
