"""Pydantic's problems with a setting, in the words of an experiment file."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

_SHOWN = 200  # characters of a value

_EXPECTED = {
    "bool_parsing": "true or false",
    "bool_type": "true or false",
    "dict_type": "a mapping",
    "float_parsing": "a number",
    "float_type": "a number",
    "greater_than": "a value above {gt:g}",
    "greater_than_equal": "a value of at least {ge:g}",
    "int_from_float": "an integer",
    "int_parsing": "an integer",
    "int_parsing_size": "an integer of 64 bits",
    "int_type": "an integer",
    "less_than": "a value below {lt:g}",
    "less_than_equal": "a value of at most {le:g}",
    "literal_error": "{expected}",
    "model_attributes_type": "a name or fields",
    "path_type": "a path",
    "string_pattern_mismatch": "text that matches {pattern}",
    "string_too_long": "text of at most {max_length} characters",
    "string_type": "text",
    "too_long": "a list of at most {max_length}",
    "too_short": "a list of at least {min_length}",
    "tuple_type": "a list",
}


def expected(error: Any) -> str:
    """Return what a field takes, from one of the errors of a `ValidationError`."""
    if error["type"] == "literal_error" and isinstance(error["input"], bool):
        return str(error["ctx"]["expected"]).lower()  # of YAML, not of Python
    if error["type"] in _EXPECTED:
        return _EXPECTED[error["type"]].format(**error.get("ctx", {}))
    return str(error["msg"]).removeprefix("Value error, ").removeprefix("Input should be ")


def problem(error: Any) -> str:
    """Return what is wrong with a field, from one of the errors of a `ValidationError`."""
    if error["type"] == "missing":
        return "this field is required"
    if error["type"] == "value_error":
        return str(error["msg"]).removeprefix("Value error, ")
    return f"expected {expected(error)}, not {shown(error['input'])}"


def shown(given: Any) -> str:
    """Return what a field was given, as YAML has it, or the beginning of it."""
    text = str(given).lower() if isinstance(given, bool) else repr(given)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]} ..."


def first_problem(error: ValidationError) -> str:
    """Return the first problem that a validation found."""
    return problem(error.errors()[0])
