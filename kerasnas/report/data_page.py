"""`data.html`: what recordings are like, before anything is trained on them.

The page runs no script: a point of the map is a link to its clip, which the page shows once it is
the target of a link.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from kerasnas.report.html.elements import Markup, figure, join, note, paragraph, table, tag
from kerasnas.report.html.formats import count
from kerasnas.report.html.frame import document
from kerasnas.report.html.svg import BLUE, SERIES, render, style

_SIDE, _EDGE = 640, 12  # of the map, in its own units
_HEIGHT = 420
_NAMED = 200  # rows of a table
_STYLE = """
.map a:focus circle, .map a:hover circle { stroke: var(--ink); stroke-width: 3; }
.clip { display: none; max-width: 30rem; padding: .7rem; border: 1px solid var(--line); }
.clip:target { display: block; }
.key span { display: inline-block; width: .8em; height: .8em; margin-right: .3em;
  border-radius: 50%; }
.key li { display: inline-block; margin-right: 1rem; }
.key { padding: 0; }
"""


@dataclass(frozen=True)
class Point:
    """A clip on the map.

    Attributes:
        id: Of the clip.
        labels: In words.
        kind: Index of its first label among the classes.
        place: From 0 to 1 to the right and downwards.
        said: What else there is to say of it.
        png: Its spectrogram, base64 text of a PNG file.
        mp3: Its sound, base64 text; None where it is not to be heard.
    """

    id: str
    labels: str
    kind: int
    place: tuple[float, float]
    said: str
    png: str
    mp3: str | None


@dataclass(frozen=True)
class DataView:
    """All that the page shows.

    Attributes:
        name: Of the data set.
        tiles: The main figures, by what they are.
        counts: Clips of each class.
        seconds: Length of every recording, `(clips,)`.
        peaks: Highest level of each recording that was listened to, dB of full scale.
        rates: Number of recordings by sample rate, Hz.
        channels: Number of recordings by number of channels.
        lists: What to look at: title, remark, and rows of a clip and what is the matter with it.
        points: Of the map.
        embedded: What the places on the map come from, in words.
        notes: What else to know.
    """

    name: str
    tiles: Mapping[str, str]
    counts: Mapping[str, int]
    seconds: NDArray[np.float64]
    peaks: NDArray[np.float64]
    rates: Mapping[int, int]
    channels: Mapping[int, int]
    lists: Sequence[tuple[str, str, Sequence[tuple[str, str]]]]
    points: Sequence[Point]
    embedded: str
    notes: Sequence[str]


def data_page(view: DataView) -> str:
    """Return the whole page."""
    tiles = [tag("div", tag("dt", name), tag("dd", text)) for name, text in view.tiles.items()]
    notes = [tag("li", text) for text in view.notes]
    parts = [
        ("summary", "Recordings", join([tag("dl", *tiles, class_="tiles"), tag("ul", *notes)])),
        ("classes", "Classes", _classes(view.counts)),
        ("lengths", "Lengths and levels", _lengths(view)),
        ("check", "To look at", join(_list(*each) for each in view.lists)),
        ("map", "Map", _map(view)),
    ]
    return document(view.name, "Recordings, as kerasnas inspect finds them", parts, _STYLE)


def _classes(counts: Mapping[str, int]) -> Markup:
    total = sum(counts.values())
    ordered = sorted(counts.items(), key=lambda item: -item[1])
    rows = [[name, count(number), f"{number / max(1, total):.1%}"] for name, number in ordered]
    return table("Clips of each class", ["class", "clips", "share"], rows)


def _lengths(view: DataView) -> Markup:
    heard = view.peaks[np.isfinite(view.peaks)]
    pictures = [_histogram("lengths", "seconds", view.seconds)]
    if len(heard):
        pictures.append(_histogram("levels", "peak level, dB of full scale", heard))
    rates = [[f"{rate:,} Hz", count(number)] for rate, number in sorted(view.rates.items())]
    channels = [[f"{each}", count(number)] for each, number in sorted(view.channels.items())]
    return join(
        [
            tag("div", *pictures, class_="pictures"),
            table("Sample rates", ["rate", "recordings"], rates),
            table("Channels", ["channels", "recordings"], channels),
        ]
    )


def _histogram(name: str, label: str, values: NDArray[np.float64]) -> Markup:
    with style():
        drawn = Figure((4.8, 2.4))
        axes = drawn.subplots()
        axes.hist(values, bins=min(40, max(5, round(len(values) ** 0.5))), color=BLUE)
        axes.set_xlabel(label)
        axes.set_ylabel("recordings")
        return figure(render(drawn, name, f"Histogram: {label}"), label)


def _list(title: str, remark: str, rows: Sequence[tuple[str, str]]) -> Markup:
    """Return a table of clips that something is the matter with; a line where there is none."""
    if not rows:
        return paragraph(f"{title}: none.")
    more = f" The first {_NAMED} are shown." if len(rows) > _NAMED else ""
    shown = table(f"{title}: {count(len(rows))}", ["clip", ""], rows[:_NAMED], text_columns=(0, 1))
    return join([shown, note(remark + more)])


def _map(view: DataView) -> Markup:
    if not view.points:
        return paragraph("There are too few clips for a map.")
    wide, high = _SIDE - 2 * _EDGE, _HEIGHT - 2 * _EDGE
    classes = list(view.counts)
    dots = [
        tag(
            "a",
            tag(
                "circle",
                tag("title", f"{point.labels}: {point.id}"),
                cx=f"{_EDGE + wide * point.place[0]:.1f}",
                cy=f"{_EDGE + high * point.place[1]:.1f}",
                r=6,
                fill=_colour(point.kind),
                fill_opacity="0.75",
            ),
            href=f"#clip-{number}",
            aria_label=f"{point.labels}: {point.id}",
        )
        for number, point in enumerate(view.points)
    ]
    svg = tag("svg", *dots, viewBox=f"0 0 {_SIDE} {_HEIGHT}", class_="map", role="group")
    key = [
        tag("li", tag("span", style=f"background:{_colour(index)}"), name)
        for index, name in enumerate(classes)
    ]
    said = (
        f"Each point is a clip; near ones are alike by {view.embedded}. t-SNE gives the places: "
        "distances far apart mean little. Follow a point to see its spectrogram."
    )
    clips = [_clip(number, point) for number, point in enumerate(view.points)]
    return join([paragraph(said), tag("ul", *key, class_="key"), svg, *clips])


def _colour(kind: int) -> str:
    """Return the colour of a class; beyond the palette, hues apart by the golden angle."""
    return SERIES[kind] if kind < len(SERIES) else f"hsl({137.5 * kind % 360:.0f},60%,45%)"


def _clip(number: int, point: Point) -> Markup:
    picture = tag(
        "img",
        src=f"data:image/png;base64,{point.png}",
        alt=f"Spectrogram of {point.id}",
        class_="spectrogram",
    )
    sound = None
    if point.mp3 is not None:
        sound = tag("audio", controls="", src=f"data:audio/mpeg;base64,{point.mp3}")
    caption = tag("figcaption", tag("strong", point.labels), f" {point.id}; {point.said}")
    back = tag("a", "back to the map", href="#map")
    return tag("figure", picture, sound, caption, back, id=f"clip-{number}", class_="clip")
