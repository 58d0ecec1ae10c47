"""Fixtures of a fake Hub and of a session that is connected to it."""

from collections.abc import Generator
from pathlib import Path

import pytest
from huggingface_hub import constants

from tests.fake_hub import WRITER, FakeHub


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[FakeHub]:
    """A Hub whose writer is logged in here, with an empty cache."""
    with FakeHub() as hub:
        # The package reads its variables once, when it is imported.
        monkeypatch.setattr(constants, "ENDPOINT", hub.url)
        template = "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", hub.url + template)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
        monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "token"))
        # Xet storage has servers of its own.
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        variables = {"HF_ENDPOINT": hub.url, "HF_HUB_CACHE": str(tmp_path / "hub")}
        variables |= {
            "HF_HUB_DISABLE_XET": "1",
            "HF_TOKEN": WRITER,
            "HF_HOME": str(tmp_path / "hf"),
        }
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        yield hub
