"""YAML that says everything once."""

from typing import Any

import yaml

from sceneparse.errors import InputError


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader without two traps.

    A key given twice is a mistake, where PyYAML lets the last one win; and aliases are refused,
    since a few of them nested inside each other fill any memory.
    """

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark
            raise yaml.constructor.ConstructorError(
                problem="aliases (*name) are not read; write the value out", problem_mark=mark
            )
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        for place, key in enumerate(keys):
            if key in keys[:place]:
                raise yaml.constructor.ConstructorError(
                    problem=f"`{key}` is given twice", problem_mark=node.value[place][0].start_mark
                )
        return super().construct_mapping(node, deep)


def parse_yaml(text: str, source: str) -> Any:
    """Parse YAML, and so JSON, into plain data.

    Args:
        text: The document.
        source: Where it comes from, for messages.

    Raises:
        InputError: If it is not YAML, or gives a key twice.
    """
    try:
        return yaml.load(text, _Loader)  # noqa: S506 - a safe loader
    except (yaml.YAMLError, ValueError) as error:  # ValueError: a date that there is not
        raise InputError(f"{source}: not YAML ({error})") from None
