"""Values as plain JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from .errors import SearchError


def plain(value: Any) -> Any:
    """Return JSON for `value`: NumPy turned plain, paths and others into text, NaN into None.

    Infinities become None, too.

    Raises:
        SearchError: It is nested too deeply or contains itself, holds an integer of thousands of
            digits, or holds an object without a text.
    """
    try:
        return _plain(value)
    except RecursionError:
        raise SearchError(
            f"a {type(value).__name__} is nested too deeply to be kept, or contains itself"
        ) from None


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic | np.ndarray):
        value = value.tolist()
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, Mapping):
        return {_text(name): _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, int):
        if value.bit_length() > 64:
            _text(int(value))  # Python writes no more than some thousand digits
        return int(value)
    return _text(value)


def _text(value: Any) -> str:
    try:
        return str(value)
    except RecursionError:
        raise
    except Exception as error:
        raise SearchError(f"a {type(value).__name__} cannot be kept as text: {error}") from error


def json_number(value: Any, what: str) -> int | float:
    """Return `value` as a plain number; whole numbers stay integers, NaN and infinities pass.

    Args:
        value: A number of Python or NumPy, or what `float` takes (a tensor of one element).
        what: Names the value in the message: "the metric 'loss'".

    Raises:
        SearchError: It is no number, or an integer that no float can hold.
    """
    if isinstance(value, np.generic):
        value = value.item()
    try:
        if value is None or isinstance(value, str | bytes | bytearray):
            raise TypeError
        number = float(value)
    except OverflowError:
        raise SearchError(f"{what} is too large: give a number that a float can hold") from None
    except Exception:
        raise SearchError(f"{what} is {excerpt(value)}: give a number") from None
    return int(value) if isinstance(value, int) else number


def plain_metrics(metrics: Mapping[str, float | None]) -> dict[str, float | None]:
    """Return metrics as they are kept: None for one that is missing or not finite.

    Raises:
        SearchError: They are no mapping, a name is no text, or a metric is no number.
    """
    if not isinstance(metrics, Mapping):
        raise SearchError(f"metrics is {excerpt(metrics)}: give a mapping of names to numbers")
    numbers: dict[str, float | None] = {}
    for name, value in metrics.items():
        if not isinstance(name, str):
            raise SearchError(f"a metric has the name {excerpt(name)}: give a text")
        number = None if value is None else json_number(value, f"the metric {name!r}")
        numbers[str(name)] = number if number is not None and math.isfinite(number) else None
    return numbers


def plain_info(info: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return what else is told of a trial, as it is kept; nothing for None.

    Raises:
        SearchError: It is no mapping, or see `plain`.
    """
    if info is not None and not isinstance(info, Mapping):
        raise SearchError(f"info is {excerpt(info)}: give a mapping, or None")
    found: dict[str, Any] = plain(info or {})
    return found


def excerpt(value: Any) -> str:
    """Return the beginning of a value's `repr`, and its type, for a message."""
    try:
        said = f"{value!r:.60}"
    except Exception:
        said = "an object"
    return f"{said} ({type(value).__name__})"
