"""Files of strangers run no code, reach no other file, and take no memory without bound."""

import json
import os
import pickle
import shutil
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from onnx import TensorProto, external_data_helper, helper, numpy_helper
from PIL import Image

from sceneparse.artifacts.checkpoint import read_checkpoint
from sceneparse.artifacts.onnx_file import read_onnx
from sceneparse.artifacts.weights import StoredModel, encoded_weights
from sceneparse.config import RunConfig
from sceneparse.config.reading import config_document
from sceneparse.errors import InputError
from sceneparse.factory.model_files import bundled_graph
from sceneparse.models.settings import EncoderUNetModel, UNetModel
from sceneparse.system.yaml_text import write_yaml
from tests.cli.command import run_command
from tests.conftest import write_rectangles
from tests.reliability import untrusted_files as files


class Payload:
    """Creates a file when it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str, int]]:
        return os.mkdir, (str(self.marker), 0o755)


def torch_file(content: Any) -> bytes:
    """Return what `torch.save` writes."""
    file = BytesIO()
    torch.save(content, file)
    return file.getvalue()


def payloads(marker: Path) -> dict[str, bytes]:
    """Return files that create `marker` where pickle or YAML reads them without care."""
    payload = Payload(marker)
    pickled = pickle.dumps(payload)
    array = BytesIO()
    np.save(array, np.array([payload], dtype=object), allow_pickle=True)
    arrays = BytesIO()
    np.savez(arrays, np.array([payload], dtype=object))  # pyright: ignore[reportArgumentType]
    return {
        "pickle": pickled,
        "old pickle": pickle.dumps(payload, 0),
        "torch": torch_file(payload),
        "torch state": torch_file({"segmenter": OrderedDict(a=payload)}),
        "npy": array.getvalue(),
        "npz": arrays.getvalue(),
        "checkpoint": files.with_digest(torch_file({**files.checkpoint_state(), "more": payload})),
        "checkpoint of a pickle": files.with_digest(pickled),
        "yaml": f"!!python/object/apply:os.mkdir ['{marker}']\n".encode(),
        "yaml of a field": f"seed: !!python/object/apply:os.mkdir ['{marker}']\n".encode(),
    }


@pytest.fixture(scope="module")
def run_folder(rectangles_config: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run."""
    home = tmp_path_factory.mktemp("run")
    arguments = ("train", str(rectangles_config), "training.epochs=1", "model.width=2")
    done = run_command([*arguments, "--out", "run"], home)
    assert done.returncode == 0, done.stderr
    return home / "run"


# Every file that a command reads: its place in the folder of a test, and the command.
READ_FILES = {
    "config": ("c.yaml", "train c.yaml --out new"),
    "config of a run": ("run/config.yaml", "train c.yaml --out run --resume"),
    "environment of a run": ("run/environment.json", "train c.yaml --out run --resume"),
    "checkpoint of a run": ("run/checkpoints/step_000000006.pt", "train c.yaml --out run --resume"),
    "labels of a run": ("run/labels.json", "predict image.png --model run --out new"),
    "table of a run": ("run/metrics.csv", "train c.yaml training.epochs=2 --out run --resume"),
    "weights of a run": ("run/model.safetensors", "predict image.png --model run --out new"),
    "weights": ("w.safetensors", "evaluate w.safetensors --data data"),
    "weights to start from": ("w.safetensors", "train c.yaml model.weights=w.safetensors --out n"),
    "weights by another name": ("w.pt", "predict image.png --model w.pt --out new"),
    "onnx file": ("m.onnx", "predict image.png --model m.onnx --out new"),
    "labels of the data": ("data/labels.yaml", "data check data"),
    "image": ("image.png", "predict image.png --model run --out new"),
    "image of the data": ("data/images/training/000.png", "train c.yaml --out new"),
    "mask of the data": ("data/masks/training/000.png", "train c.yaml --out new"),
    "annotations": ("coco/annotations.json", "data check coco"),
    "parquet table": ("table/train.parquet", "data check table"),
    "xml of annotations": ("cvat/annotations.xml", "data check cvat"),
    "table of classes": ("voc/labelmap.txt", "data check voc"),
    "config of YOLO": ("yolo/data.yaml", "data check yolo"),
    "project of Supervisely": ("super/meta.json", "data check super"),
    "table of ADE20K": ("ade/index_ade20k.pkl", "data check ade"),
}


def config_of_data(config: Path) -> str:
    """Return a short run on the images of the folder `data`."""
    lines = [
        "data: {kind: folder, root: data}" if "root" in line else line
        for line in config.read_text().splitlines()
    ]
    return "\n".join(lines).replace("width: 8", "width: 2").replace("epochs: 4", "epochs: 1")


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("read", READ_FILES)
def test_no_file_runs_the_code_that_it_carries(
    read: str, run_folder: Path, rectangles_config: Path, tmp_path: Path
) -> None:
    place, command = READ_FILES[read]
    for number, content in enumerate(payloads(tmp_path / "marker").values()):
        home = tmp_path / f"home{number}"
        shutil.copytree(run_folder, home / "run")
        write_rectangles(home / "data", {"training": 6, "validation": 2})
        (home / "c.yaml").write_text(config_of_data(rectangles_config))
        Image.new("RGB", (40, 30)).save(home / "image.png")
        (home / place).parent.mkdir(parents=True, exist_ok=True)
        (home / place).write_bytes(content)
        done = run_command(command.split(), home)
        assert not (tmp_path / "marker").exists(), (read, number)
        assert done.returncode in (0, 1, 2), done.stderr
        assert "Traceback" not in done.stderr


def test_the_payloads_work_where_they_are_let(tmp_path: Path) -> None:
    # Otherwise the test above would prove nothing.
    for name in ("pickle", "old pickle"):
        marker = tmp_path / name
        pickle.loads(payloads(marker)[name])  # noqa: S301
        assert marker.exists()
    marker = tmp_path / "torch"
    torch.load(BytesIO(payloads(marker)["torch"]), weights_only=False)
    assert marker.exists()


LIMIT = """
import resource
with open("/proc/self/statm") as file:
    used = int(file.read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + {allowed}, used + {allowed}))
"""


def changed_archive(change: Callable[[str, bytes], bytes], compression: int) -> bytes:
    """Return a checkpoint whose members are changed, with the right checksum."""
    content = BytesIO()
    with (
        zipfile.ZipFile(BytesIO(torch_file({"a": torch.zeros(4)}))) as old,
        zipfile.ZipFile(content, "w", compression) as new,
    ):
        for member in old.infolist():
            new.writestr(member.filename, change(member.filename, old.read(member)))
    return files.with_digest(content.getvalue())


def compressed_checkpoint() -> bytes:
    """Return a checkpoint that unpacks to a thousand times its size."""
    return changed_archive(
        lambda name, data: bytes(2**27) if name.endswith("data/0") else data, zipfile.ZIP_DEFLATED
    )


def bytearray_checkpoint() -> bytes:
    """Return a checkpoint whose pickle asks for an empty array of terabytes."""
    program = b"\x80\x02c__builtin__\nbytearray\n\x8a\x06" + bytes(5) + b"\x10\x85R."
    return changed_archive(
        lambda name, data: program if name.endswith("data.pkl") else data, zipfile.ZIP_STORED
    )


def repeated_checkpoint() -> bytes:
    """Return a checkpoint whose tensor repeats one number a trillion times."""
    state = files.checkpoint_state()
    best = torch.zeros(1, dtype=torch.uint8).expand(10**12)
    state["recorded"] = {"metrics": [], "timing": [], "best": best}
    return files.with_digest(torch_file({"format": 2, **state}))


@pytest.mark.parametrize("make", [compressed_checkpoint, bytearray_checkpoint, repeated_checkpoint])
def test_a_checkpoint_larger_than_its_file_is_refused(
    make: Callable[[], bytes], tmp_path: Path
) -> None:
    path = tmp_path / "step_000000001.pt"
    path.write_bytes(make())
    with pytest.raises(InputError, match="no checkpoint"):
        read_checkpoint(path)


def wide_weights(model: UNetModel | EncoderUNetModel) -> bytes:
    """Return a small weights file whose config describes a large network."""
    return encoded_weights(
        StoredModel({"mean": torch.zeros(3)}, RunConfig(model=model), files.small_labels())
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    "model",
    [
        UNetModel(width=1024),
        EncoderUNetModel(weights="none", encoder="resnet18", decoder_channels=(4096,) * 5),
    ],
    ids=["wide", "wide decoder"],
)
def test_a_small_weights_file_takes_no_memory_for_a_large_network(
    model: UNetModel | EncoderUNetModel, tmp_path: Path
) -> None:
    (tmp_path / "w.safetensors").write_bytes(wide_weights(model))
    Image.new("RGB", (40, 30)).save(tmp_path / "image.png")
    arguments = ["predict", "image.png", "--model", "w.safetensors", "--out", "new"]
    done = run_command(arguments, tmp_path, LIMIT.format(allowed=3 * 2**30))
    assert done.returncode == 2, done.stderr
    assert "the weights do not fit the network of their config" in done.stderr


@pytest.mark.parametrize("name", ["c.yaml", "data/labels.yaml"])
def test_a_text_without_end_is_refused(name: str, rectangles_config: Path, tmp_path: Path) -> None:
    write_rectangles(tmp_path / "data", {"training": 2, "validation": 1})
    (tmp_path / "c.yaml").write_text(config_of_data(rectangles_config))
    with (tmp_path / name).open("wb") as file:
        file.truncate(2**36)  # Takes no space on the disk.
    command = ["train", "c.yaml", "--out", "new"]
    done = run_command(command, tmp_path, LIMIT.format(allowed=2**31))
    assert done.returncode == 2, done.stderr
    assert "expected a short text" in done.stderr


def graph_with(location: str, *, nested: bool) -> bytes:
    """Return an ONNX file that takes a tensor from a file, perhaps in an inner graph."""
    tensor = numpy_helper.from_array(np.zeros(4, np.float32), "weights")
    external_data_helper.set_external_data(tensor, location)
    tensor.ClearField("raw_data")
    output = helper.make_tensor_value_info("y", TensorProto.FLOAT, [4])
    nodes, initializers = [helper.make_node("Identity", ["weights"], ["y"])], [tensor]
    if nested:
        inner = helper.make_node("Constant", [], ["y"], value=tensor)
        branch = helper.make_graph([inner], "branch", [], [output])
        nodes = [helper.make_node("If", ["c"], ["y"], then_branch=branch, else_branch=branch)]
        initializers = [numpy_helper.from_array(np.array(True), "c")]
    graph = helper.make_graph(nodes, "graph", [], [output], initializers)
    model = helper.make_model(graph)
    metadata = {"format": "sceneparse onnx 1", "strides": '{"input": 1, "output": 1}'}
    helper.set_model_props(model, {**metadata, "config": "seed: 0", "labels": "classes: [a]"})
    return model.SerializeToString()


@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize(
    "location",
    ["../secret", "/etc/hostname", "inner/../../secret", "link", "a\\b", "c:x", "..", "a\0b"],
)
def test_an_onnx_file_reads_no_file_outside_its_folder(
    location: str, nested: bool, tmp_path: Path
) -> None:
    (tmp_path / "secret").write_bytes(bytes(16))
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "link").symlink_to(tmp_path / "secret")
    path = tmp_path / "models" / "m.onnx"
    path.write_bytes(graph_with(location, nested=nested))
    with pytest.raises(InputError, match="expected a file in its own folder"):
        read_onnx(path)


def test_an_onnx_file_reads_a_file_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    for nested in (False, True):
        path.write_bytes(graph_with("weights.bin", nested=nested))
        assert read_onnx(path).labels.num_classes == 1
    assert read_onnx(bundled_graph()).labels.num_classes == 150


def test_an_image_that_is_a_program_is_not_run(tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    program = f"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n({marker}) (w) file closefile\n"
    (tmp_path / "image.png").write_text(program)
    done = run_command(["predict", "image.png", "--out", "new"], tmp_path)
    assert done.returncode != 0
    assert "EPS, which is a program" in done.stdout + done.stderr
    assert not marker.exists()


def test_a_run_folder_names_no_file_to_write_outside_of_it(
    run_folder: Path, tmp_path: Path
) -> None:
    # The config of a stranger may name any folder as data; a prediction must not touch it.
    folder = tmp_path / "run"
    shutil.copytree(run_folder, folder)
    outside = tmp_path / "outside"
    outside.mkdir()
    text = (folder / "config.yaml").read_text()
    (folder / "config.yaml").write_text(text.replace("cache: null", f"cache: {outside}"))
    Image.new("RGB", (40, 30)).save(tmp_path / "image.png")
    done = run_command(["predict", "image.png", "--model", "run", "--out", "new"], tmp_path)
    assert done.returncode == 0, done.stderr
    assert list(outside.iterdir()) == []
    assert json.loads((folder / "labels.json").read_text())


def greedy_graph(*, at_start: bool) -> bytes:
    """Return an ONNX file that asks for terabytes, as it is loaded or as it runs."""
    inputs = [
        helper.make_tensor_value_info("images", TensorProto.UINT8, ["b", "h", "w", 3]),
        helper.make_tensor_value_info("size", TensorProto.INT64, [2]),
        helper.make_tensor_value_info("decide", TensorProto.BOOL, []),
    ]
    output = helper.make_tensor_value_info("logits", TensorProto.FLOAT, None)
    side = numpy_helper.from_array(np.array([10**6, 10**6], np.int64), "side")
    nodes = [helper.make_node("ConstantOfShape", ["side" if at_start else "large"], ["logits"])]
    if not at_start:
        nodes.insert(0, helper.make_node("Mul", ["size", "side"], ["large"]))
    model = helper.make_model(
        helper.make_graph(nodes, "graph", inputs, [output], [side]),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=9,
    )
    config = write_yaml(config_document(files.small_config()))
    metadata = {"format": "sceneparse onnx 1", "strides": '{"input": 16, "output": 1}'}
    helper.set_model_props(
        model, {**metadata, "config": config, "labels": files.small_labels().to_json()}
    )
    return model.SerializeToString()


@pytest.mark.parametrize("at_start", [True, False])
@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino:fp32"])
def test_an_onnx_file_that_asks_for_terabytes_ends_with_one_message(
    at_start: bool, runtime: str, tmp_path: Path
) -> None:
    (tmp_path / "m.onnx").write_bytes(greedy_graph(at_start=at_start))
    Image.new("RGB", (40, 30)).save(tmp_path / "image.png")
    arguments = ["predict", "image.png", "--model", "m.onnx", "--out", "new"]
    done = run_command(
        [*arguments, "--runtime", runtime], tmp_path, LIMIT.format(allowed=4 * 2**30)
    )
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
