"""The frame of a page: one file that loads nothing and runs no script."""

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
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        # Nothing is fetched and no script runs, whatever names and messages the page shows.
        tag(
            "meta",
            http_equiv="Content-Security-Policy",
            content="default-src 'none'; style-src 'unsafe-inline'; img-src data:; media-src data:",
        ),
        tag("title", f"{name}: kerasnas report"),
        tag("style", Markup(STYLE + style)),
    )
    return f"<!DOCTYPE html>\n{tag('html', head, body, lang='en')}\n"


def _section(id: str, title: str, inner: Markup) -> Markup:
    heading = tag("h2", title, id=f"{id}-title")
    return tag("section", heading, inner, id=id, aria_labelledby=f"{id}-title")
