"""The accuracy benchmarks store their results and resume interrupted runs."""

import argparse
import csv
import json
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sceneparse.config.reading import config_yaml
from sceneparse.errors import InputError
from sceneparse.metrics.comparison import compare
from tests.cli.command import run_command

FOLDER = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("data") / "scenes"
    size = ("--width", "64", "--height", "48")
    command = ["data", "synth", str(root), "--images", "12", "--validation", "4", *size]
    assert run_command(command, root.parent).returncode == 0
    return root


def test_every_change_gives_a_different_config(bench: Any, tmp_path: Path) -> None:
    questions, helps = bench("accuracy.questions"), bench("what_helps")
    changes = [change for question in questions.QUESTIONS for change in question.changes]
    assert len(questions.QUESTIONS) <= 12
    assert len({change.name for change in (questions.BASE, *changes)}) == len(changes) + 1
    runner = bench("accuracy.runs").Runner(helps.CONFIG, tmp_path, tmp_path)
    base = runner.config_of_run((), 0)
    configs = [runner.config_of_run(change.overrides, 0) for change in changes]
    assert len({config_yaml(config) for config in (base, *configs)}) == len(changes) + 1
    for change, config in zip(changes, configs, strict=True):
        if not change.trains:
            assert replace(config, inference=base.inference) == base


def test_held_out_images_depend_only_on_their_names(
    bench: Any, scenes: Path, tmp_path: Path
) -> None:
    view = tmp_path / "view"
    bench("accuracy.held_out").held_out_dataset(scenes, view, 4)
    names = {
        (kind, split): {path.stem for path in (view / kind / split).iterdir()}
        for kind in ("images", "annotations")
        for split in ("training", "validation")
    }
    assert names["images", "validation"] == names["annotations", "validation"]
    assert names["images", "training"] == names["annotations", "training"]
    assert len(names["images", "validation"]) == 4
    whole = {path.stem for path in (scenes / "images" / "training").iterdir()}
    assert names["images", "training"] == whole - names["images", "validation"]
    again = tmp_path / "again"
    bench("accuracy.held_out").held_out_dataset(view, again, 1)
    # The order of the remaining images does not change.
    bench("accuracy.held_out").held_out_dataset(scenes, view, 5)
    (more,) = (path.stem for path in (again / "images" / "validation").iterdir())
    found = {path.stem for path in (view / "images" / "validation").iterdir() if path.is_file()}
    assert found == {*names["images", "validation"], more}
    with pytest.raises(InputError, match="hold out fewer"):
        bench("accuracy.held_out").held_out_dataset(scenes, view, 12)


@pytest.mark.slow
def test_what_helps_stores_each_result_once_and_records_failures(
    bench: Any, scenes: Path, tmp_path: Path
) -> None:
    helps = bench("what_helps")
    options = argparse.Namespace(
        data=scenes,
        work=tmp_path / "work",
        out=tmp_path / "results",
        quick=True,
        names=["flip"],
        seeds=1,
        hours=None,
    )
    options.work.mkdir()
    assert helps.run_all(options)
    paths = [tmp_path / "results" / f"{name}-0.json" for name in ("base", "flip")]
    compared = compare(*paths)
    assert compared.images == 4
    text = paths[0].read_text(encoding="utf-8")
    assert str(tmp_path) not in text
    run = json.loads(text)["run"]
    assert run["command"].startswith("sceneparse train configs/ade20k/ablation.yaml ")
    assert run["training_s"] > 0

    before = [path.stat().st_mtime_ns for path in paths]
    assert helps.run_all(options)
    assert [path.stat().st_mtime_ns for path in paths] == before

    runner = bench("accuracy.runs").Runner(helps.CONFIG, scenes, options.work, helps.QUICK)
    broken = bench("accuracy.questions").Change("small_batch", "", ("model.encoder=nothing",))
    assert not helps.run_change(runner, broken, 0, options.out)
    stored = json.loads((options.out / "small_batch-0.json").read_text(encoding="utf-8"))
    assert "timm has no model `nothing`" in stored["run"]["failure"]
    assert not helps.record_of(runner, broken, 0).is_stored(options.out), (
        "the next call tries it again"
    )
    text = bench("results_table").tables(options.out)
    assert "timm has no model `nothing`" in text
    assert "**flip**" in text


def test_results_stay_valid_with_new_config_fields_but_not_with_changed_ones(
    bench: Any, tmp_path: Path
) -> None:
    helps, base = bench("what_helps"), bench("accuracy.questions").BASE
    record = helps.record_of(
        bench("accuracy.runs").Runner(helps.CONFIG, tmp_path, tmp_path), base, 0
    )
    path = record.path(tmp_path)

    def store(**transform: Any) -> None:
        settings = json.loads(json.dumps(record.settings))
        settings["transform"] = {**settings["transform"], **transform}
        fields = {key: value for key, value in settings["transform"].items() if value is not ...}
        path.write_text(json.dumps({"run": {"settings": {**settings, "transform": fields}}}))

    store()
    assert record.is_stored(tmp_path)
    # As if it was stored before this field existed.
    store(jpeg=...)
    assert record.is_stored(tmp_path)
    for changed in ({"size": 96}, {"crop": ...}, {"former": 1}):
        store(**changed)
        assert not record.is_stored(tmp_path), changed


@pytest.mark.slow
def test_an_interrupted_run_is_resumed(
    bench: Any, rectangles_config: Path, rectangles_root: Path, tmp_path: Path
) -> None:
    epochs = 12  # enough to be stopped in the middle on a busy machine
    common_overrides = ("model.width=2", f"training.epochs={epochs}", "report.every=100")
    code = f"""
import sys
from pathlib import Path
from accuracy.command_line import exit_status
from accuracy.runs import Runner
runner = Runner(Path({str(rectangles_config)!r}), Path({str(rectangles_root)!r}),
              Path({str(tmp_path)!r}), {common_overrides!r})
sys.exit(exit_status(lambda: runner.train("run", (), 0) is None))
"""
    command = [sys.executable, "-c", code]
    process = subprocess.Popen(command, cwd=FOLDER, stderr=subprocess.DEVNULL)
    metrics = tmp_path / "run-0" / "metrics.csv"
    deadline = time.monotonic() + 120
    while not (metrics.exists() and metrics.read_text().count("\n") >= 2):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 130
    assert 2 <= metrics.read_text().count("\n") <= epochs, "it was interrupted"

    runs = bench("accuracy.runs")
    runner = runs.Runner(rectangles_config, rectangles_root, tmp_path, common_overrides)
    runner.train("run", (), 0)
    epochs_done = [row["epoch"] for row in csv.DictReader(metrics.read_text().splitlines())]
    assert epochs_done == [str(epoch) for epoch in range(1, epochs + 1)]
    assert "from step" in (tmp_path / "run-0.log").read_text()
    assert runs.training_seconds(runner.folder("run", 0)) > 0


def test_an_interrupted_epoch_counts_whole(bench: Any, tmp_path: Path) -> None:
    folder = bench("accuracy.runs").RunFolder(tmp_path)
    folder.timing.write_text("train_s,images_per_s\n10,8\n2,10\n20,4\n")
    assert bench("accuracy.runs").training_seconds(folder) == pytest.approx(10 + 8 + 20)


@pytest.mark.skipped_in_ci("segmentation_models_pytorch is only in the environment of `make bench`")
def test_a_peer_trains_for_the_given_time_and_is_scored(
    bench: Any, scenes: Path, tmp_path: Path
) -> None:
    pytest.importorskip("segmentation_models_pytorch")
    clock = bench("time_to_accuracy")
    runner = bench("accuracy.runs").Runner(clock.CONFIG, scenes, tmp_path, clock.QUICK)
    race = clock.Race(runner, 0.01, 32, 4)
    record = race.record("smp_adamw", 0)
    record.store(tmp_path, *clock.theirs(race, "smp_adamw", 0))
    stored = json.loads(record.path(tmp_path).read_text(encoding="utf-8"))
    assert stored["run"]["wall_s"] >= 0.6
    assert stored["run"]["images_seen"] == 4 * stored["run"]["steps"] > 0
    assert len(stored["per_image"]) == 4
