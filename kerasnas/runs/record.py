"""What one JSON file of a run holds: written and read by the same class, and checked.

A file carries the schema's number and a digest of everything else, so that a changed digit is
refused and never believed. The fields of a record are the fields of the file.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

from pydantic import ConfigDict, TypeAdapter, ValidationError

from kerasnas.errors import DamagedError
from kerasnas.files import read_json, write_json

SCHEMA = 1

_SHOWN = 60  # characters of a refused value


@dataclass(frozen=True, eq=False)
class Entry:
    """A part of a record; subclasses are frozen dataclasses whose fields are its JSON fields."""

    __pydantic_config__ = ConfigDict(
        extra="forbid", allow_inf_nan=False, arbitrary_types_allowed=True
    )


@dataclass(frozen=True, eq=False)
class Record(Entry):
    """The content of a file; records are equal where their files would be the same.

    Attributes:
        COMMAND: The command, in words, that makes the file again once it has been deleted.
        DURABLE: Whether a written file is forced to the disk; see `write_atomically`.
    """

    COMMAND: ClassVar[str] = "`kerasnas search`"
    DURABLE: ClassVar[bool] = True

    def to_json(self) -> dict[str, Any]:
        """Return the content of the file.

        Raises:
            PydanticSerializationError: A field is not of its type.
        """
        fields = self.fields()
        return {"schema": SCHEMA, "digest": _digest(fields), **fields}

    @classmethod
    def of_fields(cls, fields: Mapping[str, Any]) -> Self:
        """Return the record with these fields as JSON, such as a library's report holds.

        Raises:
            ValidationError: A field is missing, unknown or of a wrong type or shape.
        """
        text = json.dumps(fields, allow_nan=False)
        record: Self = _adapter(cls).validate_json(text, strict=True)
        return record

    def fields(self) -> dict[str, Any]:
        """Return the fields as JSON, without schema and digest."""
        fields: dict[str, Any] = _adapter(type(self)).dump_python(
            self, mode="json", warnings="error"
        )
        return fields

    @classmethod
    def from_json(cls, data: Any, path: Path) -> Self:
        """Return the record that a file's content describes.

        Args:
            data: What `to_json` returned.
            path: The file, for messages.

        Raises:
            DamagedError: Of another schema, a field is missing, unknown or of a wrong type or
                shape, or something was changed after it was written.
        """
        if not isinstance(data, dict) or data.get("schema") != SCHEMA:
            found = data.get("schema") if isinstance(data, dict) else str(data)[:_SHOWN]
            raise DamagedError(
                f"{path} is not of schema {SCHEMA}, the only one known here (received {found!r})",
                cls._remedy(),
            )
        fields = {name: value for name, value in data.items() if name not in ("schema", "digest")}
        try:
            record = cls.of_fields(fields)
        except ValidationError as error:
            raise DamagedError(
                f"{path} does not hold what it should, {_reason(error)}", cls._remedy()
            ) from None
        if "digest" not in data:
            raise DamagedError(
                f"{path} does not hold what it should, field digest is missing", cls._remedy()
            )
        if data["digest"] != _digest(fields):
            raise DamagedError(
                f"{path} was changed after it was written (its digest is not that of its content)",
                cls._remedy(),
            )
        return record

    def write(self, path: Path) -> None:
        """Write the file, making missing directories.

        Raises:
            KerasnasError: It cannot be written, or would not be read again.
        """
        data = self.to_json()
        self.from_json(data, path)
        write_json(path, data, self.DURABLE)

    @classmethod
    def read(cls, path: Path) -> Self:
        """Return what a file holds.

        Raises:
            KerasnasError: The file is missing.
            DamagedError: It is empty, or as from `from_json`.
        """
        return cls.from_json(read_json(path), path)

    @classmethod
    def known(cls, path: Path) -> Self | None:
        """Return what a file holds; None where it is missing or empty, so that it is made anew.

        Raises:
            DamagedError: As from `from_json`.
        """
        return cls.read(path) if path.is_file() and path.stat().st_size else None

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.fields() == other.fields()

    @classmethod
    def _remedy(cls) -> str:
        return f"restore it from a copy, or delete it and run {cls.COMMAND} again"


_adapter: Callable[[Any], TypeAdapter[Any]] = functools.cache(TypeAdapter)


def _digest(fields: Mapping[str, Any]) -> str:
    """SHA-256 of compact JSON in the order of the file, whose tables are in a wanted order."""
    text = json.dumps(fields, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _reason(error: ValidationError) -> str:
    """Return the first field that is wrong, and why."""
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"])
    message = first["msg"].removeprefix("Value error, ")
    if first["type"] == "missing":
        return f"field {place} is missing"
    if not place:
        return message
    return f"field {place}: {message} (received {str(first['input'])[:_SHOWN]!r})"
