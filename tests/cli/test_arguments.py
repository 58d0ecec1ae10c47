"""Every path of the command line and of configs expands `~` to the home folder."""

import inspect
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
import typer
from pydantic import TypeAdapter

from sceneparse.cli import app
from sceneparse.cli.arguments import split_overrides
from sceneparse.config import RunConfig
from sceneparse.config.reading import config_document, parse_config
from sceneparse.config.schema import fields_of, sections_of
from sceneparse.errors import InputError
from sceneparse.factory.torch_loading import find_weights
from sceneparse.labels.label_files import read_labels
from sceneparse.system.paths import expand_user
from sceneparse.system.yaml_text import parse_yaml
from sceneparse.tasks.train import default_folder
from tests.cli.conftest import Cli

CONFIGS = Path(__file__).parents[2] / "configs"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("USERPROFILE", str(folder))  # Windows
    return folder


def commands_of(group: typer.Typer, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for command in group.registered_commands:
        assert command.callback is not None
        yield f"{prefix}{command.name or command.callback.__name__}", command.callback
    for inner in group.registered_groups:
        assert inner.typer_instance is not None
        yield from commands_of(inner.typer_instance, f"{prefix}{inner.name} ")


def mentions_path(annotation: Any) -> bool:
    return annotation is Path or any(map(mentions_path, get_args(annotation)))


PATH_PARAMETERS = [
    (command, name)
    for command, callback in commands_of(app)
    for name, parameter in inspect.signature(callback, eval_str=True).parameters.items()
    if mentions_path(parameter.annotation)
]


def all_sections(section: type) -> Iterator[type]:
    yield section
    for annotation in fields_of(section).values():
        for inner in sections_of(annotation).values():
            yield from all_sections(inner)


PATH_FIELDS = [
    (section, name)
    for section in dict.fromkeys(all_sections(RunConfig))
    for name, annotation in fields_of(section).items()
    if mentions_path(annotation)
]


def paths_in(value: Any) -> list[Path]:
    return [value] if isinstance(value, Path) else [Path(inner) for inner in value or ()]


def test_the_tested_parameters_and_fields_include_the_known_paths() -> None:
    assert {("train", "out"), ("predict", "out"), ("data cache", "to")} <= {*PATH_PARAMETERS}
    names = {(section.__name__, name) for section, name in PATH_FIELDS}
    assert {("FolderData", "root"), ("Ade20kFullData", "labels"), ("UNetModel", "weights")} <= names
    assert ("CityscapesData", "cache") in names


@pytest.mark.parametrize(("command", "name"), PATH_PARAMETERS)
def test_every_path_of_a_command_is_expanded(command: str, name: str, home: Path) -> None:
    node: Any = typer.main.get_command(app)
    for part in command.split():
        node = node.commands[part]
    (parameter,) = (each for each in node.params if each.name == name)
    given = ["~/x"] if parameter.nargs == -1 or parameter.multiple else "~/x"
    context = typer.Context(node)
    assert paths_in(parameter.process_value(context, given)) == [home / "x"]


@pytest.mark.parametrize(("section", "name"), PATH_FIELDS)
def test_every_path_of_a_config_is_expanded(section: type, name: str, home: Path) -> None:
    annotation = fields_of(section)[name]
    assert paths_in(TypeAdapter[Any](annotation).validate_python("~/x")) == [home / "x"]


def test_keywords_and_other_paths_are_not_expanded(home: Path) -> None:
    text = "data: {kind: folder, root: ../mine, cache: auto}\nmodel: {weights: bundled}"
    document = config_document(parse_config(text, "test"))
    assert (document["data"]["root"], document["data"]["cache"]) == ("../mine", "auto")
    assert document["model"]["weights"] == "bundled"
    assert expand_user("~") == home
    for kept in ("~nobody-of-this-name/x", "x/~/y", "$HOME/x"):
        assert expand_user(kept) == Path(kept)


def test_paths_of_models_and_labels_are_expanded(home: Path) -> None:
    with pytest.raises(InputError, match=f"{re.escape(str(home / 'run'))}: no such weights file"):
        find_weights("~/run")
    with pytest.raises(
        InputError, match=f"{re.escape(str(home / 'labels.json'))}: no such labels file"
    ):
        read_labels("~/labels.json")


@pytest.mark.slow
def test_a_run_is_written_to_the_home_folder(
    rectangles_config: Path, home: Path, cli: Cli, tmp_path: Path
) -> None:
    document = parse_yaml(rectangles_config.read_text(), "config")
    (home / "data").symlink_to(document["data"]["root"])
    shutil.copy(rectangles_config, home / "mine.yaml")
    done = cli("train", "~/mine.yaml", "data.root=~/data", "training.epochs=1", "--out=~/run")
    assert (done.returncode, done.stderr) == (0, "")
    stored = parse_yaml((home / "run" / "config.yaml").read_text(), "config")
    assert stored["data"]["root"] == str(home / "data")
    done = cli("evaluate", "~/run", "--json", "~/scores.json")
    assert (done.returncode, done.stderr) == (0, "")
    assert (home / "scores.json").is_file()
    assert [*tmp_path.iterdir()] == [home]


def test_shipped_configs_have_different_default_run_folders() -> None:
    configs = [path.relative_to(CONFIGS.parent) for path in CONFIGS.rglob("*.yaml")]
    folders = {default_folder(path) for path in configs}
    assert len(folders) == len(configs) >= 13
    assert {folder.parent for folder in folders} == {Path("runs")}
    assert default_folder(Path("configs/camvid/lite0.yaml")) == Path("runs/camvid-lite0")
    assert default_folder(Path("/opt/x/configs/voc2012/lite0.yaml")) == Path("runs/voc2012-lite0")
    assert default_folder(Path("configs/folder.yaml")) == Path("runs/folder")
    assert default_folder(Path("mydata.yaml")) == Path("runs/mydata")
    assert default_folder(Path("/data/of/mine/mydata.yaml")) == Path("runs/mydata")


def test_paths_and_overrides_are_separated(home: Path) -> None:
    paths, overrides = split_overrides(["~/a.png", "inference.flip=true", "b=c.png", "x.y/z=1.png"])
    assert paths == [home / "a.png", Path("b=c.png"), Path("x.y/z=1.png")]
    assert overrides == ["inference.flip=true"]
