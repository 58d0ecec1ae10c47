"""Checkpoints: which are kept, and what happens to damaged ones."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from sceneparse.artifacts.checkpoint import Checkpoints, read_checkpoint
from sceneparse.errors import InputError


def state_at(step: int) -> dict[str, Any]:
    generator = torch.Generator().manual_seed(step)
    return {"step": step, "weights": torch.rand(200, generator=generator), "names": ["a", "b"]}


@pytest.fixture
def checkpoints(tmp_path: Path) -> Checkpoints:
    """Checkpoints after 5, 10 and 15 steps, of which two are kept."""
    made = Checkpoints(tmp_path)
    for step in (5, 10, 15):
        made.write(state_at(step))
    return made


def test_the_last_two_are_kept(checkpoints: Checkpoints) -> None:
    assert [path.name for path in checkpoints.paths()] == ["step_000000015.pt", "step_000000010.pt"]
    assert len(list(checkpoints.folder.iterdir())) == 2
    state = read_checkpoint(checkpoints.newest(pytest.fail))
    assert state["step"] == 15
    assert torch.equal(state["weights"], state_at(15)["weights"])


def flipped(content: bytes, random: np.random.Generator) -> bytes:
    position = int(random.integers(len(content)))
    damaged = bytearray(content)
    damaged[position] ^= 1 << int(random.integers(8))
    return bytes(damaged)


DAMAGES: dict[str, Callable[[bytes, np.random.Generator], bytes]] = {
    "truncated": lambda content, random: content[: random.integers(len(content))],
    "flipped": flipped,
    "emptied": lambda _content, _random: b"",
    "zeroed from somewhere": lambda content, random: (
        content[: (cut := int(random.integers(len(content))))] + bytes(len(content) - cut)
    ),
    "replaced": lambda content, random: random.bytes(len(content)),
    "extended": lambda content, _random: content + b"\0",
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_one_is_recognised_and_the_one_before_is_used(
    damage: str, checkpoints: Checkpoints
) -> None:
    newest, before = checkpoints.paths()
    content = newest.read_bytes()
    random = np.random.default_rng(0)
    for _ in range(50):
        damaged = DAMAGES[damage](content, random)
        if damaged == content:
            continue
        newest.write_bytes(damaged)
        messages: list[str] = []
        assert checkpoints.newest(messages.append) == before
        assert newest.name in messages[0]
        assert before.name in messages[0]


def test_none_that_is_whole_is_an_error(checkpoints: Checkpoints) -> None:
    for path in checkpoints.paths():
        path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(InputError, match=r"step_000000015.pt: damaged.*start a new run"):
        checkpoints.newest(pytest.fail)
    with pytest.raises(InputError, match="no checkpoint to resume from"):
        Checkpoints(checkpoints.folder / "nothing").newest(pytest.fail)
