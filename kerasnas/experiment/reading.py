"""Reading an experiment from YAML: every problem is named with its line, field and remedy."""

from __future__ import annotations

import re
import types
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, ValidationError

from kerasnas.errors import KerasnasError, counted
from kerasnas.experiment.problems import expected, problem, shown
from kerasnas.experiment.schema import Experiment
from kerasnas.paths import StrPath
from kerasnas.yaml_text import LARGEST, read_yaml

_SHOWN = 20  # problems
_LONGEST = 2_000  # characters of one


def load(path: StrPath) -> Experiment:
    """Read an experiment.

    Raises:
        KerasnasError: The file is missing, not YAML, or a field is unknown or wrong; the message
            gives file, line, field, and what is allowed.
    """
    path = Path(path)
    try:
        with path.open(encoding="utf-8") as file:
            text = file.read(LARGEST + 1)
    except FileNotFoundError:
        raise KerasnasError(
            f"there is no experiment {path}; `kerasnas init FOLDER` writes one"
        ) from None
    except IsADirectoryError:
        raise KerasnasError(f"{path} is a directory, not an experiment file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise KerasnasError(f"the experiment {path} cannot be read: {error}") from None
    data, node = read_yaml(text, path)
    if not isinstance(data, Mapping):
        raise KerasnasError(f"{path} holds no fields: an experiment is a mapping such as `name: x`")
    try:
        return Experiment.model_validate(data)
    except ValidationError as error:
        found = _by_field(error.errors(include_url=False))
        shown = islice(found.items(), _SHOWN)
        lines = [_told(path, node, *_problem(names, faults)) for names, faults in shown]
        if len(found) > _SHOWN:
            lines.append(f"and {counted(len(found) - _SHOWN, 'more field')} to correct")
        raise KerasnasError("\n".join(lines)) from None
    except (ArithmeticError, MemoryError) as error:
        raise KerasnasError(
            f"{path}: a number is too large to compute with ({error}): correct it"
        ) from None


def _told(path: Path, node: yaml.Node | None, names: tuple[str, ...], text: str) -> str:
    line = f"{path}:{_line(node, names)}: {text}"
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]} ..."


class _Place(NamedTuple):
    """Where in the settings something is.

    Attributes:
        names: Names of the nested fields, as the file gives them.
        annotation: Type of the last one.
        tag: The field that tells which settings of a union these are, if they are of one.
        kinds: The settings of that union, by its values.
    """

    names: tuple[str, ...]
    annotation: Any
    tag: str = ""
    kinds: Mapping[str, type[BaseModel]] = {}


_Faults = list[tuple[_Place, Any]]


def _by_field(errors: Sequence[Any]) -> dict[tuple[str, ...], _Faults]:
    """Return what is wrong with each field, by its names, whatever types it may have."""
    told: dict[tuple[str, ...], _Faults] = {}
    above = {error["loc"][:depth] for error in errors for depth in range(len(error["loc"]))}
    for error in errors:
        location = error["loc"]
        if error["type"] == "too_short" and location in above:
            continue  # items that are wrong are not counted
        unknown = error["type"] == "extra_forbidden"
        place = _walk(location[:-1] if unknown else location)
        names = (*place.names, str(location[-1])) if unknown else place.names
        told.setdefault(names, []).append((place, error))
    return told


def _problem(names: tuple[str, ...], found: _Faults) -> tuple[tuple[str, ...], str]:
    """Return the field to correct, and the message."""
    if len(found) > 1:  # a field of several types, none of which fits
        allowed = " or ".join(dict.fromkeys(expected(error) for _, error in found))
        text = f"expected {allowed}, not {shown(found[0][1]['input'])}"
    else:
        text = _message(*found[0])
    if not names and (named := re.match(r"[a-z]\w*(\.\w+)+", text)):
        # A check of several fields together names the one to change.
        names = tuple(named[0].split("."))
        if names[0] in Experiment.model_fields:
            return names, text
        names = ()
    return names, f"{'.'.join(names) or 'experiment'}: {text}"


def _message(place: _Place, error: Any) -> str:
    kind, given = error["type"], error["input"]
    if kind == "extra_forbidden":
        name, allowed = str(error["loc"][-1]), _fields_of(place.annotation)
        close = get_close_matches(name, allowed, n=1)
        owners = [kind for kind, model in place.kinds.items() if name in _fields_of(model)]
        hint = f"; did you mean {close[0]}?" if close else ""
        if owners:
            hint = f"; it belongs to {place.tag}: {' or '.join(owners)}"
        return f"unknown field; allowed here: {', '.join(allowed)}{hint}"
    if kind == "union_tag_invalid":
        tag = error["ctx"]
        name, allowed = tag["discriminator"].strip("'"), tag["expected_tags"].replace("'", "")
        return f"unknown {name} {shown(tag['tag'])}: it can be {allowed}"
    if kind == "model_type":
        return f"expected fields ({', '.join(_fields_of(place.annotation))}), not {shown(given)}"
    return problem(error)


def _line(node: yaml.Node | None, names: Sequence[str]) -> int:
    """Return the line, from 1, of the deepest of the nested fields that the file names."""
    line = node.start_mark.line if node else 0
    for name in names:
        if isinstance(node, yaml.MappingNode):
            found = next((pair for pair in _fields(node) if pair[0].value == name), None)
            if found is None:
                continue
            line, node = found[0].start_mark.line, found[1]
        elif isinstance(node, yaml.SequenceNode) and name.isdigit():
            if int(name) >= len(node.value):
                break  # an item is missing
            node = node.value[int(name)]
            line = node.start_mark.line
    return line + 1


def _fields(node: yaml.MappingNode) -> Iterator[tuple[yaml.Node, yaml.Node]]:
    """Yield keys and values of a mapping, its own before those merged into it (`<<: *recipe`)."""
    yield from ((key, value) for key, value in node.value if key.value != "<<")
    for key, value in node.value:
        if key.value == "<<":
            for merged in value.value if isinstance(value, yaml.SequenceNode) else [value]:
                yield from _fields(merged)


def _walk(location: Sequence[Any]) -> _Place:
    """Return the place of a pydantic location, without the names that it has for types."""
    names: list[str] = []
    annotation: Any = Experiment
    discriminator: str | None = None
    tag, kinds = "", dict[str, type[BaseModel]]()
    for part in location:
        if part == "[key]":  # what is wrong is the name before
            continue
        annotation = _required(annotation)
        tagged = tagged_settings(annotation, discriminator)
        if part in tagged:
            tag, kinds = str(discriminator), tagged
            annotation, discriminator = tagged[part], None
            continue
        tag, kinds = "", {}
        if _is_settings(annotation):
            found = [
                info for name, info in annotation.model_fields.items() if part in (name, info.alias)
            ]
            annotation = found[0].annotation if found else None
            given = found[0].discriminator if found else None
            discriminator = given if isinstance(given, str) else None
        elif get_origin(annotation) in (dict, tuple):
            annotation = get_args(annotation)[get_origin(annotation) is dict]
        elif not isinstance(part, int):
            continue  # the name of one of several types, which did not fit
        names.append(str(part))
    return _Place(tuple(names), _required(annotation), tag, kinds)


def tagged_settings(annotation: Any, discriminator: str | None) -> dict[str, type[BaseModel]]:
    """Return the settings of a union by their tags; none when it has no discriminator."""
    if discriminator is None:
        return {}
    return {option.model_fields[discriminator].default: option for option in _options(annotation)}


def _required(annotation: Any) -> Any:
    """Return the annotation of settings that may be null as it is when they are given."""
    options = [option for option in _options(annotation) if option is not type(None)]
    return options[0] if len(options) == 1 else annotation


def _options(annotation: Any) -> tuple[Any, ...]:
    union = get_origin(annotation) in (Union, types.UnionType)
    return get_args(annotation) if union else ()


def _is_settings(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _fields_of(model: type[BaseModel]) -> list[str]:
    return [info.alias or name for name, info in model.model_fields.items()]
