"""The benchmarks compare equal work, measure correctly, and the document shows their results."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "benchmarks"
KEYS = {
    *("benchmark", "peer", "metric", "unit", "ours", "theirs", "ratio", "ratio_min", "ratio_max"),
    *("min_ratio", "holds", "needs_bf16", "limit", "amount", "ideal", "repeats", "seeds"),
    *("note", "commit", "machine"),
}


def test_both_sides_compute_the_same_loss_and_gradients(bench: Any) -> None:
    module = bench("fused_loss")
    for ours, theirs in zip(
        module.ours(**module.QUICK)(), module.theirs(**module.QUICK)(), strict=True
    ):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-6)


def test_both_sides_count_the_same_confusion_matrix(bench: Any) -> None:
    module = bench("evaluate_2100")
    ours = module.ours(**module.QUICK)()
    theirs = module.theirs(**module.QUICK)().numpy()
    assert not ours[:, -1].any()
    # Ties in the last bit may go to either class.
    assert np.abs(ours[:, :-1] - theirs).sum() <= 4


def test_the_confusion_matrices_of_arrays_and_tensors_are_equal(bench: Any) -> None:
    module = bench("confusion")
    on_tensors = module.ours_on_tensors(64, 7)().numpy()
    np.testing.assert_array_equal(module.ours(64, 7)(), on_tensors)


@pytest.mark.skipif(
    not Path("/proc/self/clear_refs").exists(), reason="only Linux can reset a peak"
)
def test_the_peak_excludes_the_preparation() -> None:
    # In a new process, whose allocator no other test has changed.
    code = """
import json, numpy as np, measure
before = np.ones(120_000_000 // 8)  # preparation, does not count
del before
print(json.dumps(measure.measured(lambda: np.ones(80_000_000 // 8).sum(), warmup=0, timed=2)))
"""
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=FOLDER, capture_output=True, text=True, check=True)
    result = json.loads(done.stdout)
    assert len(result["seconds"]) == 2
    assert 75e6 < result["peak_bytes"] < 95e6


@pytest.mark.slow
def test_a_script_writes_rows_with_all_fields(tmp_path: Path) -> None:
    command = [sys.executable, str(FOLDER / "fused_loss.py"), "--quick", "--out", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    rows = json.loads((tmp_path / "fused_loss.json").read_text(encoding="utf-8"))
    assert "reported" in done.stdout
    assert [row["unit"] for row in rows] == ["s", "MB"]
    for row in rows:
        assert set(row) == KEYS
        assert row["benchmark"] == "fused_loss"
        assert row["holds"] is None, "no ratio is checked at tiny sizes"
        assert row["ratio"] == pytest.approx(row["theirs"] / row["ours"])
        assert str(ROOT) not in json.dumps(row)


def test_committed_results_are_rows_with_all_fields() -> None:
    for path in (FOLDER / "results").glob("*.json"):
        for row in json.loads(path.read_text(encoding="utf-8")):
            assert set(row) == KEYS, path.name
            assert row["benchmark"] == path.stem


def test_a_ratio_that_misses_its_target_is_listed(bench: Any, tmp_path: Path) -> None:
    harness, rows, table = bench("harness"), bench("rows"), bench("table")
    claim = rows.Claim(benchmark="confusion", peer="a peer", metric="speed", min_ratio=5)
    options = harness.parser("").parse_args(["--out", str(tmp_path)])
    rows.report("confusion", [rows.make_row(claim, "s", 1.0, 4.0, 4.0)], options)
    assert table.failures(tmp_path) == ["confusion, speed: found a ratio of 4, expected at least 5"]
    text = table.document(f"before\n{table.BEGIN}\nold tables\n{table.END}\nafter\n", tmp_path)
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "old tables" not in text
    assert "**does not hold**" in text


def test_the_document_shows_the_results(bench: Any) -> None:
    table = bench("table")
    text = table.TARGET.read_text(encoding="utf-8")
    assert table.document(text) == text, "run `.venv-bench/bin/python benchmarks/table.py`"


@pytest.mark.parametrize("motion", [(0.0, 0.0), (0.4, 0.0), (0.0, 0.15)])
def test_images_and_masks_of_moved_scenes_move_alike(
    motion: tuple[float, float], bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = bench("video_smoothing")
    monkeypatch.setattr(module, "NOISE", 0.0)
    mask = np.zeros((80, 120), np.uint8)
    mask[20:60, 30:90] = 1
    scene = np.repeat(mask[..., None] * np.uint8(200), 3, axis=2), mask
    frames = list(module.moved(scene, motion, 10, seed=0))
    for image, found in frames:
        assert found.shape == (60, 90)
        # They differ only along the edge, where the image is interpolated.
        assert ((image[..., 0] > 100) != found).mean() < 0.01
    moved = (frames[0][1] != frames[-1][1]).mean()
    assert (moved > 0.02) == (motion != (0.0, 0.0))
