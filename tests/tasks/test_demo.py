"""The demo fits machines of any speed."""

from pathlib import Path

import pytest

from sceneparse.planning.length import TooShortError
from sceneparse.recording.events import Event, Message
from sceneparse.tasks.demo import plan_within
from sceneparse.tasks.plan import plan
from sceneparse.tasks.synth import write_scenes


@pytest.mark.slow
def test_a_slow_machine_takes_fewer_images(tmp_path: Path) -> None:
    root = tmp_path / "scenes"
    write_scenes(root, {"training": 400, "validation": 40}, (192, 256), 0)
    with pytest.raises(TooShortError) as error:
        plan(root, hours=1e-4, weights="bundled")
    # Too short for all images, by what this machine has just taken.
    seconds = 0.5 * 3600 * error.value.hours
    said: list[Event] = []
    planned = plan_within(seconds, root, tmp_path / "plan.yaml", said.append)
    assert planned.data.training < 400
    assert planned.config.training.epochs >= 1
    message = next(each.text for each in said if isinstance(each, Message))
    assert f"{planned.data.training} are trained on" in message
