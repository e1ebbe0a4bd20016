"""Scores of a network's windows on streams."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from rich.console import Console

from kerasnas.datasets.streams.event_lists import check_ends, check_labels
from kerasnas.datasets.streams.streams import Stream
from kerasnas.datasets.table import Problems
from kerasnas.decisions.events import Event
from kerasnas.decisions.sources import Part, Timeline
from kerasnas.decisions.sweep import ScoredStream
from kerasnas.errors import KerasnasError
from kerasnas.features.audio import read_header
from kerasnas.flow.commands.predict import HOPS, Predictor
from kerasnas.runs.layout import RunPaths
from kerasnas.runs.records import Export


def chosen_file(run: Path, precision: str | None = None) -> Path:
    """Return the exported file that decisions are for.

    Args:
        run: The run directory.
        precision: `int8` or `float16`; by default int8 where it was exported.

    Raises:
        KerasnasError: The run has no such file.
    """
    paths = RunPaths(run).export
    if not paths.report.is_file():
        raise KerasnasError(
            f"{run} has no exported files yet: let `kerasnas search` end there first"
        )
    files = Export.read(paths.report).files
    name = precision or ("int8" if "int8" in files else next(iter(files)))
    if name not in files:
        raise KerasnasError(f"precision: {run} has no {name} file; it has {', '.join(files)}")
    return paths.path / files[name].file


def open_file(file: Path, hop_seconds: float | None) -> tuple[Predictor, float]:
    """Open a file for streams; return it with the time between windows.

    Silent ends are not cut: a stream has none.

    Raises:
        KerasnasError: As from `Predictor.open`, or the time does not fit the window.
    """
    predictor = Predictor.open(file)
    seconds = predictor.settings.seconds
    hop = seconds / HOPS if hop_seconds is None else hop_seconds
    if not 0 < hop <= seconds:
        raise KerasnasError(
            f"hop_seconds: {hop:g} is not above 0 and at most the window of the network, "
            f"{seconds:g} s"
        )
    settings = predictor.settings
    if settings.trim is not None:
        settings = settings.model_copy(update={"trim": None})
    return replace(predictor, settings=settings), hop


def score_streams(
    predictor: Predictor, streams: Sequence[Stream], hop_seconds: float, console: Console
) -> list[ScoredStream]:
    """Score every window of streams, one stream after the other.

    Args:
        predictor: The file; see `open_file`.
        streams: They.
        hop_seconds: Time between windows.
        console: Where progress is shown.

    Raises:
        KerasnasError: Recordings cannot be read, or events do not fit them or the network; every
            line is named before anything is computed.
    """
    problems = Problems()
    known: list[tuple[Stream, float, list[Event]]] = []
    for stream in streams:
        try:
            seconds = read_header(stream.path).seconds
        except KerasnasError as error:
            problems.add(str(error))
            continue
        check_labels(stream.lines, predictor.classes, problems)
        known.append((stream, seconds, check_ends(stream.lines, seconds, problems)))
    problems.check()
    scored = []
    with console.status("Scoring streams") as status:
        for stream, seconds, events in known:
            status.update(f"Scoring {stream.id} ({seconds / 60:.1f} min)")
            found = predictor.predict(stream.path, hop_seconds)
            parts = [
                Part(part.source, part.start, min(part.stop, seconds))
                for part in stream.parts
                if part.start < seconds
            ]
            scored.append(
                ScoredStream(
                    stream.id,
                    seconds,
                    tuple(events),
                    Timeline.of(stream.source, seconds, parts),
                    np.array([start for start, _ in found.times]),
                    found.scores,
                )
            )
    return scored
