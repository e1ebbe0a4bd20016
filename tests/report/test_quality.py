"""What a page and a card say first of a network that is not good, and what they compare it with."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kerasnas.report import write
from kerasnas.runs import records
from kerasnas.runs.layout import RunPaths
from tests.report.conftest import CLASSES, HOSTILE, export_report, make_evaluation
from tests.report.pages import Page

WORSE = records.FindingEntry("baseline", True, f"The network is worse than always {HOSTILE}")
DROPS = records.FindingEntry("drop", True, "Accuracy drops")
FEW = records.FindingEntry("few", False, "Too few test clips (20) for a sure figure")


def passing(run: Path) -> None:
    """Replace the export's checks by one that passed, and its files by such that fit."""
    check = records.CheckEntry("budget", "model_int8.tflite", "passed", 1, 2, "within")
    report = export_report()
    files = {"int8": report.files["int8"]}
    replace(report, checks=(check,), files=files).write(RunPaths(run).export.report)


def write_findings(run: Path, **precisions: tuple[records.FindingEntry, ...]) -> None:
    records.Findings(precisions).write(RunPaths(run).findings)


def write_baselines(run: Path) -> None:
    part = records.BaselineScores(
        np.array([0.2, 0.5, 0.3]),
        {"accuracy": 0.35, "loss": 1.1},
        {"accuracy": 0.333, "loss": 1.1},
        make_evaluation(12),
    )
    suspect = records.SuspectEntry(f"{HOSTILE}.wav", (CLASSES[0],), (HOSTILE,), 0.61)
    baselines = records.Baselines("0a", None, 0.3, {"test": part}, (suspect,), 7)
    baselines.write(RunPaths(run).baselines)


def result(page: Page) -> str:
    """What the page says first."""
    return page.text("summary").removeprefix("Result")


def test_a_serious_finding_stands_first_and_no_tick_beside_it(run: Path) -> None:
    passing(run)
    assert "✓" in Page(write(run)).source
    write_findings(run, float32=(WORSE, FEW), int8=(WORSE,))
    page = Page(write(run))
    assert result(page).startswith(f"✗ {WORSE.sentence}.")
    assert "✓" not in page.source
    assert page.text("summary").count(WORSE.sentence) == 1  # said once, not by every file
    assert f"? {FEW.sentence}." in page.text("summary")
    card = RunPaths(run).model_card.read_text(encoding="utf-8")
    escaped = WORSE.sentence.replace("<", "\\<").replace(">", "\\>")
    _, _, text = card.split("---\n", 2)  # behind the hub's header
    assert text.strip().splitlines()[2] == f"- **Warning**: {escaped}."


@pytest.mark.parametrize("damaged", [False, True])
def test_a_network_that_was_not_reviewed_has_no_tick(run: Path, damaged: bool) -> None:
    passing(run)
    RunPaths(run).findings.unlink()
    if damaged:
        RunPaths(run).findings.write_text("{")
    assert "✓" not in Page(write(run)).source


def test_a_finding_of_a_file_alone_names_it(run: Path) -> None:
    passing(run)
    write_findings(run, float32=(), int8=(DROPS,))
    page = Page(write(run))
    assert result(page).startswith("✗ int8 file: Accuracy drops.")
    assert "✓" not in page.source


def test_a_caveat_takes_no_ticks_away(run: Path) -> None:
    passing(run)
    write_findings(run, float32=(FEW,), int8=(FEW,))
    page = Page(write(run))
    assert result(page).startswith(f"? {FEW.sentence}.")
    assert "✓" in page.source


def test_baselines_stand_beside_the_scores(run: Path) -> None:
    write_baselines(run)
    page = Page(write(run))
    text = page.text("summary")
    assert "logistic regression60.0 %" in text
    assert f"always {CLASSES[1]}: 35.0 %" in text
    rows = {row[0]: row for row in page.rows("held-out", "Scores on 20 held-out clips")}
    assert rows["logistic regression"][2] == "60.0 %"
    assert rows[f"always {CLASSES[1]}"][2] == "35.0 %"
    assert rows["chance"][2] == "33.3 %"
    card = RunPaths(run).model_card.read_text(encoding="utf-8")
    assert "| logistic regression | 60.0" in card


def test_suspected_labels_are_a_table(run: Path) -> None:
    write_baselines(run)
    page = Page(write(run))
    assert page.rows("labels", "Training clips to listen to") == [
        [f"{HOSTILE}.wav", CLASSES[0], HOSTILE, "0.61"]
    ]
    assert "1 of 7" in page.text("labels")


def test_recipes_are_compared(run: Path) -> None:
    entries = (
        records.RecipeEntry("none", "recipes/none", {"accuracy": 0.7}, 0.3, 0.2, 0.05, 12.0),
        records.RecipeEntry("light", "recipes/light", {"accuracy": 0.9}, 0.1, 0.0, 0.0, 12.0),
        records.RecipeEntry("strong", "recipes/strong", {}, None, None, None, None),
    )
    chosen = {"augmentation": {}, "sampling": "natural"}
    record = records.Recipes("0a", "99 parameters", 80, 5, 20, entries, "light", chosen)
    record.write(RunPaths(run).recipes)
    page = Page(write(run))
    rows = page.rows("recipes", "Recipes on the validation clips")
    assert rows[0] == ["none", "0.300", "0.200 ± 0.050", "70.0 %"]
    assert rows[2][:2] == ["strong", "failed"]
    marked = [row.attrib.get("class") for row in page.section("recipes").iter("tr")]
    assert marked == [None, None, "marked", None]
    assert "for 5 epochs, of 20 of a final training" in page.text("recipes")
    assert "within one standard error (±) of the best is used" in page.text("recipes")
    text = (run / "experiment.yaml").read_text()
    split = "split:\n  by: split\n  validation: test_list\n"
    (run / "experiment.yaml").write_text(split + text[text.index("search:") :])
    chosen = "the architecture and the recipe were chosen on the same clips"
    assert chosen in Page(write(run)).text("selection")
    assert "Ways to draw" not in page.text("recipes")
    assert "The recipe (augmentation, and how classes are drawn)" in page.text("selection")


def test_recipes_are_compared_in_two_steps_where_classes_differ(run: Path) -> None:
    entries = tuple(
        records.RecipeEntry(name, f"recipes/{name}", {}, 0.3, 0.0, 0.0, 12.0)
        for name in ("none", "none + balanced", "light + balanced")
    )
    chosen = {"augmentation": {}, "sampling": "balanced"}
    record = records.Recipes("0a", "99 parameters", 80, 5, 5, entries, "none + balanced", chosen)
    record.write(RunPaths(run).recipes)
    assert "Ways to draw the classes were compared first" in Page(write(run)).text("recipes")


@pytest.mark.parametrize("name", ["findings", "baselines", "recipes"])
def test_a_damaged_record_is_said_at_the_top(run: Path, name: str) -> None:
    write_baselines(run)
    write_findings(run, float32=(FEW,))
    path: Path = getattr(RunPaths(run), name)
    path.write_text("{")
    page = Page(write(run))
    assert path.name in page.text("damage")
    assert "Trial 1 was chosen" in page.text("summary")


def entry(label: str | None, answer: str | None, **fields: Any) -> records.ExcerptEntry:
    given = {"start": None, "stop": None, "mp3": None, "png": "iVBORw0KGgo="} | fields
    return records.ExcerptEntry(f"{HOSTILE}.wav", label, answer, 0.75, **given)


def test_mistakes_are_seen_and_heard(run: Path) -> None:
    entries = (
        entry(CLASSES[0], HOSTILE, start=0.5, stop=2.0, mp3="SUQz"),
        entry(CLASSES[0], None),
        entry(None, CLASSES[1]),
        entry(CLASSES[1], CLASSES[1], png=None),
    )
    records.Excerpts("0a", True, 3, entries).write(RunPaths(run).excerpts)
    page = Page(write(run))
    section = page.section("mistakes")
    assert [each.attrib["src"] for each in section.iter("audio")] == ["data:audio/mpeg;base64,SUQz"]
    assert len(list(section.iter("img"))) == 3
    text = page.text("mistakes")
    assert f"{CLASSES[0]} taken for {HOSTILE} (0.75): {HOSTILE}.wav, from 0.5 to 2.0 s" in text
    assert f"{CLASSES[0]} missed (0.75)" in text
    assert f"{CLASSES[1]}: right, but only just (0.75)" in text
    assert "media-src data:" in page.source
    assert "SUQz" not in RunPaths(run).model_card.read_text(encoding="utf-8")


def test_a_page_without_recordings_says_how_to_hear_them(run: Path) -> None:
    records.Excerpts("0a", False, 1, (entry(CLASSES[0], HOSTILE),)).write(RunPaths(run).excerpts)
    page = Page(write(run))
    assert "<audio" not in page.source
    assert "report.audio is false" in page.text("mistakes")
