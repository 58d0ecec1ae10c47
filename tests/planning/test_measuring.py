"""The measured costs of the parts of a run."""

from pathlib import Path

import pytest

from sceneparse.config.reading import parse_config
from sceneparse.errors import InputError
from sceneparse.planning.measuring import measure_run
from tests.planning.facts import COSTS


def test_each_part_of_a_run_is_measured_without_writing_files(
    rectangles_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    text = f"""
data: {{kind: folder, root: {rectangles_root}}}
model: {{width: 4}}
transform: {{size: 64, progressive_resizing: {{start_size: 32}}}}
training: {{batch_size: 4, accumulation: 2, ema: 0.99, precision: fp32, device: cpu}}
inference: {{size: 32}}
"""
    measured = measure_run(parse_config(text, "test"), 0.2, COSTS)
    assert min(measured) > 0
    assert measured.begin_s > COSTS.begin_s
    assert (measured.epoch_s, measured.end_s) == (COSTS.epoch_s, COSTS.end_s)
    assert measured.steps_per_epoch == 6
    assert not list(tmp_path.iterdir())


def test_a_missing_data_set_is_refused(tmp_path: Path) -> None:
    text = f"data: {{kind: folder, root: {tmp_path / 'nowhere'}}}"
    with pytest.raises(InputError, match="nowhere: no such folder"):
        measure_run(parse_config(text, "test"), 0.2, COSTS)
