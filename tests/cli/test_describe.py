"""The commands `summary`, `config` and `--help`."""

import json
from pathlib import Path

from sceneparse.system.yaml_text import parse_yaml
from tests.cli.conftest import Cli

CONFIGS = Path(__file__).parents[2] / "configs" / "ade20k"


def test_summary_shows_parameters_and_a_diagram(cli: Cli) -> None:
    done = cli("summary", CONFIGS / "unet.yaml")
    assert done.returncode == 0, done.stderr
    assert "17,272,662 parameters" in done.stdout
    assert "decoder 1: 1024→256" in done.stdout
    assert "encoder_4 -- skip --> decoder_1" in done.stdout


def test_summary_counts_multiply_adds(cli: Cli) -> None:
    done = cli("summary", CONFIGS / "unet.yaml", "model.width=2", "transform.size=32")
    # By hand, for the first convolution: 3 × 2 × 9 weights at 32 × 32 positions.
    line = next(line for line in done.stdout.splitlines() if "stem.0" in line)
    assert "54" in line
    assert f"{3 * 2 * 9 * 32 * 32 / 1e6:.1f}" in line


def test_summary_uses_the_classes_of_the_data_set(cli: Cli) -> None:
    small = ("model.width=2", "transform.size=32")
    for kind, classes in (("coco_stuff", 171), ("pascal_context data.background=true", 60)):
        data = [f"data.kind={kind.split()[0]}", *kind.split()[1:]]
        done = cli("summary", CONFIGS / "unet.yaml", *small, *data)
        assert done.returncode == 0, done.stderr
        assert f"{classes} classes" in done.stdout


def test_config_prints_defaults_and_overrides(cli: Cli) -> None:
    done = cli("config", CONFIGS / "unet.yaml", "optimizer.lr=3e-4")
    assert parse_yaml(done.stdout, "config")["optimizer"]["lr"] == 3e-4
    assert parse_yaml(done.stdout, "config")["report"]["images"] == 6


def test_config_prints_its_schema(cli: Cli) -> None:
    schema = json.loads(cli("config", "--schema").stdout)
    assert schema["properties"]["seed"]["type"] == "integer"


def test_help_lists_the_commands(cli: Cli) -> None:
    done = cli("--help")
    commands = (
        "demo",
        "train",
        "evaluate",
        "predict",
        "score",
        "summary",
        "config",
        "data",
        "export",
        "tta",
    )
    for command in commands:
        assert command in done.stdout
