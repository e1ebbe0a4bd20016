"""CSV tables whose mistakes are reported with file and line, all of them together."""

import csv
import io
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from pathlib import Path

from kerasnas.errors import KerasnasError

AUDIO_SUFFIXES = (".wav", ".flac", ".ogg", ".mp3", ".opus", ".aif", ".aiff")
UNREADABLE_SUFFIXES = (".m4a", ".aac", ".mp4", ".wma", ".amr", ".3gp", ".webm")
_SHOWN = 10


class Problems:
    """Problems of a data set, collected so that one reading shows all that there is to correct."""

    def __init__(self) -> None:
        self._texts: list[str] = []

    def add(self, text: str) -> None:
        """Remember a problem."""
        self._texts.append(text)

    def check(self) -> None:
        """Do nothing when there is no problem.

        Raises:
            KerasnasError: With the first problems, a line each, and the number of the others.
        """
        if not self._texts:
            return
        more = len(self._texts) - _SHOWN
        rest = [f"and {more} more of {len(self._texts)} problems"] if more > 0 else []
        raise KerasnasError("\n".join(self._texts[:_SHOWN] + rest))


def rows(
    path: Path,
    required: Sequence[str],
    optional: Sequence[str] = (),
    *,
    delimiter: str = ",",
    header_line: bool = True,
    problems: Problems | None = None,
    others: bool = False,
) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield the rows of a table in text, as `("file:line", {column: stripped value})`.

    Columns beyond `required` and `optional` are ignored, unless one looks like a misspelt known
    name: a list whose `fold` column is not read would be split wrongly without a word.

    Args:
        path: The table.
        required: Columns that it must have; all that it has when it is without a header line.
        optional: Columns that it may have.
        delimiter: What stands between columns.
        header_line: Whether the first line names the columns.
        problems: Where rows that have too few or too many fields are reported, which are then left
            out; None: the first one is an error.
        others: Whether other columns may have any name, also one like a known name's.

    Raises:
        KerasnasError: When the file is missing or not text, a column is missing or misspelt, or a
            row has too few or too many fields.
    """
    known = [*required, *optional]
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise KerasnasError(
            f"{path}: no such file; expected a table of {','.join(required)}"
        ) from None
    except UnicodeDecodeError as error:
        raise KerasnasError(
            f"{path}: is not UTF-8 text ({error}); save it as UTF-8 (in a spreadsheet: 'CSV UTF-8')"
        ) from None
    except OSError as error:
        raise KerasnasError(f"{path}: cannot be read ({error})") from None
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        header = [name.strip() for name in next(reader, [])] if header_line else [*required]
        _check_header(path, header, required, [] if others else known)
        for fields in reader:
            where = f"{path}:{reader.line_num}"
            if not any(field.strip() for field in fields):
                continue
            if len(fields) != len(header):
                text = (
                    f"{where}: {len(fields)} fields where "
                    f"{'the header has' if header_line else 'a line has'} {len(header)} "
                    f"({','.join(header)})"
                )
                if problems is None:
                    raise KerasnasError(text)
                problems.add(text)
                continue
            values = dict(zip(header, (field.strip() for field in fields), strict=True))
            yield where, {name: values[name] for name in known if name in values}
    except csv.Error as error:
        raise KerasnasError(f"{path}:{reader.line_num}: not valid CSV ({error})") from None


def _check_header(
    path: Path, header: Sequence[str], required: Sequence[str], known: Sequence[str]
) -> None:
    for name in required:
        if name not in header:
            raise KerasnasError(
                f"{path}:1: no column {name}; the header is {','.join(header) or 'empty'}, "
                f"expected {','.join(required)}"
            )
    for name in header:
        close = get_close_matches(name.lower(), known, n=1, cutoff=0.75)
        if name not in known and close:
            raise KerasnasError(f"{path}:1: column {name} is not known; {close[0]} is meant?")
        if header.count(name) > 1:
            raise KerasnasError(f"{path}:1: column {name} occurs twice")


def audio_file(path: Path, where: str) -> Path:
    """Return `path`, or the file of the same name with another audio suffix, once it exists.

    Data sets get converted (wav to flac or ogg) without their lists being rewritten.

    Raises:
        KerasnasError: When there is no such file; `where` names the line that asked for it.
    """
    if (found := existing_audio(path)) is None:
        raise KerasnasError(f"{where}: {path} does not exist")
    return found


def existing_audio(path: Path) -> Path | None:
    """Return what `audio_file` does, or None when there is no such file."""
    candidates = (path, *(path.with_suffix(suffix) for suffix in AUDIO_SUFFIXES))
    try:
        return next((candidate for candidate in candidates if candidate.is_file()), None)
    except OSError:  # a name that is too long, or a directory that may not be read
        return None


def printable(path: Path | str) -> str:
    """Return a path as text that can be printed, whatever bytes its name has."""
    return str(path).encode(errors="surrogateescape").decode(errors="backslashreplace")
