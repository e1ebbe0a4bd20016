"""Write docs/experiment.md, the list of every field of an experiment: `python docs/experiment_reference.py`."""  # noqa: E501

from __future__ import annotations

import types
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from kerasnas.experiment import Experiment
from kerasnas.experiment.reading import tagged_settings


def reference() -> str:
    """Return the page as Markdown."""
    lines = [
        "# Every field of an experiment",
        "",
        "Written by `python docs/experiment_reference.py` from the settings themselves. A field "
        "that is left out has the default; `experiment.yaml` in a run directory has them all.",
        "",
        *_section("", "", Experiment, {}),
    ]
    return "\n".join(lines) + "\n"


def _section(
    name: str, which: str, model: type[BaseModel], known: dict[type[BaseModel], str]
) -> Iterator[str]:
    """Yield the lines of the settings at `name`; `which` of several, or empty.

    Kinds of settings that another field has, too, are written once: `known` says where.
    """
    inner: list[tuple[str, str, type[BaseModel]]] = []
    having = f" with `{which}`" if which else ""
    if name:
        yield from (f"## `{name}`{having}", "", _first_paragraph(model), "")
    yield from ("| field | values | default | |", "|---|---|---|---|")
    for field, info in model.model_fields.items():
        field = info.alias or field
        path = f"{name}.{field}" if name else field
        if _is_settings(info.annotation):
            inner.append((path, "", info.annotation))
            yield f"| `{field}` | see below | | |"
            continue
        if isinstance(info.discriminator, str):
            tag = info.discriminator
            kinds = tagged_settings(info.annotation, tag)
            default, where = getattr(info.default, tag), "one of those below"
            if (there := known.get(next(iter(kinds.values())))) is not None:
                where = f"as `{there}`: {', '.join(f'`{kind}`' for kind in kinds)}"
            else:
                known |= dict.fromkeys(kinds.values(), path)
                inner += [(path, f"{tag}: {name}", kind) for name, kind in kinds.items()]
            yield f"| `{field}` | {where} | `{default}` | {info.description or ''} |"
            continue
        if (part := _nested(info.annotation)) is not None:
            inner.append((path, which, part))
        default = info.get_default(call_default_factory=True)
        shown = "required" if default is PydanticUndefined else f"`{_plain(default)}`"
        note = (info.description or "").replace("|", "\\|")
        yield f"| `{field}` | {_kind(info.annotation)} | {shown} | {note} |"
    yield ""
    for path, tag, part in inner:
        yield from _section(path, tag, part, known)


def _is_settings(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _nested(annotation: Any) -> type[BaseModel] | None:
    """Return the settings that a field holds several of, or that it may hold."""
    found = [argument for argument in get_args(annotation) if _is_settings(argument)]
    return found[0] if len(found) == 1 else None


def _first_paragraph(model: type[BaseModel]) -> str:
    return " ".join((model.__doc__ or "").split("\n\n")[0].split())


def _kind(annotation: Any) -> str:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return ", ".join(f"`{_plain(value)}`" for value in arguments)
    if origin in (Union, types.UnionType):
        return " or ".join(_kind(argument) for argument in arguments)
    if origin is Annotated:
        return _kind(arguments[0])
    if origin is tuple:
        return "list of " + _kind(arguments[0])
    if origin is dict:
        return f"mapping from {_kind(arguments[0])} to {_kind(arguments[1])}"
    if origin is Annotated:
        return _kind(arguments[0])
    if annotation is type(None):
        return "null"
    if _is_settings(annotation):
        return "what is below"
    names = {int: "integer", float: "number", str: "text", bool: "true, false", Path: "path"}
    names[Any] = "anything"
    return names.get(annotation, str(annotation))


def _plain(value: Any) -> str:
    if isinstance(value, BaseModel):
        return _plain(value.model_dump(exclude_defaults=True))
    if isinstance(value, dict) and value:
        return "{" + ", ".join(f"{name}: {_plain(item)}" for name, item in value.items()) + "}"
    if isinstance(value, tuple):
        return "[" + ", ".join(_plain(item) for item in value) + "]"
    if value == {}:
        return "{}"
    if isinstance(value, bool):
        return str(value).lower()
    return "null" if value is None else str(value)


if __name__ == "__main__":
    (Path(__file__).parent / "experiment.md").write_text(reference(), encoding="utf-8")
