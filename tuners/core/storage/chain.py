"""What the bytes of a journal say: lines that are numbered, and linked by checksums.

A line is a JSON object, `{"n":12,"event":...,"crc":"8c5e1a07"}`: its number in the file, counted
from 1; its content; and the CRC-32C (Castagnoli) of all that stands before `,"crc"`, which goes on
from the checksum of the line before. Line 1 is the header.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import google_crc32c

from ..errors import JournalError

FORMAT = "kerasnas.tuners journal"
SCHEMA = 1

_JSON = json.JSONEncoder(separators=(",", ":"), allow_nan=False)
_MARK = b',"crc":"'
_SEAL = len(b'01234567"}')
_HEADER = f'{{"n":1,"format":"{FORMAT}","schema":'.encode()


class Chain(NamedTuple):
    """How far the lines are linked: the number and the checksum of the last one."""

    number: int = 0
    checksum: int = 0

    def seal(self, fields: Mapping[str, Any]) -> tuple[bytes, Chain]:
        """Return the next line, without its end, and the chain behind it.

        Args:
            fields: A JSON object, not empty, without the names `n` and `crc`.

        Raises:
            ValueError: It has one of these names, or holds NaN or an infinity.
            TypeError: It is no JSON.
        """
        if not fields or "n" in fields or "crc" in fields:
            raise ValueError("a line has fields, and its own 'n' and 'crc'")
        text = _JSON.encode(fields)
        body = b'{"n":%d,%s' % (self.number + 1, text[1:-1].encode())
        checksum = google_crc32c.extend(self.checksum, body)
        return b'%s%s%08x"}' % (body, _MARK, checksum), Chain(self.number + 1, checksum)

    def open(self, line: bytes) -> tuple[dict[str, Any], Chain]:
        """Return what `seal` was given for the next line, and the chain behind it.

        Raises:
            ValueError: This chain has not sealed the line; says why.
        """
        number = self.number + 1
        head = b'{"n":%d,' % number
        body, mark, seal = line.rpartition(_MARK)
        if not mark or not body.startswith(b'{"n":'):
            raise ValueError(f"it is no line of a journal: {_start(line)}")
        if not body.startswith(head):
            raise ValueError(
                f"it has another number: lines were lost, repeated or moved: {_start(line)}"
            )
        checksum = google_crc32c.extend(self.checksum, body)
        if seal != b'%08x"}' % checksum:
            raise ValueError(f"its checksum differs, so it was changed: {_start(line)}")
        return _object(b"{%s}" % body[len(head) :]), Chain(number, checksum)


class Scan(NamedTuple):
    """What a journal says up to its end, or to its first bad line.

    Attributes:
        header: The first line's fields; None when not even it is whole.
        events: Those of the lines behind it.
        chain: Behind the last sound line.
        end: Bytes up to the end of the last sound line.
        fault: What is wrong with the line behind it; None for nothing, or for a line that was
            being written when its process was killed.
    """

    header: dict[str, Any] | None
    events: list[dict[str, Any]]
    chain: Chain
    end: int
    fault: str | None


def scan(data: bytes, path: Path) -> Scan:
    """Return what a journal's bytes say before the first bad line.

    Args:
        data: The file's content.
        path: Named in messages.

    Raises:
        JournalError: It is foreign, of another schema, or its header is damaged.
    """
    lines = data.split(b"\n")
    tail = lines.pop()
    if not lines and _is_torn(tail, _HEADER, Chain()):
        return Scan(None, [], Chain(), 0, None)
    header, chain = _header(lines[0] if lines else tail, path)
    events: list[dict[str, Any]] = []
    fault = None
    for line in lines[1:]:
        try:
            event, chain = chain.open(line)
        except ValueError as error:
            fault = str(error)
            break
        events.append(event)
    else:
        if not _is_torn(tail, b'{"n":%d,"' % (chain.number + 1), chain):
            fault = f"its end is missing, or was added: {_start(tail)}"
    end = sum(len(line) + 1 for line in lines[: chain.number])
    return Scan(header, events, chain, end, fault)


def parse(data: bytes, path: Path) -> Scan:
    """Return what a journal's bytes say, all of whose lines must be sound.

    Raises:
        JournalError: Damaged, foreign, or of another schema.
    """
    found = scan(data, path)
    if found.fault is not None:
        raise damaged(path, found.chain.number + 1, found.fault)
    return found


def damaged(path: Path, line: int, fault: str) -> JournalError:
    """Return the error of a line, counted from 1, that no search has written."""
    remedy = "restore the file from a copy"
    if line > 1:
        remedy += (
            ", or keep the lines before with kerasnas.tuners.repair or kerasnas trials RUN --repair"
        )
    return JournalError(f"{path}, line {line} is damaged; {fault}. To go on, {remedy}")


def _is_torn(tail: bytes, start: bytes, chain: Chain) -> bool:
    """Whether a file's last bytes may be a line that was being written, or nothing.

    A whole line with something behind it is none: its end was changed.
    """
    if not (tail.startswith(start) or start.startswith(tail)):
        return False
    at = tail.find(_MARK)
    while at >= 0:
        stop = at + len(_MARK) + _SEAL
        if stop < len(tail) and _opens(chain, tail[:stop]):
            return False
        at = tail.find(_MARK, at + 1)
    return True


def _opens(chain: Chain, line: bytes) -> bool:
    try:
        chain.open(line)
    except ValueError:
        return False
    return True


def _header(line: bytes, path: Path) -> tuple[dict[str, Any], Chain]:
    """Return the header's fields, and the chain behind it."""
    try:
        header = _object(line)
    except ValueError:
        header = {}
    if header.get("format") != FORMAT and not line.startswith(_HEADER):
        raise JournalError(
            f"{path} is no journal of a search (its first line is {line[:60]!r}): "
            "use another directory, or move the file away"
        )
    if header and header.get("schema") != SCHEMA:
        raise JournalError(
            f"{path} has schema {header.get('schema')!r}, and this version reads {SCHEMA}: "
            "continue it with the version that wrote it, or use another directory"
        )
    try:
        return Chain().open(line)
    except ValueError as error:
        raise damaged(path, 1, str(error)) from None


def _object(text: bytes) -> dict[str, Any]:
    """Return a JSON object.

    Raises:
        ValueError: It is none.
    """
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"it is no JSON ({error}): {_start(text)}") from None
    if not isinstance(found, dict):
        raise ValueError(f"it is no JSON object: {_start(text)}")
    return found


def _start(line: bytes) -> str:
    return repr(line[:60])
