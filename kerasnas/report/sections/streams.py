"""Decisions over time on streams: events found and missed, and false alarms per hour."""

from __future__ import annotations

from kerasnas.report.html.elements import Markup, figure, join, note, paragraph, table
from kerasnas.report.html.formats import counted
from kerasnas.report.pictures.streams import misses_against_alarms
from kerasnas.report.reading import MissingError, optional
from kerasnas.runs.records import Export, StreamDecisions, StreamFigures, StreamPart
from kerasnas.runs.run import Run

HEAD = (
    "class",
    "threshold",
    "events",
    "missed",
    "event F1",
    "F1 with offsets",
    "false alarms an hour",
    "95 % bound",
    "latency, median and 95 %",
)


def section(run: Run) -> Markup | None:
    """Figures by class, and curves of misses; None where decisions were not tuned."""
    found = current(run)
    if found is None:
        return None
    return join(
        [
            paragraph(verdict_in_words(found)),
            paragraph(
                f"Decisions of {found.file} were chosen on {_in_words(found.validation)}, for the "
                f"fewest misses at {found.asked:g} false alarms an hour, and measured on "
                f"{_in_words(found.test)}. No sound is in both. {settings_in_words(found)}"
            ),
            table("On the streams that were measured on", HEAD, rows(found)),
            *_curves(found),
            note(
                "Event F1 counts events whose onset is found within 200 ms, as sed_eval defines "
                "it; with offsets, also within 200 ms or half of the event's length. An event is "
                "missed when no detection of its class comes within 200 ms of it; a detection near "
                "no event of its class is a false alarm; each 10 s outside of events are another. "
                "The bound is the exact one of a Poisson rate, over distinct hours: sound that is "
                "there twice counts once, and alarms of one source hang together."
            ),
        ]
    )


def current(run: Run) -> StreamDecisions | None:
    """Return the decisions of an exported file; None where none were tuned.

    Raises:
        MissingError: They are of a file that is no longer there, or the record is damaged.
    """
    found = optional(run, StreamDecisions, run.paths.streams)
    if found is None:
        return None
    export = optional(run, Export, run.paths.export.report)
    if export is None or found.sha256 not in export.checksums.values():
        raise MissingError(
            f"Decisions were tuned for another {found.file} than the one that is exported now: run "
            "`kerasnas tune-decisions` again."
        )
    return found


def verdict_in_words(found: StreamDecisions) -> str:
    """Return whether the rate that was asked for is kept to."""
    title = {"passed": "Proven", "failed": "Refuted", "not proven": "Not proven"}[found.verdict]
    return f"{title}: {found.promise}."


def settings_in_words(found: StreamDecisions) -> str:
    """Return how decisions are made, apart from what each class has of its own."""
    settings = found.settings
    smoothing = "are not smoothed"
    if settings.smoothing != "none":
        smoothing = f"are smoothed by the {settings.smoothing} over {settings.smoothing_windows}"
        if settings.smoothing == "exponential":
            smoothing = f"are smoothed exponentially over {settings.smoothing_windows}"
    silent = ""
    if found.silent:
        silent = f" No threshold keeps to it for {', '.join(found.silent)}, which make no events."
    return (
        f"Scores of windows of {settings.window_seconds:g} s, one every "
        f"{settings.hop_seconds:g} s, {smoothing}.{silent}"
    )


def rows(found: StreamDecisions) -> list[tuple[str, ...]]:
    """Return a row for each class, for all, and for plain thresholds, under `HEAD`."""
    own = found.settings.classes
    return [
        *(
            _row(name, figures, f"{own[name].threshold:.3g}" if name in own else "none")
            for name, figures in found.by_class.items()
        ),
        _row("all", found.all_classes, ""),
        _row("all, by plain thresholds", found.plain, ""),
    ]


def _row(name: str, figures: StreamFigures, threshold: str) -> tuple[str, ...]:
    latency = "–"
    if figures.latency is not None:
        latency = f"{figures.latency[0]:.2f} s, {figures.latency[1]:.2f} s"
    return (
        name,
        threshold,
        str(figures.events),
        str(figures.misses),
        _number(figures.f1),
        _number(figures.f1_offset),
        _number(figures.per_hour),
        _number(figures.upper),
        latency,
    )


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def _in_words(part: StreamPart) -> str:
    hours = f"{part.hours:.2f} distinct hours"
    if part.played_hours > part.hours * 1.01:
        hours += f" ({part.played_hours:.2f} with repeats)"
    return f"{counted(part.streams, 'stream')}, {hours}"


def _curves(found: StreamDecisions) -> list[Markup]:
    curves = {
        name: [
            (point.alarms_per_hour, point.misses / found.by_class[name].events) for point in points
        ]
        for name, points in found.curves.items()
        if name in found.by_class and found.by_class[name].events
    }
    if not curves:
        return []
    caption = (
        "Share of the events of each class that are missed against its false alarms an hour, as "
        "its threshold changes; measured, not chosen by."
    )
    return [figure(misses_against_alarms(curves, found.asked), caption)]
