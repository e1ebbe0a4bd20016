"""Writing a `.tflite` file so that what is equal in it is written once.

A flatbuffer is made of vectors and tables that point to each other, and nothing forbids that two
point to the same one. TFLiteConverter writes each anew: the zero points of a layer's channels, 8
bytes each, once for its kernel and again for its bias, although all are zero; shapes, scales and
options once for every tensor and operator. Readers follow pointers and cannot tell the difference.
"""

from __future__ import annotations

from typing import Any

import flatbuffers

_DATA_ALIGNMENT = 16  # of a buffer's bytes, as the schema asks (`force_align`)


class SharingBuilder(flatbuffers.Builder):
    """A flatbuffer builder that writes equal vectors, strings and tables once."""

    def __init__(self) -> None:
        super().__init__(1 << 20)
        self._written: dict[Any, int] = {}
        self._begin: tuple[int, int, int] | None = None  # of a vector: offset, bytes, alignment
        self._pointers: dict[int, int] = {}  # where one stands in a table or vector: what at

    def StartVector(self, elemSize: int, numElems: int, alignment: int) -> int:  # noqa: N802, N803
        """As in the base class; bytes, which only buffers hold, are aligned as the schema asks."""
        alignment = _DATA_ALIGNMENT if elemSize == 1 else alignment
        self._begin = self.Offset(), elemSize * numElems, alignment
        self._pointers = {}
        return int(super().StartVector(elemSize, numElems, alignment))

    def CreateString(self, s: Any, encoding: str = "utf-8", errors: str = "strict") -> int:  # noqa: N802
        """As in the base class."""
        size = len(s.encode(encoding, errors) if isinstance(s, str) else s) + 1
        self._begin = self.Offset(), size, 1
        self._pointers = {}
        return int(super().CreateString(s, encoding, errors))

    def EndVector(self, numElems: int | None = None) -> int:  # noqa: N802, N803
        """Return where the vector is, or an equal one that was written before."""
        assert self._begin is not None
        start, size, alignment = self._begin
        offset = int(super().EndVector(numElems))
        head = len(self.Bytes) - offset
        content = bytes(self.Bytes[head : head + 4 + size])
        return self._once(("vector", alignment, self._absolute(content, offset)), offset, start)

    def StartObject(self, numfields: int) -> None:  # noqa: N802
        """As in the base class."""
        self._pointers = {}
        super().StartObject(numfields)

    def EndObject(self) -> int:  # noqa: N802
        """Return where the table is, or an equal one that was written before."""
        start = int(self.objectEnd)
        offset = int(super().EndObject())
        head = len(self.Bytes) - offset
        content = bytes(self.Bytes[head : head + offset - start])
        layout = offset + int.from_bytes(content[:4], "little", signed=True)
        key = ("table", layout, self._absolute(content[4:], offset - 4))
        return self._once(key, offset, start)

    def PrependUOffsetTRelative(self, off: int) -> None:  # noqa: N802
        """As in the base class."""
        super().PrependUOffsetTRelative(off)
        self._pointers[self.Offset()] = off

    def _absolute(self, content: bytes, offset: int) -> Any:
        """Bytes that begin at an offset, without the pointers in them, and what these point at."""
        plain = bytearray(content)
        targets = []
        for place, target in self._pointers.items():
            plain[offset - place : offset - place + 4] = bytes(4)
            targets.append((offset - place, target))
        return bytes(plain), tuple(targets)

    def _once(self, key: Any, offset: int, start: int) -> int:
        found = self._written.setdefault(key, offset)
        if found != offset:
            self.head = len(self.Bytes) - start  # take back what has just been written
        return found
