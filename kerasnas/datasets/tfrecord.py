"""TFRecord files, read and written without TensorFlow.

Format: tensorflow.org, "TFRecord and tf.train.Example", section "TFRecords format details". A
record is its length (uint64), the masked CRC-32C of the length, the data, the masked CRC-32C of the
data, all little-endian.
"""

import struct
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

_HEADER = struct.Struct("<QI")
_CHECKSUM = struct.Struct("<I")
_POLYNOMIAL = 0x82F63B78  # CRC-32C (Castagnoli), bits reversed
_BLOCK = 2048
_SHORT = 32  # bytes for which a loop is faster than NumPy


class Damage(NamedTuple):
    """A record that cannot be used: its number, from 0, and what is wrong with it."""

    record: int
    reason: str


def records(path: Path) -> Iterator[bytes | Damage]:
    """The records of a file, in order, one in memory at a time.

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


def crc32c(data: bytes) -> int:
    """The CRC-32C (RFC 3720, appendix B.4) of some bytes."""
    table, rows, single = _tables()
    state = 0xFFFFFFFF
    for start in range(0, len(data), _BLOCK):
        block = data[start : start + _BLOCK]
        if len(block) < _SHORT:
            for byte in block:
                state = single[(state ^ byte) & 255] ^ (state >> 8)
            continue
        index = np.frombuffer(block, np.uint8).astype(np.int32)
        index[:4] ^= np.frombuffer(_CHECKSUM.pack(state), np.uint8)
        index += rows[-len(block) :]
        state = int(np.bitwise_xor.reduce(table.take(index)))
    return state ^ 0xFFFFFFFF


def _masked(data: bytes) -> int:
    """The checksum as the format stores it: rotated by 15 bits, and a constant added."""
    checksum = crc32c(data)
    return ((checksum >> 15 | checksum << 17) + 0xA282EAD8) & 0xFFFFFFFF


@lru_cache(maxsize=1)
def _tables() -> tuple[NDArray[np.uint32], NDArray[np.int32], list[int]]:
    """What a byte adds to the checksum, by the number of bytes behind it.

    A checksum without its start value is a sum (exclusive or) over the bytes, so that all bytes of
    a block are looked up at once.

    Returns:
        Table `(_BLOCK * 256,)`, the row of a byte with the most bytes behind it first; where each
        row begins, `(_BLOCK,)`; and the last row as plain numbers.
    """
    row = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        row = np.where(row & 1, row >> 1 ^ np.uint32(_POLYNOMIAL), row >> 1).astype(np.uint32)
    rows = [row]
    while len(rows) < _BLOCK:
        rows.append(rows[-1] >> 8 ^ row[rows[-1] & 255])
    starts = np.arange(_BLOCK, dtype=np.int32) * 256
    return np.concatenate(rows[::-1]), starts, row.tolist()
