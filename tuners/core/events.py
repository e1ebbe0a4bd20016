"""What the fields of an event must be: read here, or refused with what was found.

A search is told things by user code and reads things from files. Neither gets past these readers
unless it can be kept, read back, and compared.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from .errors import SearchError
from .genes import Value
from .objective import Objective
from .plain import excerpt

JsonEvent = Mapping[str, Any]


def number(event: JsonEvent, name: str, default: float | None = None) -> float:
    """Return a finite number; `default` when it is missing.

    Raises:
        SearchError: It is something else.
    """
    value: float = event.get(name, default)
    if not _is_number(value):
        raise _wrong(name, value, "a finite number")
    return value


def text(event: JsonEvent, name: str) -> str:
    """Return a text.

    Raises:
        SearchError: It is something else.
    """
    value = event.get(name)
    if type(value) is not str:
        raise _wrong(name, value, "a text")
    return value


def text_or_none(event: JsonEvent, name: str) -> str | None:
    """Return a text, or None where there is none."""
    return None if event.get(name) is None else text(event, name)


def flag(event: JsonEvent, name: str, default: bool | None = None) -> bool:
    """Return True or False; `default` when it is missing.

    Raises:
        SearchError: It is something else.
    """
    value = event.get(name, default)
    if type(value) is not bool:
        raise _wrong(name, value, "True or False")
    return value


def mapping(event: JsonEvent, name: str) -> Mapping[str, Any]:
    """Return an object of JSON; an empty one when it is missing.

    Raises:
        SearchError: It is something else.
    """
    value = event.get(name, {})
    if not isinstance(value, Mapping) or not all(type(key) is str for key in value):
        raise _wrong(name, value, "a mapping with names as keys")
    return value


def values(event: JsonEvent, name: str = "values") -> dict[str, Value]:
    """Return values of genes, by name.

    Raises:
        SearchError: They are something else.
    """
    if name not in event:
        raise _wrong(name, None, "a mapping of genes to values")
    found = dict(mapping(event, name))
    for gene, value in found.items():
        if type(value) not in (str, bool) and not _is_number(value):
            raise _wrong(f"{name}[{gene!r}]", value, "a finite number, a text, True or False")
    return found


def sizes(event: JsonEvent) -> tuple[float, float, float]:
    """Return the least, median and greatest of the rejected sizes.

    Raises:
        SearchError: They are something else.
    """
    found = event.get("sizes")
    if not isinstance(found, list | tuple) or len(found) != 3 or not all(map(_is_number, found)):
        raise _wrong("sizes", found, "three finite numbers")
    least, middle, most = found
    return least, middle, most


def metrics(event: JsonEvent, objectives: Sequence[Objective]) -> dict[str, float | None]:
    """Return metrics by name; None for one, no objective, that was not finite.

    Raises:
        SearchError: They are something else.
    """
    found = dict(mapping(event, "metrics"))
    for name, value in found.items():
        if value is not None and not _is_number(value):
            raise _wrong(f"metrics[{name!r}]", value, "a finite number")
    for name, _ in objectives:
        if found.get(name) is None:
            raise _wrong(f"metrics[{name!r}], an objective,", found.get(name), "a finite number")
    return found


def _is_number(value: Any) -> bool:
    """Whether it is a plain, finite number that a float can hold."""
    if type(value) is float:
        return math.isfinite(value)
    if type(value) is not int:
        return False
    try:
        float(value)
    except OverflowError:
        return False
    return True


def _wrong(name: str, value: Any, wanted: str) -> SearchError:
    return SearchError(f"{name} is {excerpt(value)}: give {wanted}")
