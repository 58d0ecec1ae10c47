"""Arguments and options that several commands have."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import typer

from sceneparse.system.paths import expand_user, is_override

RUNTIME_HELP = "auto, torch, onnxruntime or openvino; with a precision, as in torch:fp32."


def path_argument(help: str, **settings: Any) -> Any:
    """Make a path argument, which expands `~`, with the settings of `typer.Argument`."""
    return typer.Argument(help=help, parser=expand_user, **settings)


def path_option(help: str, **settings: Any) -> Any:
    """Make a path option, which expands `~`, with the settings of `typer.Option`."""
    return typer.Option(help=help, parser=expand_user, **settings)


def split_overrides(arguments: Sequence[str]) -> tuple[list[Path], list[str]]:
    """Separate paths from overrides such as `inference.flip=true`."""
    overrides = [text for text in arguments if is_override(text)]
    return [expand_user(text) for text in arguments if text not in overrides], overrides
