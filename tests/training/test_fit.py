"""Whole runs: they learn, resume, store their settings and never overwrite files."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from tests.conftest import rectangles

from sceneparse.artifacts.checkpoint import Checkpoints, read_checkpoint, write_checkpoint
from sceneparse.artifacts.run_folder import RunFolder
from sceneparse.artifacts.weights import read_weights
from sceneparse.config import RunConfig
from sceneparse.config.reading import read_config
from sceneparse.errors import InputError
from sceneparse.factory.loading import load
from sceneparse.recording.events import Event
from sceneparse.tasks.evaluate import evaluate
from sceneparse.tasks.run import Run
from sceneparse.tasks.train import train

SPARSE = ("training.validate_every=50", "report.every=50")


def last_checkpoint(folder: RunFolder) -> dict[str, Any]:
    return read_checkpoint(Checkpoints(folder.checkpoints).paths()[0])


def run(config: RunConfig, path: Path, *, resume: bool = False) -> Run:
    return train(config, out=path, resume=resume)


@pytest.fixture(scope="module")
def once(rectangles_config: Path, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """The folder of a run of one epoch; a test that changes it uses a copy."""
    config = read_config(rectangles_config, ["training.epochs=1"])
    return run(config, tmp_path_factory.mktemp("once") / "run").files


@pytest.fixture
def copied(once: RunFolder, tmp_path: Path) -> RunFolder:
    """A copy of the folder of a run of one epoch."""
    return RunFolder(shutil.copytree(once.path, tmp_path / "run"))


def test_a_tiny_unet_learns_coloured_rectangles(rectangles_config: Path, tmp_path: Path) -> None:
    config = read_config(rectangles_config, ["training.epochs=9", *SPARSE])
    trained = run(config, tmp_path / "run")
    assert trained.is_finished
    assert trained.best_miou > 0.9


def test_evaluating_the_kept_weights_gives_the_score_of_the_run(
    rectangles_config: Path, tmp_path: Path
) -> None:
    config = read_config(rectangles_config, ["training.epochs=3", "report.every=9"])
    trained = run(config, tmp_path / "run")
    report = evaluate(tmp_path / "run", device="cpu")
    assert report.scores.miou == trained.best_miou
    assert report.resize == "stretched to 32×32"
    windows = evaluate(tmp_path / "run", overrides=["inference.resize=window"], device="cpu")
    assert "windows of 32×32" in str(windows.resize)


def test_ema_weights_are_kept_and_the_checkpoint_also_holds_the_raw_weights(
    rectangles_config: Path, once: RunFolder, tmp_path: Path
) -> None:
    overrides = ["training.epochs=1", "training.ema=0.9"]
    trained = run(read_config(rectangles_config, overrides), tmp_path / "run")
    report = evaluate(tmp_path / "run", device="cpu")
    assert report.scores.miou == trained.best_miou
    kept = read_weights(trained.weights).tensors
    state = last_checkpoint(trained.files)
    assert all(torch.equal(state["average"][name], kept[name]) for name in kept)
    learned = last_checkpoint(once)["segmenter"]
    assert all(torch.equal(state["segmenter"][name], learned[name]) for name in kept)
    assert not torch.equal(kept["network.head.weight"], learned["network.head.weight"])


def test_a_run_stops_early_without_improvement_and_stays_finished(
    rectangles_config: Path, tmp_path: Path
) -> None:
    # The weights hardly change, so the first epoch stays the best.
    still = ["optimizer.lr=1e-30", "model.normalization=group"]
    overrides = [*still, "training.epochs=9", "training.patience=2", "report.every=9"]
    config = read_config(rectangles_config, overrides)
    message = (
        "early stopping after epoch 3 of 9: no better mIoU than that of epoch 1 in 2 validations"
    )
    for resume in (False, True):
        events: list[Event] = []
        trained = train(config, out=tmp_path / "run", resume=resume, callback=events.append)
        assert trained.is_finished
        assert trained.best_epoch == 1
        assert len(trained.files.metrics.read_text().splitlines()) == 4
        assert trained.files.predictions("final").exists()
        output = "\n".join(map(str, events))
        assert output.count(message) == 1
        assert ("the run is already finished" in output) == resume


def test_a_weights_file_works_in_any_folder(once: RunFolder, tmp_path: Path) -> None:
    predictor = load(shutil.copy(once.weights, tmp_path / "alone.safetensors"))
    assert predictor.labels.class_names == ("background", "red", "green", "blue")


def test_all_auto_settings_are_resolved_and_stored(rectangles_config: Path, tmp_path: Path) -> None:
    names = (
        "batch_size",
        "precision",
        "device",
        "threads",
        "memory_format",
        "compile",
        "accumulation",
    )
    auto = [f"training.{name}=auto" for name in names]
    run(read_config(rectangles_config, [*auto, "training.epochs=1"]), tmp_path / "run")
    stored = read_config(tmp_path / "run" / "config.yaml").training
    assert "auto" not in [getattr(stored, name) for name in names]
    assert stored.batch_size == 16
    assert stored.accumulation == 1


def test_a_run_is_not_overwritten(rectangles_config: Path, copied: RunFolder) -> None:
    with pytest.raises(InputError, match="holds a run of this config already; resume it"):
        run(read_config(rectangles_config, ["training.epochs=1"]), copied.path)


def test_resuming_with_another_config_is_refused(
    rectangles_config: Path, copied: RunFolder
) -> None:
    other = read_config(rectangles_config, ["training.epochs=1", "optimizer.lr=0.5"])
    with pytest.raises(InputError, match=r"optimizer\.lr: 0\.5 instead of 0\.01"):
        run(other, copied.path, resume=True)


@pytest.mark.slow
def test_a_finished_run_goes_on_with_more_epochs_and_not_with_fewer(
    rectangles_config: Path, copied: RunFolder, tmp_path: Path
) -> None:
    longer = read_config(rectangles_config, ["training.epochs=3", "report.every=3"])
    events: list[Event] = []
    went_on = train(longer, out=copied.path, resume=True, callback=events.append)
    assert "training.epochs: 3 instead of 1" in "\n".join(map(str, events))
    whole = run(longer, tmp_path / "whole")
    # The schedule is constant here, so the first epoch was the same.
    assert went_on.weights.read_bytes() == whole.weights.read_bytes()
    assert went_on.files.metrics.read_bytes() == whole.files.metrics.read_bytes()
    assert went_on.files.config.read_bytes() == whole.files.config.read_bytes()
    shorter = read_config(rectangles_config, ["training.epochs=2"])
    with pytest.raises(InputError, match=r"training\.epochs: 2 instead of 3.*another folder"):
        run(shorter, copied.path, resume=True)


def test_the_same_seed_gives_the_same_weights(
    rectangles_config: Path, once: RunFolder, tmp_path: Path
) -> None:
    config = read_config(rectangles_config, ["training.epochs=1"])
    other = read_config(rectangles_config, ["training.epochs=1", "seed=1"])
    again, another = (run(c, tmp_path / str(c.seed)).files for c in (config, other))
    tensors = [
        read_weights(folder.weights).tensors["network.head.weight"]
        for folder in (once, again, another)
    ]
    assert torch.equal(tensors[0], tensors[1])
    assert not torch.equal(tensors[0], tensors[2])


def test_a_loss_that_is_not_finite_ends_the_run(rectangles_config: Path, tmp_path: Path) -> None:
    for clip in ("null", "1.0"):
        wild = ["optimizer.kind=sgd", "optimizer.lr=1e30", f"training.clip_norm={clip}"]
        with pytest.raises(InputError, match=r"loss is (nan|inf).*optimizer\.lr"):
            run(read_config(rectangles_config, wild), tmp_path / clip)


def test_checkpoints_hold_data_only(copied: RunFolder) -> None:
    state = last_checkpoint(copied)
    assert state["step"] == 6
    path = copied.checkpoints / "code.pt"
    write_checkpoint(path, {**state, "step": Path})
    with pytest.raises(InputError, match="no checkpoint"):
        read_checkpoint(path)


def test_more_than_255_classes_are_trained_and_predicted(
    rectangles_config: Path, tmp_path: Path
) -> None:
    root = tmp_path / "many"
    for kind in ("images", "masks"):
        (root / kind).mkdir(parents=True)
    names = "\n".join(f"- class {index}" for index in range(300))
    (root / "labels.yaml").write_text(f"classes:\n{names}\nignored_ids: [65000]\n")
    for index in range(10):
        image, ids = rectangles(index, (32, 32))
        raw = ids.astype(np.uint16) * 99
        raw[:4] = 65000
        Image.fromarray(raw).save(root / "masks" / f"{index}.png")
        Image.fromarray(image).save(root / "images" / f"{index}.png")
    config = read_config(rectangles_config, [f"data.root={root}", "training.epochs=20", *SPARSE])
    assert run(config, tmp_path / "run").best_miou > 0.5
    predictor = load(tmp_path / "run")
    assert predictor.labels.ignore_index == 65535
    image, ids = rectangles(0, (32, 32))
    decoded = predictor.labels.decode(predictor(image).mask)
    assert decoded.dtype == np.uint16
    assert np.mean(decoded == ids.astype(np.uint16) * 99) > 0.8


def test_a_folder_that_is_not_empty_is_not_changed(rectangles_config: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "metrics.csv").write_text("mine")
    with pytest.raises(InputError, match="is not empty"):
        run(read_config(rectangles_config), folder)
    assert (folder / "metrics.csv").read_text() == "mine"


def test_a_run_resumes_after_its_data_have_moved(
    rectangles_config: Path, copied: RunFolder, rectangles_root: Path, tmp_path: Path
) -> None:
    shutil.copytree(rectangles_root, tmp_path / "moved")
    changes = [f"data.root={tmp_path / 'moved'}", "training.threads=1", "report.every=9"]
    config = read_config(rectangles_config, ["training.epochs=1", *changes])
    assert run(config, copied.path, resume=True).is_finished
    (tmp_path / "moved" / "images" / "training" / "000.png").unlink()
    (tmp_path / "moved" / "masks" / "training" / "000.png").unlink()
    with pytest.raises(InputError, match="not those that the run was started with"):
        run(config, copied.path, resume=True)


STARVED = (
    "model={kind: encoder_unet, encoder: test_efficientnet, weights: none}",
    "training.epochs=1",
)


@pytest.mark.parametrize(
    ("overrides", "fixes"),
    [
        (["training.batch_size=1"], "training.batch_size=2 or a larger transform.size"),
        (
            ["training.batch_size=4", "training.accumulation=4", "model.encoder=skresnet18"],
            "training.batch_size=8 or a smaller training.accumulation",
        ),
        (
            [
                "training.batch_size=1",
                "transform.size=64",
                "transform.progressive_resizing.start_size=32",
            ],
            "training.batch_size=2 or a larger transform.progressive_resizing.start_size",
        ),
        (
            ["training.batch_size=1", "model.weights=bundled"],
            "training.batch_size=2 or a larger transform.size or model.freeze_norm=true",
        ),
    ],
)
def test_a_batch_norm_over_single_values_is_refused_before_the_folder_exists(
    overrides: list[str], fixes: str, rectangles_config: Path, tmp_path: Path
) -> None:
    config = read_config(rectangles_config, [*STARVED, *overrides])
    with pytest.raises(InputError) as caught:
        run(config, tmp_path / "run")
    message = str(caught.value)
    assert "the batch norm network.encoder.body." in message
    assert "would have a single value per channel" in message
    assert message.endswith(f"; use {fixes}")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("override", ["transform.size=64", "model.freeze_norm=true"])
def test_the_advice_about_single_values_works(
    override: str, rectangles_config: Path, tmp_path: Path
) -> None:
    config = read_config(rectangles_config, [*STARVED, *SPARSE, "training.batch_size=1", override])
    assert run(config, tmp_path / "run").is_finished


def test_a_run_stopped_before_its_first_checkpoint_writes_no_row_twice(
    rectangles_config: Path, copied: RunFolder
) -> None:
    config = read_config(rectangles_config, ["training.epochs=1"])
    whole = copied.metrics.read_text()
    # Simulate a crash after the first row, when only the checkpoint of step 0 exists.
    for path in Checkpoints(copied.checkpoints).paths()[:1]:
        path.unlink()
    run(config, copied.path, resume=True)
    assert len(copied.metrics.read_text().splitlines()) == len(whole.splitlines()) == 2


@pytest.mark.slow
# Dynamo reads the gradient of every input of a graph.
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor:UserWarning")
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler")
def test_a_compiled_network_learns_the_same(
    rectangles_config: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    scores = [
        run(
            read_config(rectangles_config, [f"training.compile={choice}", "training.epochs=3"]),
            tmp_path / choice,
        ).best_miou
        for choice in ("on", "off")
    ]
    assert scores[0] == pytest.approx(scores[1], abs=0.05)
    assert "uncompiled" not in caplog.text
    assert "compile: on" in (tmp_path / "on" / "config.yaml").read_text()
