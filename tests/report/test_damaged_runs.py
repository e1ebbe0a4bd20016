"""The page of a run that has only begun, or of whose files some are damaged."""

import re

import pytest
from typer.testing import CliRunner

from kerasnas.cli import app
from kerasnas.errors import KerasnasError
from kerasnas.report import write
from kerasnas.runs.layout import RunPaths
from tests.report.conftest import describe
from tests.report.pages import Page


def test_a_run_that_has_only_begun_has_a_page(tmp_path):
    (tmp_path / "experiment.yaml").write_text("name: begun\n")
    page = Page(write(tmp_path))
    assert "No candidate has been scored yet." in page.text("genes")
    assert "No trial has been started yet." in page.text("trials")
    assert page.root.find("body/header/h1").text == "begun"


@pytest.mark.parametrize(
    ("name", "content", "section", "told"),
    [
        ("winners.json", "{", "summary", "winners.json cannot be read"),
        ("export/export.json", '{"schema": 2}', "export", "not of schema 1"),
        ("export/export.json", '{"schema": 1}', "export", "does not hold what it should"),
        ("search.json", "[]", "sizes", "5 candidates scored"),
        ("search.json", "[]", "sizes", "search.json is not of schema 1"),
        ("trials/0001/history.json", '{"schema": 1}', "curves", "does not hold what it should"),
        ("export/evaluation_int8.json", '{"schema": 1}', "held-out", "evaluation_int8.json"),
    ],
)
def test_a_damaged_part_costs_only_its_section(run, name, content, section, told):
    (run / name).write_text(content)
    page = Page(write(run))
    assert told in page.text(section)
    assert page.rows("trials", "The best 5 of 5")


def test_a_network_of_unknown_blocks_costs_only_its_section(run):
    class Unknown:
        def to_json(self):
            return {"input_shape": [8, 8, 1], "blocks": [{"kind": "x"}]}

    describe(Unknown()).write(RunPaths(run).winner("accuracy").description)
    page = Page(write(run))
    assert "unknown kind of block 'x'" in page.text("network")
    assert page.rows("trials", "The best 5 of 5")


@pytest.mark.parametrize(
    "name",
    [
        "winners/accuracy/evaluation.json",
        "winners/loss/history.json",
        "winners/accuracy/architecture.json",
        "trials/0001/history.json",
        "export/export.json",
        "export/evaluation_float16.json",
        "train/winner/folds.json",
        "search.json",
        "winners.json",
    ],
)
@pytest.mark.parametrize("damage", ["emptied", "changed"])
def test_a_file_that_cannot_be_read_is_said_at_the_top(run, name, damage):
    path = run / name
    text = path.read_text()
    last_digit = re.compile(r"(\d)(?=\D*$)")
    changed = last_digit.sub(lambda digit: str((int(digit[0]) + 1) % 10), text)
    assert changed != text
    path.write_text("" if damage == "emptied" else changed)
    page = Page(write(run))
    (said,) = page.section("damage").iter("li")
    assert said.text.startswith(f"{name} {'is empty' if damage == 'emptied' else 'was changed'}")
    assert next(page.root.iter("section")).attrib["id"] == "damage"


@pytest.mark.parametrize(
    "name",
    [
        "winners/accuracy/model.keras",
        "export/model_int8.tflite",
        "export/model_int8.cc",
        "trials.csv",
    ],
)
def test_an_emptied_file_is_said_on_the_page_and_on_the_screen(run, name):
    path = run / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("")
    (run / "trials" / "0001" / "log.txt").write_text("")  # of a trial that printed nothing
    (said,) = Page(write(run)).section("damage").iter("li")
    assert said.text.startswith(f"{name} is empty: restore it")
    result = CliRunner().invoke(app, ["report", str(run)])
    assert result.exit_code == 0
    assert f"warning: {path} is empty: restore it" in result.stderr
    assert "log.txt" not in result.stderr


def test_what_is_no_run_is_refused(tmp_path):
    with pytest.raises(KerasnasError, match="has no experiment.yaml"):
        write(tmp_path)
    (tmp_path / "experiment.yaml").write_text("a: [")
    with pytest.raises(KerasnasError, match="cannot be read"):
        write(tmp_path)


def test_a_damaged_table_of_trials_is_refused(run):
    lines = (run / "journal.jsonl").read_text().splitlines(keepends=True)
    (run / "journal.jsonl").write_text("".join([*lines[:3], "trial,status\n", *lines[3:]]))
    with pytest.raises(KerasnasError, match=r"journal\.jsonl, line 4 is damaged"):
        write(run)
