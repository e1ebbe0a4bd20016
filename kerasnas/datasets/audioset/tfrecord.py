"""TFRecord files, read and written without TensorFlow.

Format: tensorflow.org, "TFRecord and tf.train.Example", section "TFRecords format details". A
record is its length (uint64), the masked CRC-32C of the length, the data, the masked CRC-32C of the
data, all little-endian.
"""

import struct
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import google_crc32c

_HEADER = struct.Struct("<QI")
_CHECKSUM = struct.Struct("<I")


class Damage(NamedTuple):
    """A record that cannot be used: its number, from 0, and what is wrong with it."""

    record: int
    reason: str


def records(path: Path) -> Iterator[bytes | Damage]:
    """Yield the records of a file, in order, one in memory at a time.

    Whatever is damaged comes as `Damage`; reading goes on behind it where the length of the record
    can be trusted, and else ends.

    Raises:
        OSError: The file cannot be read.
    """
    with path.open("rb") as file:
        left = path.stat().st_size
        number = 0
        while header := file.read(_HEADER.size):
            left -= _HEADER.size
            if len(header) < _HEADER.size:
                yield Damage(number, "cut short within its header")
                return
            length, checksum = _HEADER.unpack(header)
            if _masked(header[:8]) != checksum:
                yield Damage(number, "the checksum of its length is wrong; the rest is unreadable")
                return
            left -= length + _CHECKSUM.size
            if left < 0:
                yield Damage(number, f"cut short: {-left} of its {length + 4} bytes are missing")
                return
            data = file.read(length)
            (checksum,) = _CHECKSUM.unpack(file.read(_CHECKSUM.size))
            yield data if _masked(data) == checksum else Damage(number, "its checksum is wrong")
            number += 1


def write(path: Path, data: Iterable[bytes]) -> None:
    """Write records."""
    with path.open("wb") as file:
        for record in data:
            length = struct.pack("<Q", len(record))
            file.write(length + _CHECKSUM.pack(_masked(length)))
            file.write(record + _CHECKSUM.pack(_masked(record)))


def _masked(data: bytes) -> int:
    """Return the checksum as the format stores it: rotated by 15 bits, and a constant added."""
    checksum = google_crc32c.value(data)
    return ((checksum >> 15 | checksum << 17) + 0xA282EAD8) & 0xFFFFFFFF
