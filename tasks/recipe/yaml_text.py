"""Reads the YAML of a recipe, which anybody may have written, within limits."""

from collections.abc import Hashable
from typing import Any

import yaml

MOST_CHARACTERS = 2**20
MOST_VALUES = 50_000
"""Aliases count as what they stand for: a hundred of them can stand for a thousand million values."""
DEEPEST = 50


def read_yaml(text: str) -> Any:
    """The content of a YAML document. Raises ValueError with the reason in one line."""
    if len(text) > MOST_CHARACTERS:
        raise ValueError(f"it has more than {MOST_CHARACTERS:,} characters")
    try:
        return yaml.load(text, _Loader)
    except RecursionError:
        raise ValueError(f"it is more than {DEEPEST} levels deep") from None
    except yaml.YAMLError as error:  # PyYAML spreads its message over several lines
        raise ValueError(" ".join(str(error).split())) from None


class _Loader(yaml.SafeLoader):
    """Refuses keys that are written twice, of which YAML would silently take the second, tags, and documents without end."""

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        tag = getattr(event, "tag", None)
        if tag not in (None, "!"):
            # A recipe needs none, and PyYAML fails in many ways where a tag does not fit its value.
            raise _refused(event, f"a recipe has no tags, such as {tag}")
        return super().compose_node(parent, index)

    def get_single_node(self) -> yaml.Node | None:
        node = super().get_single_node()
        if node is not None:
            _count(node, [], {})
        return node

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        value = super().construct_object(node, deep)
        if isinstance(value, int) and abs(value) >= 2**63:  # no library that reads our settings takes such a number
            raise _refused(node, "the number is too large")
        return value

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise _refused(key, "a key must be a word")
            if key.tag == "tag:yaml.org,2002:merge":  # `<<` may repeat what it merges
                continue
            if key.value in seen:
                raise _refused(key, f"{key.value} is written twice")
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def _count(node: yaml.Node, above: list[yaml.Node], known: dict[int, int]) -> int:
    """The number of values in a node, with aliases as often as they are used. Raises YAMLError above the limits."""
    if any(node is each for each in above):
        raise _refused(node, "it is inside itself")
    if len(above) > DEEPEST:
        raise _refused(node, f"it is more than {DEEPEST} levels deep")
    if id(node) not in known:
        below = node.value if isinstance(node, yaml.CollectionNode) else []
        parts = [part for each in below for part in (each if isinstance(each, tuple) else (each,))]
        known[id(node)] = 1 + sum(_count(part, [*above, node], known) for part in parts)
    if known[id(node)] > MOST_VALUES:
        raise _refused(node, f"it stands for more than {MOST_VALUES:,} values")
    return known[id(node)]


def _refused(where: Any, problem: str) -> yaml.YAMLError:
    return yaml.constructor.ConstructorError(problem=problem, problem_mark=where.start_mark)
