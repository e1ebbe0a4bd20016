"""`kerasnas tune-decisions`: how scores become events, chosen and measured on streams."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console, RenderableType

from kerasnas.datasets.streams.split import check_other_sources, split_streams
from kerasnas.datasets.streams.streams import Stream, Streams, read_streams
from kerasnas.decisions.bound import Rate
from kerasnas.decisions.c_header import c_header
from kerasnas.decisions.measure import Measured, decided, measure
from kerasnas.decisions.settings import OTHER, DecisionSettings
from kerasnas.decisions.sources import rates
from kerasnas.decisions.sweep import ScoredStream, choose, curve
from kerasnas.errors import KerasnasError, counted
from kerasnas.export.forms import Format
from kerasnas.files import digest, write_atomically
from kerasnas.flow.commands.streams.scoring import chosen_file, open_file, score_streams
from kerasnas.flow.commands.tables import figures_table
from kerasnas.flow.result import Result
from kerasnas.flow.stages.exported import Exported
from kerasnas.flow.task.opening import read_experiment
from kerasnas.paths import StrPath, expanded
from kerasnas.report import write as write_report
from kerasnas.runs.layout import RunPaths
from kerasnas.runs.records import (
    CurvePoint,
    Mined,
    Postprocessing,
    StreamDecisions,
    StreamFigures,
    StreamPart,
)

PER_HOUR = 0.5
"""False alarms per hour that are asked for by default."""


@dataclass(frozen=True, repr=False)
class TunedDecisions(Result):
    """Decisions over time, chosen on some streams and measured on others.

    Attributes:
        directory: Of the exported file, where `postprocessing.json` is.
        record: What `streams.json` holds.
    """

    directory: Path
    record: StreamDecisions

    @property
    def failed(self) -> bool:
        """Whether there are shown to be more false alarms than were asked for."""
        return self.record.verdict == "failed"

    def facts(self) -> dict[str, str]:
        """See `Result`."""
        record, figures = self.record, self.record.all_classes
        return {
            "file": str(self.directory / record.file),
            "measured on": f"{record.test.hours:.2f} distinct hours",
            "misses": f"{figures.misses} of {counted(figures.events, 'event')}",
            "false alarms per hour": f"{_number(figures.per_hour)}, at most "
            f"{_number(figures.upper)} by the 95 % bound",
            "event F1": _number(figures.f1),
            "verdict": f"{record.verdict}: {record.promise}",
        }

    def table(self, width: int) -> RenderableType:
        """Return a row for each class, one for all, and one for plain thresholds."""
        record = self.record
        heads = ("class", "threshold", "events", "missed", "F1", "alarms/h", "at most", "latency")
        own = record.settings.classes
        rows = [
            [name, *_row(figures, f"{own[name].threshold:.3g}" if name in own else "-")]
            for name, figures in record.by_class.items()
        ]
        rows.append(["all", *_row(record.all_classes, "")])
        rows.append(["all, by plain thresholds", *_row(record.plain, "")])
        return figures_table(
            heads,
            rows,
            width,
            title=f"{record.file} on {counted(record.test.streams, 'stream')}",
            caption="F1: onsets within 200 ms (sed_eval); at most: 95 % bound of alarms an hour",
        )


def _row(figures: StreamFigures, threshold: str) -> list[str]:
    latency = "-" if figures.latency is None else f"{figures.latency[0]:.2f} s"
    return [
        threshold,
        str(figures.events),
        str(figures.misses),
        _number(figures.f1),
        _number(figures.per_hour),
        _number(figures.upper),
        latency,
    ]


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def tune_decisions(
    run: StrPath,
    *,
    streams: StrPath | None = None,
    per_hour: float = PER_HOUR,
    hop_seconds: float | None = None,
    precision: Format | None = None,
    console: Console | None = None,
) -> TunedDecisions:
    """Choose how an exported file's scores become events, and measure it on other streams.

    Writes `postprocessing.json` and `postprocessing.h` beside the file, and `streams.json`.

    Args:
        run: Run directory whose chosen network was exported.
        streams: Directory of streams (see `kerasnas.datasets.streams.streams`); by default
            `data.streams` of the experiment.
        per_hour: False alarms per hour that may be, in all classes together.
        hop_seconds: Time between windows; a quarter of the network's clip by default.
        precision: Which file; int8 where it was exported.
        console: Where progress is shown.

    Raises:
        KerasnasError: The streams cannot be used, or have no part to choose on or to measure on.
    """
    run, console = Path(run), console or Console(quiet=True)
    if not per_hour >= 0:
        raise KerasnasError(f"per_hour: {per_hour:g} is no number of false alarms from 0 on")
    experiment, paths = read_experiment(run), RunPaths(run)
    file = chosen_file(run, precision)
    found = split_streams(read_streams(streams_of(run, streams)), experiment.seed)
    validation, test = found.part("validation"), found.part("test")
    _check_parts(found, validation, test)
    if (mined := Mined.known(paths.mined_record)) is not None:
        check_other_sources(
            (*validation, *test),
            mined.sources,
            "was mined, and the network was trained on what it got wrong there: choose and measure "
            "on other streams",
        )
    predictor, hop = open_file(file, hop_seconds)
    labels, window = predictor.classes, predictor.settings.seconds
    chosen_on = score_streams(predictor, validation, hop, console)
    measured_on = score_streams(predictor, test, hop, console)
    settings = choose(chosen_on, labels, window, hop, per_hour)
    plain = choose(chosen_on, labels, window, hop, per_hour, plain=True)
    record = _record(
        file, per_hour, settings, plain, labels, (validation, chosen_on), (test, measured_on)
    )
    directory = paths.export
    Postprocessing(file.name, describe(record.validation), settings).write(directory.postprocessing)
    write_atomically(directory.postprocessing_header, c_header(settings, labels))
    record.write(paths.streams)
    if paths.winners.is_file():
        write_report(run)
    return TunedDecisions(directory.path, record)


def keep_to_rate(run: Path, exported: Exported, console: Console) -> Exported:
    """Return an export with what was shown of the false alarms that its experiment allows.

    Decisions are tuned unless they were for the same file.

    Args:
        run: The run directory.
        exported: Its files.
        console: Where progress is shown.
    """
    allowed = read_experiment(run).export.false_alarms_per_hour
    if allowed is None:
        return exported
    file, known = chosen_file(run), StreamDecisions.known(RunPaths(run).streams)
    if known is None or (known.sha256, known.asked) != (digest(file), allowed):
        console.print("Tuning decisions over time on data.streams ...")
        known = tune_decisions(run, per_hour=allowed, console=console).record
    return replace(exported, rate=known)


def streams_of(run: Path, given: StrPath | None) -> Path:
    """Return the directory of streams that a command works on.

    Raises:
        KerasnasError: None is given, and the experiment names none.
    """
    named = read_experiment(run).data.streams if given is None else Path(given)
    if named is None:
        raise KerasnasError(
            "streams are needed: give --streams DIRECTORY, or write data: streams: DIRECTORY into "
            "the experiment"
        )
    return expanded(named)


def describe(part: StreamPart) -> str:
    """Return what streams were used, in words."""
    return f"{counted(part.streams, 'stream')} of {part.hours:.2f} distinct hours"


def _check_parts(streams: Streams, validation: Sequence[Stream], test: Sequence[Stream]) -> None:
    for name, part in (("validation", validation), ("test", test)):
        if not part:
            raise KerasnasError(
                f"{streams.root}: no stream has split {name}: decisions are chosen on validation "
                "streams, and measured on test streams"
            )


def _record(
    file: Path,
    asked: float,
    settings: DecisionSettings,
    plain: DecisionSettings,
    labels: tuple[str, ...],
    validation: tuple[Sequence[Stream], Sequence[ScoredStream]],
    test: tuple[Sequence[Stream], Sequence[ScoredStream]],
) -> StreamDecisions:
    scored = test[1]
    everything, by_class = measure(scored, labels, decided(scored, labels, settings))
    beside, _ = measure(scored, labels, decided(scored, labels, plain))
    hours = sum(stream.seconds for stream in scored) / 3600
    curves = {
        name: tuple(
            CurvePoint(point.settings.threshold, point.alarms / hours, point.misses)
            for point in curve(scored, labels, settings, name)
        )
        for name in settings.classes
    }
    return StreamDecisions(
        file=file.name,
        sha256=digest(file),
        asked=asked,
        settings=settings,
        validation=_part(*validation),
        test=_part(*test),
        all_classes=figures_of(everything),
        by_class={name: figures_of(each) for name, each in by_class.items()},
        plain=figures_of(beside),
        silent=tuple(name for name in labels if name not in settings.classes and name != OTHER),
        curves=curves,
        verdict=everything.rate.verdict(asked),
    )


def _part(streams: Sequence[Stream], scored: Sequence[ScoredStream]) -> StreamPart:
    distinct: Rate = rates([(stream.timeline, ()) for stream in scored], ())[0]
    played = sum(stream.seconds for stream in scored) / 3600
    sources = sorted({source for stream in streams for source in stream.sources})
    return StreamPart(len(streams), played, distinct.hours, tuple(sources))


def figures_of(measured: Measured) -> StreamFigures:
    """Return figures as `streams.json` holds them."""
    rate = measured.rate
    return StreamFigures(
        measured.events,
        measured.misses,
        measured.f1,
        measured.f1_offset,
        rate.alarms,
        rate.per_hour,
        rate.lower,
        rate.upper,
        measured.latency,
    )
