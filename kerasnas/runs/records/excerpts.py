"""Held-out clips that a network gets wrong or is unsure of, to see and to hear."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from kerasnas.runs.record import Entry, Record


@dataclass(frozen=True, eq=False)
class ExcerptEntry(Entry):
    """One clip.

    Attributes:
        id: Name of the clip.
        label: The class that it is labelled with; None for a tag that it lacks.
        answer: The class that was answered; None for a tag that was missed.
        score: Of the answer; of the missed tag where there is no answer.
        start: Where what is heard begins in the recording, seconds; None without sound.
        stop: Where it ends.
        mp3: The sound, as base64 text of an MP3 file; None where recordings are not kept.
        png: Picture of the features, time to the right, low bins below, as base64 text of a PNG
            file; None where features are no spectra.
    """

    id: str
    label: str | None
    answer: str | None
    score: float
    start: float | None
    stop: float | None
    mp3: str | None
    png: str | None


@dataclass(frozen=True, eq=False)
class Excerpts(Record):
    """`excerpts.json`: mistakes of the chosen network, the most confused pairs of classes first.

    Attributes:
        made_from: Digest of the evaluation and of the settings.
        audio: Whether `report.audio` asks for recordings.
        wrong: Number of wrong answers in all, listed or not.
        entries: The clips.
    """

    made_from: str
    audio: bool
    wrong: int
    entries: tuple[ExcerptEntry, ...]

    DURABLE: ClassVar[bool] = False
