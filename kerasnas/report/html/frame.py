"""The frame of a page: one file that loads nothing, and runs no script unless it is one's own."""

from __future__ import annotations

from collections.abc import Sequence

from kerasnas.report.html.elements import Markup, tag
from kerasnas.report.html.style import STYLE


def document(
    name: str, subtitle: str, sections: Sequence[tuple[str, str, Markup]], style: str = ""
) -> str:
    """Return a whole page.

    Args:
        name: Its heading.
        subtitle: What kind of page it is.
        sections: Id, title and content of each.
        style: Rules beside those that all pages have.
    """
    links = [tag("a", title, href=f"#{id}") for id, title, _ in sections]
    body = tag(
        "body",
        tag("header", tag("h1", name), tag("p", subtitle)),
        tag("nav", *links, aria_label="Sections"),
        tag("main", *(_section(*section) for section in sections)),
    )
    return page_of(head(f"{name}: kerasnas report", STYLE + style), body)


def head(title: str, style: str, scripts: bool = False) -> Markup:
    """Return the head of a page that fetches nothing, whatever names and messages it shows.

    Args:
        title: Of the window.
        style: Its rules.
        scripts: Whether scripts in the page run.
    """
    allowed = "script-src 'unsafe-inline'; " if scripts else ""
    return tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag(
            "meta",
            http_equiv="Content-Security-Policy",
            content="default-src 'none'; style-src 'unsafe-inline'; "
            f"{allowed}img-src data:; media-src data:",
        ),
        tag("title", title),
        tag("style", Markup(style)),
    )


def page_of(head: Markup, body: Markup) -> str:
    """Return a whole page."""
    return f"<!DOCTYPE html>\n{tag('html', head, body, lang='en')}\n"


def _section(id: str, title: str, inner: Markup) -> Markup:
    heading = tag("h2", title, id=f"{id}-title")
    return tag("section", heading, inner, id=id, aria_labelledby=f"{id}-title")
