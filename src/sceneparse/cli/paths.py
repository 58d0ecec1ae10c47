"""Parameters of commands that are paths, in all of which `~` is the home folder."""

from typing import Any

import typer

from sceneparse.system.paths import expanded


def path_argument(help: str, **settings: Any) -> Any:
    """Make an argument that is a path, with the settings of `typer.Argument`."""
    return typer.Argument(help=help, parser=expanded, **settings)


def path_option(help: str, **settings: Any) -> Any:
    """Make an option that is a path, with the settings of `typer.Option`."""
    return typer.Option(help=help, parser=expanded, **settings)
