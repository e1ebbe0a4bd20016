"""HTML made of elements: text is escaped because it is text, not because somebody remembered."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from html import escape

_VOID = frozenset({"br", "img", "input", "meta"})
_TAG = re.compile("<[^>]*>")
_SHORT = 30  # characters
_FORBIDDEN = re.compile("[^\t\n\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class Markup(str):
    """HTML whose text has been escaped already."""

    __slots__ = ()


Node = str | None
"""Text, which is escaped; `Markup`, which is not; None, which is nothing."""


def join(nodes: Iterable[Node]) -> Markup:
    """Return the nodes one after another."""
    return Markup(
        "".join(
            node if isinstance(node, Markup) else escape(_printable(node), quote=False)
            for node in nodes
            if node is not None
        )
    )


def tag(name: str, /, *children: Node, **attributes: str | int | None) -> Markup:
    """Return an element. `class_` is the attribute `class`; underscores in names become hyphens."""
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(_printable(str(value)))}"'
        for key, value in attributes.items()
        if value is not None
    )
    if name in _VOID:
        return Markup(f"<{name}{written}/>")
    return Markup(f"<{name}{written}>{join(children)}</{name}>")


def paragraph(*children: Node) -> Markup:
    """One paragraph."""
    return tag("p", *children)


def note(*children: Node) -> Markup:
    """Return a remark in small print."""
    return tag("p", *children, class_="note")


def badge(passed: bool | None, text: str) -> Markup:
    """Return a verdict, None where it is open, in words, with a sign and a colour as well."""
    sign, kind = {True: ("✓ ", "pass"), False: ("✗ ", "fail"), None: ("? ", "open")}[passed]
    return tag("span", sign, text, class_=kind)


def figure(picture: Markup, *caption: Node, wide: bool = False) -> Markup:
    """Return a picture with what it shows."""
    kind = "wide" if wide else None
    return tag("figure", picture, tag("figcaption", *caption), class_=kind)


def table(
    caption: Node,
    head: Sequence[Node],
    rows: Iterable[Sequence[Node]],
    text_columns: Iterable[int] = (0,),
    marked: Iterable[int] = (),
) -> Markup:
    """Return a table that scrolls sideways by itself where the page is narrow.

    Args:
        caption: Its title.
        head: One heading a column.
        rows: Cells; a row of one cell is a heading over all columns.
        text_columns: Indices of columns that are set flush left; others hold figures.
        marked: Indices of rows that stand out.
    """
    rows, bold = list(rows), frozenset(marked)
    kinds = {i: _kind([cells[i] for cells in rows if len(cells) > i]) for i in text_columns}

    def side(column: int) -> str | None:
        return kinds.get(column)

    def row(index: int, cells: Sequence[Node]) -> Markup:
        if len(cells) == 1 < len(head):
            return tag("tr", tag("th", *cells, colspan=len(head), scope="rowgroup"), class_="group")
        first = tag("th", cells[0], scope="row", class_=side(0))
        others = (tag("td", cell, class_=side(i)) for i, cell in enumerate(cells[1:], 1))
        return tag("tr", first, *others, class_="marked" if index in bold else None)

    headings = (tag("th", cell, scope="col", class_=side(i)) for i, cell in enumerate(head))
    body = tag(
        "table",
        tag("caption", caption),
        tag("thead", tag("tr", *headings)),
        tag("tbody", *(row(index, cells) for index, cells in enumerate(rows))),
    )
    label = caption if isinstance(caption, str) and not isinstance(caption, Markup) else "Table"
    return tag("div", body, class_="table", tabindex=0, role="region", aria_label=label)


def _kind(cells: Iterable[Node]) -> str:
    """Return the class of a column of text: short ones do not wrap, long ones have room to."""
    longest = max((len(_TAG.sub("", cell or "")) for cell in cells), default=0)
    return "text" if longest <= _SHORT else "text long"


def _printable(text: str) -> str:
    """Without the characters that XML forbids."""
    return _FORBIDDEN.sub("\N{REPLACEMENT CHARACTER}", text)
