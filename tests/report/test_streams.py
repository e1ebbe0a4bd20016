"""Decisions over time in the report and on the card, from a record."""

from dataclasses import replace
from pathlib import Path

import pytest

from kerasnas.decisions import DecisionSettings
from kerasnas.report import write
from kerasnas.runs.layout import RunPaths
from kerasnas.runs.records import CurvePoint, StreamDecisions, StreamFigures, StreamPart
from tests.report.pages import Page

FIGURES = StreamFigures(20, 3, 0.75, 0.5, 1.0, 0.4, 0.02, 1.9, (0.5, 1.25))
FOUND = StreamDecisions(
    file="model_int8.tflite",
    sha256="0" * 64,
    asked=0.5,
    settings=DecisionSettings.untuned(("dog", "rain<b>"), 1.0),
    validation=StreamPart(2, 3.0, 3.0, ("kitchen",)),
    test=StreamPart(2, 5.0, 2.5, ("garden",)),
    all_classes=replace(FIGURES, events=25, misses=8),
    by_class={"dog": FIGURES, "rain<b>": replace(FIGURES, events=5), "cat": FIGURES},
    plain=replace(FIGURES, misses=12),
    silent=("cat",),
    curves={"dog": (CurvePoint(0.25, 4.0, 0), CurvePoint(0.75, 0.5, 3))},
    verdict="not proven",
)


def test_the_section_has_figures_a_curve_and_what_was_proven(run: Path) -> None:
    FOUND.write(RunPaths(run).streams)
    page = Page(write(run))
    text = page.text("streams")
    assert "Not proven: 2.50 distinct hours are too few to prove at most 0.5 false alarms" in text
    assert "5.99 hours without one are needed" in text
    assert "2 streams, 2.50 distinct hours (5.00 with repeats)" in text
    assert "No threshold keeps to it for cat, which make no events" in text
    rows = page.rows("streams", "On the streams that were measured on")
    assert rows[0] == [
        *("dog", "0.5", "20", "3", "0.75", "0.50", "0.40", "1.90", "0.50 s, 1.25 s"),
    ]
    assert rows[1][0] == "rain<b>"
    assert [row[0] for row in rows[2:]] == ["cat", "all", "all, by plain thresholds"]
    assert rows[2][1] == "none"
    assert page.pictures("streams") == 1


def test_the_card_has_the_verdict_and_the_table(run: Path) -> None:
    replace(FOUND, verdict="passed").write(RunPaths(run).streams)
    write(run)
    card = RunPaths(run).model_card.read_text()
    assert "**Proven: at most 1.90 false alarms an hour (95 % bound): 1 were heard" in card
    assert "| all |  | 25 | 8 | 0.75 |" in card
    assert "| rain\\<b\\> | 0.5 | 5 |" in card


@pytest.mark.parametrize("change", ["other file", "damage"])
def test_decisions_of_another_file_are_not_shown(run: Path, change: str) -> None:
    path = RunPaths(run).streams
    replace(FOUND, sha256="1" * 64).write(path)
    said = "Decisions were tuned for another model_int8.tflite"
    if change == "damage":
        path.write_text("{}")
        said = "streams.json is not of schema 1"
    page = Page(write(run))
    assert said in page.text("streams")
    assert "## On streams" not in RunPaths(run).model_card.read_text()


def test_a_run_without_streams_has_no_such_section(run: Path) -> None:
    assert Page(write(run)).root.find("body/main/section[@id='streams']") is None
