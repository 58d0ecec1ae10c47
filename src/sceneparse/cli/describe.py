"""`summary` and `config`."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from sceneparse.cli.arguments import path_argument
from sceneparse.cli.output import console, layers_table

Overrides = Annotated[
    list[str] | None,
    typer.Argument(help="Overrides: section.field=value.", show_default=False),
]


def summary(
    config: Annotated[Path, path_argument("Config of a run (YAML).")], overrides: Overrides = None
) -> None:
    """Show the network of a config: layers, parameters, multiply-adds and a diagram."""
    from sceneparse.config.reading import read_config
    from sceneparse.tasks.summary import summary as summarise

    settings = read_config(config, overrides or [])
    found = summarise(settings)
    console.print(layers_table(found))
    sys.stdout.write(f"\n```mermaid\n{found.diagram}\n```\n")


def config(
    config: Annotated[
        Path | None, path_argument("Config of a run (YAML).", show_default=False)
    ] = None,
    overrides: Overrides = None,
    schema: Annotated[
        bool, typer.Option("--schema", help="Print the JSON Schema of configs instead.")
    ] = False,
) -> None:
    """Print a config with all defaults and overrides."""
    from sceneparse.config.reading import config_yaml, read_config
    from sceneparse.config.schema import config_schema
    from sceneparse.errors import InputError

    if schema:
        sys.stdout.write(config_schema() + "\n")
    elif config is None:
        raise InputError("config: found no file; give a YAML file, or --schema")
    else:
        sys.stdout.write(config_yaml(read_config(config, overrides or [])))
