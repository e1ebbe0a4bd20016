"""Held-out clips that the network gets wrong or is unsure of, to see and, if asked for, to hear."""

from __future__ import annotations

from kerasnas.report.html.elements import Markup, Node, join, note, paragraph, tag
from kerasnas.report.html.formats import counted
from kerasnas.report.reading import optional
from kerasnas.runs.records import ExcerptEntry, Excerpts
from kerasnas.runs.run import Run


def section(run: Run) -> Markup | None:
    """Every clip with its picture, and its sound where that is kept; None where none were kept."""
    found = optional(run, Excerpts, run.paths.excerpts)
    if found is None:
        return None
    if found.audio:
        said = (
            "This page holds parts of your recordings, at most 3 s each and 5 MB in all: think of "
            "whose voices they are before you pass it on. report.audio: false leaves them out."
        )
    else:
        said = (
            "No recordings are in this page: report.audio is false. Set it to true and run "
            "`kerasnas search` again to hear these clips here."
        )
    if not found.entries:
        return join([paragraph("The network makes no mistake on held-out clips."), note(said)])
    return join(
        [
            paragraph(
                f"{counted(found.wrong, 'wrong answer')} on held-out clips; those of the most "
                "confused pairs of classes come first, right answers that were close come last. "
                "Listen for wrong labels, too."
            ),
            tag("div", *map(_clip, found.entries), class_="pictures"),
            note(said),
        ]
    )


def _clip(entry: ExcerptEntry) -> Markup:
    picture = sound = None
    if entry.png is not None:
        picture = tag(
            "img",
            src=f"data:image/png;base64,{entry.png}",
            alt=f"Spectrogram of {entry.id}",
            class_="spectrogram",
        )
    if entry.mp3 is not None:
        sound = tag("audio", controls="", src=f"data:audio/mpeg;base64,{entry.mp3}")
    heard: Node = None
    if entry.start is not None and entry.stop is not None:
        heard = f", from {entry.start:.1f} to {entry.stop:.1f} s"
    caption = tag("figcaption", tag("strong", _in_words(entry)), f" {entry.id}", heard)
    return tag("figure", picture, sound, caption)


def _in_words(entry: ExcerptEntry) -> str:
    score = f"{entry.score:.2f}"
    if entry.label == entry.answer:
        return f"{entry.label}: right, but only just ({score}):"
    if entry.answer is None:
        return f"{entry.label} missed ({score}):"
    if entry.label is None:
        return f"{entry.answer} where there is none ({score}):"
    return f"{entry.label} taken for {entry.answer} ({score}):"
