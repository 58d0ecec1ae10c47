"""The benchmarks compare what is equal, measure what they say, and the document shows it."""

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
    *("at_least", "holds", "rests_on_bf16", "limit", "amount", "ideal", "repeats", "seeds"),
    *("note", "commit", "machine"),
}


def test_both_losses_and_gradients_are_the_same(bench: Any) -> None:
    module = bench("fused_loss")
    for mine, other in zip(
        module.ours(**module.QUICK)(), module.theirs(**module.QUICK)(), strict=True
    ):
        torch.testing.assert_close(mine, other, rtol=1e-4, atol=1e-6)


def test_both_label_maps_count_the_same(bench: Any) -> None:
    module = bench("evaluate_2100")
    mine = module.ours(**module.QUICK)()
    other = module.theirs(**module.QUICK)().numpy()
    assert not mine[:, -1].any()
    # Ties in the last bit may fall to either side.
    assert np.abs(mine[:, :-1] - other).sum() <= 4


def test_both_confusion_matrices_of_ours_are_the_same(bench: Any) -> None:
    module = bench("confusion")
    on_tensors = module.ours_on_tensors(64, 7)().numpy()
    np.testing.assert_array_equal(module.ours(64, 7)(), on_tensors)


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="only Linux forgets a peak")
def test_the_peak_is_that_of_the_steps_alone() -> None:
    # In a process of its own, whose allocator no test before has changed.
    code = """
import json, numpy as np, measure
before = np.ones(120_000_000 // 8)  # prepared: does not count
del before
print(json.dumps(measure.measured(lambda: np.ones(80_000_000 // 8).sum(), warmup=0, timed=2)))
"""
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=FOLDER, capture_output=True, text=True, check=True)
    answer = json.loads(done.stdout)
    assert len(answer["seconds"]) == 2
    assert 75e6 < answer["peak_bytes"] < 95e6


@pytest.mark.slow
def test_a_script_writes_rows_of_one_kind(tmp_path: Path) -> None:
    command = [sys.executable, str(FOLDER / "fused_loss.py"), "--quick", "--out", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    rows = json.loads((tmp_path / "fused_loss.json").read_text(encoding="utf-8"))
    assert "reported" in done.stdout
    assert [row["unit"] for row in rows] == ["s", "MB"]
    for row in rows:
        assert set(row) == KEYS
        assert row["benchmark"] == "fused_loss"
        assert row["holds"] is None, "nothing is held at tiny sizes"
        assert row["ratio"] == pytest.approx(row["theirs"] / row["ours"])
        assert str(ROOT) not in json.dumps(row)


def test_committed_results_are_rows_of_one_kind() -> None:
    for path in (FOLDER / "results").glob("*.json"):
        for row in json.loads(path.read_text(encoding="utf-8")):
            assert set(row) == KEYS, path.name
            assert row["benchmark"] == path.stem


def test_a_figure_that_does_not_hold_is_named(bench: Any, tmp_path: Path) -> None:
    harness, rows, table = bench("harness"), bench("rows"), bench("table")
    claim = rows.Claim(benchmark="confusion", peer="a peer", metric="speed", at_least=5)
    options = harness.parser("").parse_args(["--out", str(tmp_path)])
    rows.report("confusion", [rows.stated(claim, "s", 1.0, 4.0, 4.0)], options)
    assert table.failures(tmp_path) == ["confusion, speed: 4, must be 5"]
    text = table.document(f"before\n{table.BEGIN}\nformer figures\n{table.END}\nafter\n", tmp_path)
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "former figures" not in text
    assert "**does not hold**" in text


def test_the_document_shows_the_results(bench: Any) -> None:
    table = bench("table")
    text = table.TARGET.read_text(encoding="utf-8")
    assert table.document(text) == text, "run `.venv-bench/bin/python benchmarks/table.py`"
