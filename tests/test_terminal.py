"""What every command shares: its JSON, its silence, and how it ends on a terminal."""

import io
import json
import math
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import soundfile
from rich.console import Console
from typer.testing import CliRunner

from kerasnas.cli import app, application
from kerasnas.flow.result import Result, plain
from tests.report.conftest import write_run

COMMANDS = [command.callback.__name__ for command in app.registered_commands]
HEADLINE = {"accuracy of [model].tflite": "84.0%", "bytes, of 150,000": "111,222", "ms": "3.21"}


@pytest.fixture
def recordings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("KERASNAS_DATA", raising=False)
    rng = np.random.default_rng(0)
    for label in ("cat", "dog"):
        for index in range(9):
            path = tmp_path / "data" / label / f"{index}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(path, 0.1 * rng.standard_normal(2000), 8000)
    return tmp_path / "data"


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_can_be_quiet_and_speak_json(command: str) -> None:
    name = command.replace("_", "-")
    shown = CliRunner().invoke(app, [name, "--help"], env={"COLUMNS": "200"}).output
    assert "--quiet" in shown
    assert "--json" in shown


def test_a_table_of_trials_is_not_printed_beside_its_json(tmp_path: Path) -> None:
    run = write_run(tmp_path / "kitchen")
    told = json.loads(CliRunner().invoke(app, ["trials", str(run), "--json"]).stdout)
    assert [trial["trial"] for trial in told["trials"]] == list(range(7))
    one = json.loads(CliRunner().invoke(app, ["trials", str(run), "--trial", "1", "--json"]).stdout)
    assert one["trial"]["accuracy"] == 0.9


def test_json_is_all_that_is_printed(recordings: Path) -> None:
    ended = CliRunner().invoke(app, ["init", str(recordings), "--json"])
    assert ended.exit_code == 0
    told = json.loads(ended.stdout)
    assert told["experiment"] == "experiment.yaml"
    assert told["said"][0] == "18 clips of 2 classes, 9 to 9 a class"
    again = CliRunner().invoke(app, ["init", str(recordings), "--json"])  # the file exists
    assert again.exit_code == 2
    assert "experiment.yaml exists" in json.loads(again.stdout)["error"]
    assert "error: experiment.yaml exists" in again.stderr
    said = CliRunner().invoke(app, ["init", str(recordings), "-o", "other.yaml", "--quiet"])
    assert "18 clips of 2 classes" in said.stdout  # quiet is about progress


@pytest.mark.parametrize("width", [40, 80, 140])
@pytest.mark.parametrize("good", [True, False])
def test_a_terminal_shows_a_panel(monkeypatch: pytest.MonkeyPatch, width: int, good: bool) -> None:
    screen = Console(file=io.StringIO(), force_terminal=True, width=width, soft_wrap=True)
    monkeypatch.setattr(application, "OUT", screen)
    application.show_headline(HEADLINE, "kitchen", good)
    text = screen.file.getvalue()
    assert ("\x1b[32m" in text, "\x1b[31m" in text) == (good, not good)
    lines = re.sub(r"\x1b\[[\d;]*m", "", text).splitlines()
    assert all(len(line) <= width for line in lines)
    assert all(number in "\n".join(lines) for number in HEADLINE.values())


def test_elsewhere_there_are_plain_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Console(file=io.StringIO(), width=20, soft_wrap=True)
    monkeypatch.setattr(application, "OUT", screen)
    application.show_headline(HEADLINE, "kitchen", True)
    expected = [f"{name}: {text}" for name, text in HEADLINE.items()]
    assert screen.file.getvalue().splitlines() == expected


@dataclass(frozen=True, repr=False)
class Some(Result):
    path: Path
    scores: np.ndarray
    best: float

    def facts(self) -> dict[str, str]:
        return {}


def test_a_result_is_plain_data() -> None:
    found = plain([Some(Path("a/b"), np.array([[1.5, math.nan]]), math.inf), {1: None}])
    assert found == [{"path": "a/b", "scores": [[1.5, None]], "best": None}, {"1": None}]
    json.dumps(found, allow_nan=False)
