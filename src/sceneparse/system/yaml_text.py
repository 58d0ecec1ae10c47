"""Reading and writing YAML 1.2, in which `off` is text and `3e-4` a number."""

import io
import json
from contextlib import suppress
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.composer import Composer, ComposerError
from ruamel.yaml.constructor import DuplicateKeyError, SafeConstructor
from ruamel.yaml.error import YAMLError
from ruamel.yaml.events import AliasEvent

from sceneparse.errors import InputError

# As many as labels of 65,535 classes take; parsed, a document takes a hundred times as much memory.
MAX_CHARACTERS = 2**23
_MAX_BITS = 14_000


class _ComposerWithoutAliases(Composer):
    """Refuses aliases: a few of them nested inside each other fill any memory."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.parser.check_event(AliasEvent):
            mark = self.parser.peek_event().start_mark
            problem = "aliases (*name) are not read; write the value out"
            raise ComposerError(problem=problem, problem_mark=mark)
        return super().compose_node(parent, index)


class _ConstructorOfShortNumbers(SafeConstructor):
    """Refuses numbers that Python cannot write in a message, such as `0xff...`."""

    def construct_yaml_int(self, node: Any) -> int:
        found = super().construct_yaml_int(node)
        if found.bit_length() > _MAX_BITS:
            raise ValueError("a number of thousands of digits")
        return found


_ConstructorOfShortNumbers.add_constructor(
    "tag:yaml.org,2002:int", _ConstructorOfShortNumbers.construct_yaml_int
)


def parse_yaml(text: str, source: str) -> Any:
    """Parse YAML, and so JSON, into plain data.

    Args:
        text: The document.
        source: Its name in messages.

    Raises:
        InputError: If it is too long, is not YAML, gives a key twice, or has aliases.
    """
    if len(text) > MAX_CHARACTERS:
        raise InputError(
            f"{source}: found {len(text):,} characters, expected at most {MAX_CHARACTERS:,}; give "
            "a config or labels file"
        )
    if text.lstrip().startswith("{"):
        # A JSON parser takes a hundredth of the time; what it refuses, YAML reads or explains.
        with suppress(ValueError, RecursionError):
            return json.loads(text, object_pairs_hook=_unique, parse_constant=_refuse)
    try:
        return _reader().load(text)
    except DuplicateKeyError as error:
        key = str(error.problem).partition('"')[2].partition('"')[0]
        raise InputError(f"{source}: `{key}` is given twice{_where(error)}") from None
    except YAMLError as error:
        raise InputError(f"{source}: not YAML ({error})") from None
    except Exception as error:  # an impossible date; a thousand brackets; faults of the parser
        raise InputError(f"{source}: not YAML ({type(error).__name__}: {error!s:.200})") from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key occurs twice")
    return found


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is no number in JSON")


def parse_value(text: str) -> Any:
    """Parse one value such as `3e-4` or `[1, 2]`; return what is not YAML as text."""
    try:
        return _reader().load(text)
    except Exception:  # see `parse_yaml`
        return text


def write_yaml(document: Any, *, in_one_line: bool = False) -> str:
    """Write plain data as YAML, keys in the order of the data.

    Args:
        document: Dictionaries, lists, text, numbers and none.
        in_one_line: Write it in flow style, such as `{size: 256, scales: [1.0]}`.
    """
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = in_one_line
    yaml.sort_base_mapping_type_on_output = False  # pyright: ignore[reportAttributeAccessIssue]
    yaml.allow_unicode = True
    yaml.width = 10**6
    text = io.StringIO()
    yaml.dump(document, text)
    written = text.getvalue()
    return written.removesuffix("...\n").rstrip("\n") if in_one_line else written


def _reader() -> YAML:
    yaml = YAML(typ="safe", pure=True)
    yaml.Composer = _ComposerWithoutAliases
    yaml.Constructor = _ConstructorOfShortNumbers
    return yaml


def _where(error: DuplicateKeyError) -> str:
    mark = error.problem_mark
    return f", line {mark.line + 1}" if mark else ""
