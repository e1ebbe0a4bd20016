"""How scores become events, and how good that is on streams."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from kerasnas.decisions.bound import hours_needed
from kerasnas.decisions.settings import OTHER, DecisionSettings
from kerasnas.runs.record import Entry, Record
from kerasnas.runs.records.export import Verdict

_COMMAND = "`kerasnas tune-decisions`"


@dataclass(frozen=True, eq=False)
class Postprocessing(Record):
    """`postprocessing.json`, beside exported files: how their scores become events.

    Attributes:
        file: Name of the file whose scores the settings were chosen for.
        chosen_on: What they were chosen on, in words.
        settings: See `kerasnas.decisions.Decider`.
    """

    file: str
    chosen_on: str
    settings: DecisionSettings

    COMMAND: ClassVar[str] = _COMMAND


@dataclass(frozen=True, eq=False)
class StreamFigures(Entry):
    """What decisions come to on streams, of one class or of all.

    Attributes:
        events: True events.
        misses: Those that were not hit.
        f1: Of events, onsets within 200 ms; None without events.
        f1_offset: The same where offsets count, too.
        alarms: False alarms, each source heard once.
        per_hour: The same per distinct hour.
        lower: One-sided 95 % lower bound of false alarms per hour.
        upper: One-sided 95 % upper bound.
        latency: Median and 95th percentile, seconds, of the events that were hit.
    """

    events: int
    misses: int
    f1: float | None
    f1_offset: float | None
    alarms: float
    per_hour: float | None
    lower: float
    upper: float | None
    latency: tuple[float, float] | None


@dataclass(frozen=True, eq=False)
class StreamPart(Entry):
    """Streams that were used for one thing.

    Attributes:
        streams: Number of them.
        played_hours: Their length together.
        hours: Distinct ones: each source once.
        sources: Names of all that is heard in them, and digests of their files.
    """

    streams: int
    played_hours: float
    hours: float
    sources: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class CurvePoint(Entry):
    """What one threshold of a class comes to on the streams that are measured on."""

    threshold: float
    alarms_per_hour: float
    misses: int


@dataclass(frozen=True, eq=False)
class StreamDecisions(Record):
    """`streams.json`: decisions over time, chosen on some streams and measured on others.

    Attributes:
        file: Name of the exported file.
        sha256: Of its content.
        asked: False alarms per hour that may be.
        settings: That were chosen.
        validation: What they were chosen on.
        test: What they were measured on.
        all_classes: Figures of all classes together.
        by_class: Of each class.
        plain: Of all classes, where nothing but a threshold for each was chosen.
        silent: Classes that make no events, since no threshold keeps to what was asked.
        curves: Misses against false alarms, by class.
        verdict: Whether the rate that was asked for is kept to: shown by the upper bound, refuted
            by the lower one, or not proven.
    """

    file: str
    sha256: str
    asked: float
    settings: DecisionSettings
    validation: StreamPart
    test: StreamPart
    all_classes: StreamFigures
    by_class: Mapping[str, StreamFigures]
    plain: StreamFigures
    silent: tuple[str, ...]
    curves: Mapping[str, tuple[CurvePoint, ...]]
    verdict: Verdict

    COMMAND: ClassVar[str] = _COMMAND

    @property
    def promise(self) -> str:
        """What was shown of the rate of false alarms that was asked for, in words."""
        figures, hours = self.all_classes, f"{self.test.hours:.2f} distinct hours"
        upper = "-" if figures.upper is None else f"{figures.upper:.2f}"
        measured = f"{figures.alarms:g} were heard in {hours}"
        if self.verdict == "passed":
            return f"at most {upper} false alarms an hour (95 % bound): {measured}"
        if self.verdict == "failed":
            return f"more than {self.asked:g} false alarms an hour: {measured}"
        return (
            f"{hours} are too few to prove at most {self.asked:g} false alarms an hour: "
            f"{figures.alarms:g} were heard, the 95 % bound is {upper}, and "
            f"{hours_needed(self.asked):.2f} hours without one are needed"
        )


@dataclass(frozen=True, eq=False)
class MinedEntry(Entry):
    """A mistake on a stream.

    Attributes:
        id: Name of its clip, without suffix.
        recording: Name of the stream.
        start: Where the window begins, seconds.
        stop: Where it ends.
        heard: The class that the network hears; None for an event that it misses.
        listed: The class that is listed there; None for none.
        sureness: Of the network, 0 to 1.
        answer: What it is by the one who listened: a class, `other`, or `refuse` for what is not
            to be trained on; None before anybody has.
    """

    id: str
    recording: str
    start: float
    stop: float
    heard: str | None
    listed: str | None
    sureness: float
    answer: str | None = None

    @property
    def suggested(self) -> str:
        """What it is, as far as the list of events knows."""
        return OTHER if self.listed is None else self.listed


@dataclass(frozen=True, eq=False)
class Mined(Record):
    """`mined.json`: mistakes of the chosen network on streams, and what people say of them.

    Attributes:
        sources: Names of all that is heard in the streams, and digests of their files.
        entries: All that were shown, in the order in which they were.
    """

    sources: tuple[str, ...]
    entries: tuple[MinedEntry, ...]

    COMMAND: ClassVar[str] = "`kerasnas mine`"
