"""Fine-tuning from another run, the `export` command, and the bundled model."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from sceneparse.artifacts.weights import read_weights, write_weights
from sceneparse.config.reading import parse_config, read_config
from sceneparse.data.datasets.ade20k_full import Ade20kFullData
from sceneparse.errors import InputError
from sceneparse.tasks.evaluate import evaluate
from sceneparse.tasks.export import export
from sceneparse.tasks.train import train
from tests.cli.command import run_command
from tests.cli.conftest import Cli
from tests.conftest import write_rectangles

MODEL = """
model:
  kind: encoder_unet
  encoder: test_resnet
  weights: none
  decoder_channels: [16, 8]
  output_stride: 4
  block: separable
  dropout: 0.1
"""
QUIET = Console(file=StringIO())


@pytest.fixture(scope="module")
def finished(rectangles_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a config and its finished run."""
    folder = tmp_path_factory.mktemp("finished")
    text = f"""{MODEL}
data: {{kind: folder, root: {rectangles_root}}}
transform: {{size: 32}}
optimizer: {{kind: adam, lr: 0.01}}
training: {{epochs: 2, batch_size: 4, threads: 1, precision: fp32, device: cpu}}
inference: {{size: 32}}
report: {{images: 1}}
"""
    (folder / "config.yaml").write_text(text)
    train(parse_config(text, "test"), out=folder / "run")
    return folder


@pytest.mark.slow
def test_a_run_fine_tunes_the_weights_of_another_run(
    finished: Path, cli: Cli, tmp_path: Path
) -> None:
    # The same images with classes in another order, and one class that never occurs.
    write_rectangles(tmp_path / "data", {"training": 24, "validation": 6})
    (tmp_path / "data" / "labels.yaml").write_text(
        "classes: {2: green, 0: background, 1: red, 7: violet, 3: blue}\n"
    )
    shutil.copytree(finished / "run", tmp_path / "first")
    again = ["model.weights=first", f"data.root={tmp_path / 'data'}", "optimizer.lr=0.003"]
    done = cli("train", finished / "config.yaml", *again, "--out", "next")
    assert done.returncode == 0, done.stderr
    tensors = read_weights(tmp_path / "first" / "model.safetensors").tensors
    others = sum(not name.startswith("network.head") for name in tensors)
    assert f"weights of first: {others} of {others} tensors loaded" in done.stdout
    assert "head rows of 4 of 5 classes loaded; new classes: violet\n" in done.stdout
    losses = [
        [float(row.split(",")[3]) for row in table.read_text().split("\n")[1:-1]]
        for table in (tmp_path / "first" / "metrics.csv", tmp_path / "next" / "metrics.csv")
    ]
    assert losses[1][1] < losses[1][0] < losses[0][0]
    # Evaluating or resuming the second run does not need the first one.
    shutil.rmtree(tmp_path / "first")
    next_run = tmp_path / "next"
    assert evaluate(next_run, device="cpu").images == 6
    config = read_config(finished / "config.yaml", again)
    assert train(config, out=next_run, resume=True).is_finished
    with pytest.raises(InputError, match="first: no such weights file"):
        train(config, out=tmp_path / "third")
    assert not (tmp_path / "third").exists()


def test_export_keeps_weights_and_existing_files_and_drops_local_paths(
    finished: Path, rectangles_root: Path, tmp_path: Path
) -> None:
    model, file = str(finished / "run"), tmp_path / "give" / "away.safetensors"
    whole = finished / "run" / "model.safetensors"
    written = export(model, to="safetensors", out=file)
    read, original = read_weights(file), read_weights(whole)
    assert read.tensors.keys() == original.tensors.keys()
    other = tmp_path / "flips.safetensors"
    flips = ["inference.flip=true"]
    export(model, to="safetensors", out=other, precision="fp16", overrides=flips)
    assert read_weights(other).config.inference.flip
    assert not read.config.inference.flip
    assert all((read.tensors[name] == original.tensors[name]).all() for name in read.tensors)
    # The exported file does not contain local paths.
    assert str(rectangles_root.parent) not in str(read.config)
    assert str(rectangles_root.name) in str(read.config)
    with pytest.raises(InputError, match="exists already; allow overwriting"):
        export(model, to="safetensors", out=file, precision="fp16")
    with pytest.raises(InputError, match="is a folder; give a file"):
        export(model, to="safetensors", out=tmp_path, precision="fp16", overwrite=True)
    with pytest.raises(InputError, match="this suffix means safetensors, not onnx"):
        export(model, to="onnx", out=tmp_path / "other.safetensors")
    with pytest.raises(InputError, match="is an ONNX file already"):
        export("model.onnx", out=tmp_path / "other.onnx")
    with pytest.raises(InputError, match=r"away\.safetensors: the folder cannot be created"):
        export(model, to="safetensors", out=file / "in_a_file", precision="fp16")
    half = export(model, to="safetensors", out=file, precision="fp16", overwrite=True)
    assert half.size == file.stat().st_size < 0.65 * written.size


def test_an_exported_file_drops_the_folder_of_the_labels_file(
    finished: Path, tmp_path: Path
) -> None:
    weights = read_weights(finished / "run" / "model.safetensors")
    data = Ade20kFullData(root=Path("/me/ade"), labels=Path("/me/some.yaml"))
    config = replace(weights.config, data=data)
    write_weights(tmp_path / "mine", weights._replace(config=config))
    file = tmp_path / "away"
    export(str(tmp_path / "mine"), to="safetensors", out=file)
    exported = read_weights(file).config.data
    assert isinstance(exported, Ade20kFullData)
    assert (exported.root, exported.labels) == (Path("ade"), Path("some.yaml"))


def test_an_exported_file_works_as_the_bundled_model(
    finished: Path, cli: Cli, fails: Callable[..., str], rectangles_root: Path, tmp_path: Path
) -> None:
    run, target = finished / "run", "small.safetensors"
    command = ("export", run, "--to", "safetensors", "--out", target, "--precision", "fp16")
    assert "more than 0.1 MB" in fails(*command, "--max-mb", "0.1")
    done = cli(*command, "--max-mb", "12")
    assert done.returncode == 0, done.stderr
    file = tmp_path / "small.safetensors"
    assert f"{file.stat().st_size / 1e6:.2f} MB" in done.stdout
    # Simulate an installation with this file as the bundled model.
    bundled = f"""
from pathlib import Path
from sceneparse.factory import model_files
model_files.BUNDLED = Path({str(file)!r})
"""
    image = rectangles_root / "images" / "validation" / "000.png"
    for arguments in (
        ["predict", str(image), "--out", "out"],
        ["evaluate", "bundled", "--data", str(rectangles_root)],
    ):
        done = run_command(arguments, tmp_path, before=bundled)
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / "000.png").is_file()
    report = evaluate(file, data=rectangles_root, device="cpu")
    assert f"{report.scores.miou:.4f}" in done.stdout
