"""TFLite metadata of a file that takes a waveform, as MediaPipe's AudioClassifier reads it.

Metadata are a flatbuffer in a buffer of the file, which tells the sample rate of the input and
which associated file has the labels of the output; associated files are a zip archive behind the
file's own bytes. Source: `metadata_schema.fbs` of tflite-support (tables and their fields are known
by number here: its generated Python classes come only with packages that bring much else).
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import flatbuffers
from flatbuffers import number_types
from flatbuffers.table import Table

from ..files import LABELS

BUFFER = b"TFLITE_METADATA"
_IDENTIFIER = b"M001"
_PARSER = "1.3.0"  # the first that knows AudioProperties
_FEATURE_PROPERTIES, _AUDIO_PROPERTIES = 1, 4  # of the union ContentProperties
_AXIS_LABELS = 2  # of the enumeration AssociatedFileType


def audio_metadata(name: str, sample_rate: int) -> bytes:
    """Return the metadata of a file from one mono waveform to one score for each label.

    Args:
        name: Of the model, for people.
        sample_rate: Hz.
    """
    builder = flatbuffers.Builder(1024)
    string, table = builder.CreateString, _Tables(builder)
    audio = table(2, numbers={0: ("Uint32", sample_rate), 1: ("Uint32", 1)})
    waveform = table(
        7,
        {
            0: string("waveform"),
            1: string(f"Mono samples between -1 and 1, {sample_rate} a second."),
            3: table(3, {1: audio}, {0: ("Uint8", _AUDIO_PROPERTIES)}),
        },
    )
    labels = table(5, {0: string(LABELS)}, {2: ("Int8", _AXIS_LABELS)})
    scores = table(
        7,
        {
            0: string("scores"),
            1: string("A score between 0 and 1 for every label."),
            3: table(3, {1: table(0)}, {0: ("Uint8", _FEATURE_PROPERTIES)}),
            6: table.vector([labels]),
        },
    )
    graph = table(10, {2: table.vector([waveform]), 3: table.vector([scores])})
    model = {0: string(name), 3: table.vector([graph]), 7: string(_PARSER)}
    builder.Finish(table(8, model), _IDENTIFIER)
    return bytes(builder.Output())


class _Tables:
    """Writes tables of a schema by the numbers of their fields."""

    def __init__(self, builder: Any) -> None:
        self._builder = builder

    def __call__(
        self,
        fields: int,
        offsets: Mapping[int, int] | None = None,
        numbers: Mapping[int, tuple[str, int]] | None = None,
    ) -> int:
        """Return a table that can have so many fields; integers are given with their types."""
        self._builder.StartObject(fields)
        for field, offset in (offsets or {}).items():
            self._builder.PrependUOffsetTRelativeSlot(field, offset, 0)
        for field, (kind, value) in (numbers or {}).items():
            getattr(self._builder, f"Prepend{kind}Slot")(field, value, 0)
        return int(self._builder.EndObject())

    def vector(self, offsets: Sequence[int]) -> int:
        """Return a vector of tables."""
        self._builder.StartVector(4, len(offsets), 4)
        for offset in reversed(offsets):
            self._builder.PrependUOffsetTRelative(offset)
        return int(self._builder.EndVector())


def with_labels(content: bytes, classes: Sequence[str]) -> bytes:
    """Return a file's bytes with the labels, one a line, as its associated file."""
    file = io.BytesIO(content)
    with zipfile.ZipFile(file, "a", zipfile.ZIP_STORED) as archive:
        text = "".join(f"{name}\n" for name in classes)
        archive.writestr(zipfile.ZipInfo(LABELS), text.encode())  # dated 1980, always
    return file.getvalue()


@dataclass(frozen=True)
class Metadata:
    """What a file says of itself to people and applications; None or empty where it does not.

    Attributes:
        name: Of the model.
        description: Of the model.
        licence: In the author's words.
        sample_rate: Of the waveform that it takes, Hz.
        labels: Of its scores, in order.
    """

    name: str | None = None
    description: str | None = None
    licence: str | None = None
    sample_rate: int | None = None
    labels: tuple[str, ...] = ()


def read_metadata(content: bytes, metadata: bytes | None) -> Metadata:
    """Read the metadata of a file; damaged metadata count as none.

    Args:
        content: Of the file, behind whose own bytes its labels are.
        metadata: Of the buffer called `BUFFER`.
    """
    labels = _labels(content)
    if metadata is None:
        return Metadata(labels=labels)
    try:
        model = _Fields.of_root(metadata)
        rates = [
            audio.uint32(0)
            for graph in model.tables(3)
            for tensor in graph.tables(2)
            for described in tensor.table(3)
            if described.uint8(0) == _AUDIO_PROPERTIES
            for audio in described.table(1)
        ]
        return Metadata(
            model.text(0), model.text(1), model.text(5), next(iter(rates), 0) or None, labels
        )
    except Exception:  # whatever the damaged part happens to raise: nothing depends on it
        return Metadata(labels=labels)


def _labels(content: bytes) -> tuple[str, ...]:
    """Lines of the one associated file whose name speaks of labels."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            names = [name for name in archive.namelist() if "label" in name.lower()]
            if len(names) != 1:
                return ()
            return tuple(archive.read(names[0]).decode().splitlines())
    except (zipfile.BadZipFile, UnicodeDecodeError, OSError, RuntimeError):
        return ()


class _Fields:
    """Reads a table of a schema by the numbers of its fields."""

    def __init__(self, table: Table) -> None:
        self._table = table

    @classmethod
    def of_root(cls, data: bytes) -> _Fields:
        return cls(Table(data, int.from_bytes(data[:4], "little")))

    def _place(self, field: int) -> int:
        """Where a field's value lies; 0 where it is not given."""
        offset = self._table.Offset(4 + 2 * field)
        return self._table.Pos + offset if offset else 0

    def text(self, field: int) -> str | None:
        place = self._place(field)
        return self._table.String(place).decode() if place else None

    def uint8(self, field: int) -> int:
        return self._number(field, number_types.Uint8Flags)

    def uint32(self, field: int) -> int:
        return self._number(field, number_types.Uint32Flags)

    def _number(self, field: int, kind: Any) -> int:
        place = self._place(field)
        return int(self._table.Get(kind, place)) if place else 0

    def table(self, field: int) -> list[_Fields]:
        """Return the table that a field names, if it is given."""
        place = self._place(field)
        return [_Fields(Table(self._table.Bytes, self._table.Indirect(place)))] if place else []

    def tables(self, field: int) -> list[_Fields]:
        """Return the tables of a vector."""
        if not self._place(field):
            return []
        offset = self._table.Offset(4 + 2 * field)
        start = self._table.Vector(offset)
        places = range(start, start + 4 * self._table.VectorLen(offset), 4)
        return [_Fields(Table(self._table.Bytes, self._table.Indirect(place))) for place in places]
