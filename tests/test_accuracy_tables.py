"""The accuracy tables of synthetic results, and of the stored results in the document."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from sceneparse.metrics.comparison import compare

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "benchmarks"


def store(
    bench: Any,
    results: Path,
    name: str,
    seed: int,
    right: NDArray[np.int64],
    wall_s: float = 0,
    benchmark: str = "what_helps",
    **extra_settings: str,
) -> None:
    """Store synthetic scores of two classes, with 100 pixels each in every image."""
    images = [
        {
            "name": str(number),
            "ids": [1, 2],
            "right": [int(count), 90],
            "predicted": [int(count) + 10, 190 - int(count)],
            "true": [100, 100],
        }
        for number, count in enumerate(right)
    ]
    # Predicted and true pixels of a class, less those that are both.
    union = np.array([110 * len(right), 200 * len(right) - right.sum()])
    document = {
        "miou": float((right.sum() / union[0] + 90 * len(right) / union[1]) / 2),
        "pixel_accuracy": float((right + 90).mean() / 200),
        **dict.fromkeys(("mean_accuracy", "fwiou", "classes_absent", "loss"), 0),
        "images": len(right),
        "resize": "",
        "per_image": images,
        "per_class": [{"id": index, "name": str(index)} for index in (1, 2)],
    }
    scores = results / "scores.made"
    scores.write_text(json.dumps(document))
    settings = {"minutes": 20, "scenes": [2, 1, 64, 48], **extra_settings}
    record = bench("accuracy.records").Record(benchmark, name, seed, settings, "")
    figures = {"training_s": 10 + seed, "evaluation_s": 1, "size": 96}
    record.store(results, scores, {**figures, "images_seen": 16, "wall_s": wall_s})


def rows_of_changes(text: str) -> list[list[str]]:
    """Return the cells of the rows about changes."""
    rows = [line for line in text.splitlines() if line.startswith("| ") and "**" in line]
    return [row.removeprefix("| ").removesuffix(" |").split(" | ") for row in rows]


def test_changes_are_sorted_by_gain_and_conclusions_depend_on_seeds(
    bench: Any, tmp_path: Path
) -> None:
    random = np.random.default_rng(0)
    for seed in range(3):
        right = random.integers(40, 60, 50)
        store(bench, tmp_path, "base", seed, right)
        store(bench, tmp_path, "no_ema", seed, right + random.integers(5, 9, 50))
        store(bench, tmp_path, "dice", seed, right + random.permutation([-3, 3] * 25))
        if seed == 0:
            store(bench, tmp_path, "lite2", seed, right + 25)
            store(bench, tmp_path, "small_batch", seed, right - random.integers(5, 9, 50))
    text = bench("results_table").tables(tmp_path)
    conclusions = [row[-1] for row in rows_of_changes(text)]
    assert conclusions == [
        "helps with one seed; larger than the difference between seeds",
        "helps with every seed",
        "no significant difference on these images",
        "hurts with one seed; larger than the difference between seeds",
    ]
    assert "The base with 3 seeds has an mIoU of" in text
    assert "Not run yet: `no_weights`" in text


def test_only_times_on_the_same_processor_are_compared(bench: Any, tmp_path: Path) -> None:
    right = np.full(20, 50)
    for seed in range(2):
        store(bench, tmp_path, "base", seed, right)
        store(bench, tmp_path, "no_ema", seed, right)
        store(bench, tmp_path, "dice", seed, right)
    for path in (tmp_path / "no_ema-0.json", *tmp_path.glob("dice-*.json")):
        document = json.loads(path.read_text())
        document["run"]["machine"]["processor"] = "another"
        document["run"]["training_s"] = 22
        path.write_text(json.dumps(document))
    rows = rows_of_changes(bench("results_table").tables(tmp_path))
    times = {row[0].split("**")[1]: row[-2] for row in rows}
    assert times == {"no EMA": "× 1.00", "plus 0.5 times Dice": "–"}


def test_a_comparison_in_which_ours_exceeds_the_time_does_not_hold(
    bench: Any, tmp_path: Path
) -> None:
    for seed in range(2):
        store(bench, tmp_path, "time_ours", seed, np.full(20, 80 + seed), wall_s=1199)
        store(bench, tmp_path, "time_smp", seed, np.full(20, 40), wall_s=1203)
    text = bench("results_table").tables(tmp_path)
    assert "## After 20 minutes" in text
    assert "0.8525 (0.8500 to 0.8550)" in text
    assert "0.6500 (0.6500 to 0.6500)" in text
    assert "20:03 min" in text
    assert "Not run yet: `smp.Unet`, AdamW" in text
    assert "does not hold" not in text
    store(bench, tmp_path, "time_ours", 2, np.full(20, 80), wall_s=1201)
    assert "(seed 2): this comparison does not hold" in bench("results_table").tables(tmp_path)


def test_own_images_are_listed_with_the_time_they_took(bench: Any, tmp_path: Path) -> None:
    for seed in range(2):
        for start, right, wall_s in (("bundled", 80 + seed, 1080), ("imagenet", 40, 1260)):
            trial_settings = {"benchmark": "own_data", "names": "other", "weights": start}
            store(
                bench, tmp_path, f"own_{start}", seed, np.full(20, right), wall_s, **trial_settings
            )
    text = bench("results_table").tables(tmp_path)
    assert "2 generated training images and 1 validation images of 64×48 pixels" in text
    assert "| 0.8525 (0.8500 to 0.8550) |" in text
    assert "| 96 | 90% to 90% |" in text
    assert "| 96 | 105% to 105% |" in text
    assert "| 20 | scenes, classes with other names | ImageNet | 2 |" in text
    verdict = (
        "20 minutes, scenes, classes with other names: the bundled model beats ImageNet weights"
    )
    assert verdict in text
    assert "images of ADE20K are" not in text
    photos = {"benchmark": "own_data", "names": "photos", "weights": "bundled"}
    store(bench, tmp_path, "own_photos", 0, np.full(20, 60), 1200, **photos)
    text = bench("results_table").tables(tmp_path)
    assert "2 training and 1 validation images of 64×48 pixels in the median" in text
    assert "| 20 | images of ADE20K | the bundled model | 1 |" in text


def test_the_gain_is_the_mean_over_seeds(bench: Any, tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    for seed in range(2):
        for name in ("base", "no_ema"):
            store(bench, tmp_path, name, seed, random.integers(40, 90, 20))
    gains = bench("accuracy.gains")
    paths = [
        {seed: tmp_path / f"{name}-{seed}.json" for seed in range(2)} for name in ("base", "no_ema")
    ]
    found = gains.compare_recipes(*paths)
    assert found.miou.gain.value == pytest.approx(np.mean(found.per_seed))
    one = gains.compare_recipes({0: paths[0][0]}, {0: paths[1][0]})
    direct = compare(paths[0][0], paths[1][0]).differences
    assert one.miou == direct.miou
    assert gains.compare_recipes({0: paths[0][0]}, {1: paths[1][1]}) is None


def test_committed_results_are_small_and_contain_no_paths() -> None:
    for path in (FOLDER / "results" / "accuracy").glob("*.json"):
        text = path.read_text(encoding="utf-8")
        assert len(text) < 200_000, path.name
        run = json.loads(text)["run"]
        assert f"{run['name']}-{run['seed']}" == path.stem
        assert str(ROOT) not in text


def test_the_document_shows_the_results(bench: Any) -> None:
    table = bench("results_table")
    text = table.TARGET.read_text(encoding="utf-8")
    assert table.document(text) == text, "run `.venv-bench/bin/python benchmarks/results_table.py`"
