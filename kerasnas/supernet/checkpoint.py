"""Supernets on disk: one file of arrays, and JSON that says what they are."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kerasnas.errors import KerasnasError
from kerasnas.files import write_atomically
from kerasnas.supernet.space import SupernetSpace

_SCHEMA = 1

Arrays = dict[str, list[NDArray[Any]]]


def write(
    path: Path,
    space: SupernetSpace,
    state: Mapping[str, Any],
    arrays: Mapping[str, Sequence[NDArray[Any]]],
) -> None:
    """Write beside `path` and rename.

    Args:
        path: A file, by custom `.npz`.
        space: Whose weights these are.
        state: What else is to be known: JSON.
        arrays: Lists of arrays by name.

    Raises:
        KerasnasError: The file cannot be written.
    """
    head = {
        "schema": _SCHEMA,
        "space": space.to_json(),
        "state": state,
        "counts": {name: len(values) for name, values in arrays.items()},
    }
    content = io.BytesIO()
    flat = {
        f"{name}{place}": value
        for name, values in arrays.items()
        for place, value in enumerate(values)
    }
    np.savez(content, head=np.array(json.dumps(head)), **flat)  # type: ignore[arg-type]
    write_atomically(path, content.getvalue())


def read(
    path: Path, space: SupernetSpace | None = None
) -> tuple[SupernetSpace, dict[str, Any], Arrays]:
    """Space, state and arrays that `write` wrote.

    Args:
        path: The file.
        space: What it should hold; None takes what is there.

    Raises:
        KerasnasError: The file is missing, is no supernet, or holds another space.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            head = json.loads(str(file["head"]))
            if head["schema"] != _SCHEMA:
                raise KerasnasError(
                    f"{path} is a supernet of schema {head['schema']}, this version reads "
                    f"{_SCHEMA}: train it again, or use the version that wrote it"
                )
            found = SupernetSpace.from_json(head["space"])
            if space is not None and found != space:
                raise KerasnasError(
                    f"{path} holds a supernet of {found}, and {space} was asked for: name another "
                    "file, or the space it was trained on"
                )
            arrays = {
                name: [file[f"{name}{place}"] for place in range(count)]
                for name, count in head["counts"].items()
            }
    except FileNotFoundError:
        raise KerasnasError(f"{path} does not exist") from None
    except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile, EOFError) as error:
        raise KerasnasError(f"{path} cannot be read as a supernet: {error}") from None
    return found, head["state"], arrays
