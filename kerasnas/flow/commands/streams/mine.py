"""`kerasnas mine`: collect the mistakes that a network is surest of, to be heard and trained on."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import soundfile
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from kerasnas.datasets.streams.mined import read_mined, write_mined
from kerasnas.datasets.streams.split import check_other_sources
from kerasnas.datasets.streams.streams import Stream, read_streams
from kerasnas.datasets.table import Problems, rows
from kerasnas.decisions.mistakes import Mistake, mistakes
from kerasnas.decisions.settings import OTHER
from kerasnas.errors import KerasnasError, counted
from kerasnas.export.forms import Format
from kerasnas.features.audio import Waveform, read_part
from kerasnas.files import write_atomically
from kerasnas.flow.commands.predict import Predictor
from kerasnas.flow.commands.streams.page import RATE, REFUSED, in_words, page
from kerasnas.flow.commands.streams.scoring import chosen_file, open_file, score_streams
from kerasnas.flow.commands.streams.tune import streams_of
from kerasnas.flow.result import Result
from kerasnas.flow.task.opening import read_experiment
from kerasnas.paths import StrPath
from kerasnas.runs.layout import RunPaths
from kerasnas.runs.records import Mined, MinedEntry, StreamDecisions
from kerasnas.runs.run import read_labels

COUNT = 20
"""Mistakes that are shown at a time."""

_ACCEPTED = "accept"
_HEADER = ("id", "recording", "start", "stop", "heard", "listed", "sureness", "suggested", "answer")


@dataclass(frozen=True, repr=False)
class Shown(Result):
    """Mistakes that wait for an answer.

    Attributes:
        page: Plays them, and makes `answers.csv`.
        answers: The table to fill in without a browser.
        entries: They, the surest first.
    """

    page: Path
    answers: Path
    entries: tuple[MinedEntry, ...]

    def facts(self) -> dict[str, str]:
        """See `Result`."""
        return {
            "mistakes": str(len(self.entries)),
            "page": str(self.page),
            "table": str(self.answers),
        }

    def table(self) -> Table:
        """Return a row for each mistake, for the screen."""
        table = Table(title=f"{counted(len(self.entries), 'mistake')}", title_justify="left")
        for head in ("recording", "seconds", "mistake", "suggested"):
            table.add_column(head)
        for entry in self.entries:
            where = f"{entry.start:.1f}-{entry.stop:.1f}"
            said = in_words(entry).removesuffix(":")
            table.add_row(escape(entry.recording), where, escape(said), escape(entry.suggested))
        return table


def mine(
    run: StrPath,
    *,
    streams: StrPath | None = None,
    count: int = COUNT,
    hop_seconds: float | None = None,
    precision: Format | None = None,
    console: Console | None = None,
) -> Shown:
    """Show the mistakes on streams that a run's chosen network is surest of.

    Writes `mining/page.html`, `mining/answers.csv` and the sounds. What was shown before is not
    shown again.

    Args:
        run: Run directory whose chosen network was exported.
        streams: Directory of streams; those of split `train`, or all where none has a split. By
            default `data.streams` of the experiment.
        count: How many to show.
        hop_seconds: Time between windows; a quarter of the network's clip by default.
        precision: Which file; int8 where it was exported.
        console: Where progress is shown.

    Raises:
        KerasnasError: The streams cannot be used, or decisions were chosen or measured on them.
    """
    run, console = Path(run), console or Console(quiet=True)
    paths = RunPaths(run)
    found = read_streams(streams_of(run, streams))
    given = any(stream.split is not None for stream in found.streams)
    chosen = found.part("train") if given else found.streams
    if not chosen:
        raise KerasnasError(f"{found.root}: no stream has split train, and mined are those alone")
    if (measured := StreamDecisions.known(paths.streams)) is not None:
        check_other_sources(
            chosen,
            (*measured.validation.sources, *measured.test.sources),
            "is one that decisions were chosen or measured on, and nothing may be trained on it: "
            "mine other streams",
        )
    predictor, hop = open_file(chosen_file(run, precision), hop_seconds)
    window = predictor.settings.seconds
    scored = score_streams(predictor, chosen, hop, console)
    known = Mined.known(paths.mined_record) or Mined((), ())
    everything = [
        (stream, mistake)
        for stream, each in zip(chosen, scored, strict=True)
        for mistake in mistakes(each, predictor.classes, window)
        if not _shown_before(stream, mistake, window, known)
    ]
    everything.sort(key=lambda found: -found[1].sureness)
    taken = everything[:count]
    if not taken:
        raise KerasnasError(
            f"{found.root}: there is no mistake that was not shown before: give other streams"
        )
    first = len(known.entries) + 1
    entries = tuple(
        _entry(f"{number:05d}", stream, mistake, window)
        for number, (stream, mistake) in enumerate(taken, first)
    )
    _write(paths, run.resolve().name, entries, [stream for stream, _ in taken], predictor)
    sources = {*known.sources, *(source for stream in chosen for source in stream.sources)}
    Mined(tuple(sorted(sources)), (*known.entries, *entries)).write(paths.mined_record)
    return Shown(paths.mining / "page.html", paths.mining / "answers.csv", entries)


def read_answers(run: Path, answers: Path) -> Mined:
    """Take over what somebody says of mistakes that were shown; write the table of mined clips.

    Args:
        run: The run directory.
        answers: CSV with the columns `id` and `answer`: `accept` for what was suggested, a class,
            `other`, or `refuse`; nothing leaves it open.

    Returns:
        All mistakes with their answers.

    Raises:
        KerasnasError: An id or an answer is unknown, or nothing was accepted yet.
    """
    paths = RunPaths(run)
    known = Mined.known(paths.mined_record)
    if known is None:
        raise KerasnasError(f"{run} has mined nothing yet: run `kerasnas mine {run} --streams …`")
    classes = read_labels(paths.export)
    allowed = (_ACCEPTED, REFUSED, OTHER, *classes)
    by_id, problems = {entry.id: entry for entry in known.entries}, Problems()
    for where, row in rows(answers, ("id", "answer"), ("recording",), problems=problems):
        entry, answer = by_id.get(row["id"].zfill(5)), row["answer"]
        if entry is None:
            problems.add(f"{where}: no mistake has the id {row['id']!r}")
        elif answer and answer not in allowed:
            problems.add(f"{where}: {answer!r} is no answer; it can be {', '.join(allowed)}")
        elif answer:
            said = entry.suggested if answer == _ACCEPTED else answer
            by_id[entry.id] = replace(entry, answer=said)
    problems.check()
    found = replace(known, entries=tuple(by_id.values()))
    accepted = [entry for entry in found.entries if entry.answer not in (None, REFUSED)]
    if not accepted:
        raise KerasnasError(
            f"{answers}: nothing is accepted, so that there is nothing to train on: write accept, "
            "a class or other into the column answer"
        )
    found.write(paths.mined_record)
    clips = [(f"clips/{entry.id}.wav", str(entry.answer)) for entry in accepted]
    earlier = read_experiment(run).data.mined  # of the network that is trained again
    before = [] if earlier is None else read_mined(earlier)
    write_mined(paths.mined_table, [*before, *clips])
    return found


def _shown_before(stream: Stream, mistake: Mistake, window: float, known: Mined) -> bool:
    return stream.digest in known.sources and any(
        entry.recording == stream.id and abs(entry.start - mistake.start) < window
        for entry in known.entries
    )


def _entry(id: str, stream: Stream, mistake: Mistake, window: float) -> MinedEntry:
    return MinedEntry(
        id,
        stream.id,
        mistake.start,
        mistake.start + window,
        mistake.heard,
        mistake.listed,
        round(mistake.sureness, 6),
    )


def _write(
    paths: RunPaths,
    name: str,
    entries: Sequence[MinedEntry],
    streams: Sequence[Stream],
    predictor: Predictor,
) -> None:
    """Write the sounds, the page that plays them, and the table to fill in."""
    settings = predictor.settings
    sounds: list[Waveform] = []
    for entry, stream in zip(entries, streams, strict=True):
        seconds = entry.stop - entry.start
        sounds.append(read_part(stream.path, RATE, entry.start, seconds))
        wave = read_part(
            stream.path, settings.sample_rate, entry.start, seconds, settings.file_channels
        )
        file = io.BytesIO()
        soundfile.write(file, wave, settings.sample_rate, format="WAV", subtype="FLOAT")
        write_atomically(paths.mining / "clips" / f"{entry.id}.wav", file.getvalue())
    answers = [*(each for each in predictor.classes if each != OTHER), OTHER]
    write_atomically(paths.mining / "page.html", page(name, entries, sounds, answers))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_HEADER)
    for entry in entries:
        where = entry.recording, f"{entry.start:.3f}", f"{entry.stop:.3f}"
        heard = entry.heard or "", entry.listed or "", f"{entry.sureness:.3f}"
        writer.writerow([entry.id, *where, *heard, entry.suggested, ""])
    write_atomically(paths.mining / "answers.csv", text.getvalue())
