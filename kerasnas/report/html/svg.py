"""Matplotlib figures as SVG elements that live inside one HTML page."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from io import StringIO

import matplotlib as mpl
from matplotlib.figure import Figure

from kerasnas.report.html.elements import Markup

INK, MUTED, GRID = "#1f2933", "#616e7c", "#e4e7eb"
# Okabe and Ito's palette, which the colour-blind can tell apart.
BLUE, ORANGE, GREEN, PURPLE, RED = "#0072b2", "#e69f00", "#009e73", "#8f4a82", "#d55e00"
SERIES = (BLUE, ORANGE, GREEN, PURPLE, RED, "#56b4e9")

_STYLE = {
    "svg.fonttype": "none",  # text stays text: selectable, and set in the reader's own font
    "svg.hashsalt": "kerasnas",  # the same figure is the same file
    "text.parse_math": False,  # a class may be called "$x$"
    "font.family": ["DejaVu Sans"],
    "font.size": 9,
    "text.color": INK,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.titlesize": 9,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "grid.color": GRID,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "lines.linewidth": 1.4,
    "figure.constrained_layout.use": True,
}


@contextmanager
def style() -> Iterator[None]:
    """Draw and render figures in the report's style."""
    with mpl.rc_context(_STYLE), warnings.catch_warnings():
        # Widths are estimated with a font that lacks, say, Chinese; the reader's font has it.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        yield


def render(figure: Figure, name: str, title: str) -> Markup:
    """Return the figure as an `<svg>` element that scales with the page.

    Args:
        figure: Drawn under `style()`; so must this call be.
        name: Unique in the page: goes in front of the figure's internal names.
        title: What a screen reader says.
    """
    if (layout := figure.get_layout_engine()) is not None:
        layout.execute(figure)  # once: saving would lay the figure out, and draw it, twice
        figure.set_layout_engine("none")
    buffer = StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None}, transparent=True)
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>\s*", "", text, flags=re.DOTALL)
    text = re.sub(r'\bid="', f'id="{name}-', text)
    text = text.replace("url(#", f"url(#{name}-").replace('xlink:href="#', f'href="#{name}-')
    text = text.replace('xlink:href="data:', 'href="data:').replace("'DejaVu Sans'", "system-ui")
    # HTML knows the element without name spaces; its size is left to the page.
    width = figure.get_figwidth() * 96
    view = re.search(r'viewBox="[^"]*"', text)
    assert view is not None
    opening = (
        f'<svg {view.group()} role="img" aria-label="{escape(title)}" '
        f'style="max-width:{width:.0f}px">'
    )
    return Markup(opening + text[text.index(">") + 1 :].rstrip())
