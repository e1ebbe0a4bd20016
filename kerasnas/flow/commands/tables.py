"""Tables of figures for screens of any width, which never break a word."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.console import Console, Group, RenderableType
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

UNLIMITED = 1000
"""Columns of a file or a program that reads what is printed."""

_TEXT_WIDTH = 24


def figures_table(
    heads: Sequence[str],
    rows: Sequence[Sequence[str]],
    width: int,
    *,
    title: str | None = None,
    caption: str | None = None,
    text_last: bool = False,
) -> RenderableType:
    """Return a table, or several where the screen is too narrow for all columns of one.

    Args:
        heads: Names of the columns; each word of them stands on a line of its own.
        rows: Cells. The first one names the row, and is repeated in every table.
        width: Columns of the screen.
        title: Above the first table.
        caption: Below the last one.
        text_last: Whether the last column holds text, which is wrapped between words.
    """
    tables: list[RenderableType] = [] if title is None else [Text(title, style="table.title")]
    first = 1
    while first < len(heads):
        for end in range(len(heads), first, -1):  # as many as fit, and one in any case
            columns = [0, *range(first, end)]
            table = _table(heads, rows, columns, text_last)
            if _least_width(table) <= width:
                break
        tables.append(table)
        first = end
    if caption is not None:
        tables.append(Text(caption, style="table.caption"))
    return Group(*tables)


def _table(
    heads: Sequence[str], rows: Sequence[Sequence[str]], columns: Sequence[int], text_last: bool
) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    for column in columns:
        if text_last and column == len(heads) - 1:
            table.add_column(Text(heads[column]), overflow="fold", min_width=_TEXT_WIDTH)
        else:
            head = "\n".join(heads[column].split())
            table.add_column(Text(head), justify="right" if column else "left", no_wrap=True)
    for row in rows:
        table.add_row(*(Text(row[column]) for column in columns))  # labels may look like markup
    return table


def _least_width(table: Table) -> int:
    """Return how many columns of a screen a table needs so that no word is broken."""
    console = Console(width=UNLIMITED)
    measured = Measurement.get(console, console.options, table)
    return measured.maximum if all(c.no_wrap for c in table.columns) else measured.minimum
