"""The page on which mined mistakes are heard, and accepted or refused."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence

from kerasnas.features.audio import Waveform
from kerasnas.flow.task.excerpts import mp3_of
from kerasnas.report.html.elements import Markup, join, paragraph, tag
from kerasnas.report.html.frame import head, page_of
from kerasnas.report.html.style import STYLE
from kerasnas.runs.records import MinedEntry

RATE = 16_000
"""Of the sounds in the page, Hz."""

REFUSED = "refuse"

_SCRIPT = """
const button = document.querySelector("button");
button.addEventListener("click", () => {
  const lines = ["id,answer"];
  for (const id of IDS) {
    const chosen = document.querySelector(`input[name="${id}"]:checked`);
    const answer = chosen ? chosen.value : "";
    lines.push(`${id},"${answer.replaceAll('"', '""')}"`);
  }
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([lines.join("\\n") + "\\n"], {type: "text/csv"}));
  link.download = "answers.csv";
  link.click();
});
"""


def page(
    name: str, entries: Sequence[MinedEntry], sounds: Sequence[Waveform], answers: Sequence[str]
) -> str:
    """Return a page that plays mistakes and lets one download `answers.csv`; it loads nothing.

    Args:
        name: Of the run.
        entries: The mistakes, the surest first.
        sounds: Of each, `(samples, 1)` at `RATE`.
        answers: What can be said of each beside that it is refused: names of classes, and `other`.
    """
    ids = json.dumps([entry.id for entry in entries]).replace("<", "\\u003c")
    figures = (_figure(entry, sound, answers) for entry, sound in zip(entries, sounds, strict=True))
    body = tag(
        "body",
        tag("header", tag("h1", name), tag("p", "What the network is surest of, and gets wrong")),
        tag(
            "main",
            paragraph(
                "Listen, and say what each sound is. Accepted sounds are trained on; refused ones, "
                "and those without an answer, are not. Then download answers.csv and run ",
                tag("code", "kerasnas mine RUN --accept answers.csv"),
                ".",
            ),
            *figures,
            tag("p", tag("button", "Download answers.csv", type="button")),
        ),
        tag("script", Markup(f"const IDS = {ids};{_SCRIPT}")),
    )
    return page_of(head(f"{name}: mistakes to accept or refuse", STYLE, scripts=True), body)


def _figure(entry: MinedEntry, sound: Waveform, answers: Sequence[str]) -> Markup:
    data = base64.b64encode(mp3_of(sound, RATE)).decode()
    choices = [
        tag(
            "label",
            tag("input", type="radio", name=entry.id, value=value),
            f" {said} ",
        )
        for value, said in [
            (entry.suggested, f"accept: {entry.suggested}"),
            *((answer, answer) for answer in answers if answer != entry.suggested),
            (REFUSED, REFUSED),
        ]
    ]
    where = f"{entry.recording}, {entry.start:.2f} to {entry.stop:.2f} s"
    return tag(
        "figure",
        tag("audio", controls="", src=f"data:audio/mpeg;base64,{data}"),
        tag("figcaption", tag("strong", in_words(entry)), f" {where}"),
        tag("p", join(choices)),
    )


def in_words(entry: MinedEntry) -> str:
    """Return what the mistake is."""
    if entry.listed is None:
        return f"{entry.heard} heard, nothing listed ({entry.sureness:.2f}):"
    if entry.heard is None:
        return f"{entry.listed} missed ({entry.sureness:.2f}):"
    return f"{entry.listed} missed, {entry.heard} heard ({entry.sureness:.2f}):"
