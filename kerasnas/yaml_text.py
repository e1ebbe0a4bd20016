"""YAML that people write: read within limits, and every fault with the line it stands on.

A YAML file of a few lines can stand for a billion values (aliases of aliases), contain itself, or
hold what Python makes an exception of (an integer of 5,000 digits). Nothing of that is an
experiment. The types are those of JSON: a date is text.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from kerasnas.errors import KerasnasError

LARGEST = 1_000_000
"""Characters of a file."""
DEEPEST = 40
"""Lists and mappings inside one another, through aliases as well."""
MOST = 50_000
"""Values, each counted as often as aliases repeat it."""

_CORE = "tag:yaml.org,2002:"
_TYPES = ("str", "int", "float", "bool", "null", "map", "seq", "merge")
_TAGS = frozenset(_CORE + name for name in _TYPES)
_SHOWN = 60  # characters of what is refused
_REWORDED = 50_000  # characters that the slow parser reads a second time, for its better messages


def read_yaml(text: str, path: Path) -> tuple[Any, yaml.Node | None]:
    """Return what a file says, and the node that tells where.

    Args:
        text: Of the file.
        path: The file, for messages.

    Raises:
        KerasnasError: It is not YAML; it is larger, deeper or holds more than these limits allow;
            a mapping has a key twice, or one that is no text; or a value is none of JSON.
    """
    if len(text) > LARGEST:
        raise KerasnasError(
            f"{path} holds more than {LARGEST:,} characters, which are the most that are read: is "
            "it the right file?"
        )
    try:
        _check_events(text)
        node = _compose(text)
        if node is not None:
            _Check(path).size(node, 0)
        return _construct(text), node
    except yaml.MarkedYAMLError as error:
        error = _reworded(text, error)
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise KerasnasError(f"{path}:{line}: not valid YAML: {error.problem}") from None
    except yaml.YAMLError as error:
        raise KerasnasError(f"{path} is not valid YAML: {error}") from None


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """The types of JSON, and numbers that a float or 64 bits can hold."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag in _TAGS]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def _scalar(name: str, what: str, allowed: Callable[[Any], bool]) -> None:
    """Let a scalar of this type be what it says, or a fault that has a line."""
    construct = yaml.SafeLoader.yaml_constructors[_CORE + name]

    def checked(loader: Any, node: yaml.Node) -> Any:
        try:
            value = construct(loader, node)
        except yaml.YAMLError:
            raise
        except (ValueError, LookupError, ArithmeticError):
            value = None
        if value is None or not allowed(value):
            raise yaml.constructor.ConstructorError(
                None, None, f"{excerpt(str(node.value))} is no {what}", node.start_mark
            )
        return value

    _Loader.add_constructor(_CORE + name, checked)


_scalar("int", "integer of 64 bits", lambda value: -(2**63) <= value < 2**63)
_scalar("float", "finite number", math.isfinite)
_scalar("bool", "truth value", lambda value: True)


def excerpt(text: str) -> str:
    """Return the beginning of a text that a message quotes."""
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]} ..."


def _compose(text: str) -> yaml.Node | None:
    loader = _Loader(text)
    try:
        node: yaml.Node | None = loader.get_single_node()
        return node
    finally:
        loader.dispose()


def _construct(text: str) -> Any:
    """Construct from nodes of its own: those of `_compose` keep their merges as written."""
    loader = _Loader(text)
    try:
        return loader.get_single_data()
    finally:
        loader.dispose()


def _check_events(text: str) -> None:
    """Refuse what is too deep or too much before anything is built of it."""
    depth = 0
    for count, event in enumerate(yaml.parse(text, Loader=_Loader)):
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST:
            raise _too_deep(event.start_mark)
        if count > 2 * MOST:  # ends of lists and mappings among them
            raise _too_many(event.start_mark)


def _too_deep(mark: Any) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(
        problem=f"lists and mappings stand more than {DEEPEST} deep in one another",
        problem_mark=mark,
    )


def _too_many(mark: Any) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(
        problem=f"it stands for more than {MOST:,} values", problem_mark=mark
    )


class _Check:
    """What a file's nodes amount to, with every alias written out."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._sizes: dict[int, int] = {}
        self._open: set[int] = set()

    def size(self, node: yaml.Node, depth: int) -> int:
        """Return the number of values that a node stands for, or raise what is wrong with it."""
        known = self._sizes.get(id(node))
        if known is not None:
            return known
        if id(node) in self._open:
            raise yaml.MarkedYAMLError(problem="it contains itself", problem_mark=node.start_mark)
        if depth > DEEPEST:
            raise _too_deep(node.start_mark)
        if node.tag not in _TAGS:
            tag = excerpt(node.tag.removeprefix(_CORE))
            raise yaml.MarkedYAMLError(
                problem=f"the tag {tag!r} is none of {', '.join(_TYPES[:-1])}: leave it out",
                problem_mark=node.start_mark,
            )
        self._open.add(id(node))
        size = 1
        if isinstance(node, yaml.MappingNode):
            self._check_keys(node)
            size += sum(self.size(value, depth + 1) for _, value in node.value)
        elif isinstance(node, yaml.SequenceNode):
            size += sum(self.size(value, depth + 1) for value in node.value)
        elif "\0" in node.value:
            raise yaml.MarkedYAMLError(
                problem="a text has the character of number 0", problem_mark=node.start_mark
            )
        if size > MOST:
            raise _too_many(node.start_mark)
        self._open.remove(id(node))
        self._sizes[id(node)] = size
        return size

    def _check_keys(self, node: yaml.MappingNode) -> None:
        seen: dict[str, int] = {}
        for key, _ in node.value:
            line = key.start_mark.line + 1
            if key.tag not in (f"{_CORE}str", f"{_CORE}merge") or "\0" in key.value:
                said = excerpt(str(key.value)) if isinstance(key, yaml.ScalarNode) else "this one"
                raise yaml.MarkedYAMLError(
                    problem=f"the name of a field is text, and {said} is none",
                    problem_mark=key.start_mark,
                )
            if key.value in seen:
                raise KerasnasError(
                    f"{self._path}:{line}: {excerpt(key.value)!r} is given a second time (first on "
                    f"line {seen[key.value]}): keep one"
                )
            seen[key.value] = line


def _reworded(text: str, error: yaml.MarkedYAMLError) -> yaml.MarkedYAMLError:
    """Return the same fault in the words of PyYAML's own parser, which names the character."""
    if type(error) is yaml.MarkedYAMLError or len(text) > _REWORDED:
        return error
    try:
        for _ in yaml.parse(text, Loader=yaml.SafeLoader):
            pass
    except yaml.MarkedYAMLError as other:
        return other
    except (yaml.YAMLError, RecursionError):
        pass
    return error
