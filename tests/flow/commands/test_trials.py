"""The table of trials, and which candidates' models are kept."""

import csv
import io
import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from rich.console import Console, RenderableType
from typer.testing import CliRunner

from kerasnas.cli import app
from kerasnas.errors import KerasnasError
from kerasnas.experiment import Experiment
from kerasnas.flow.commands.trials import table
from kerasnas.flow.stages.trials import Book
from kerasnas.flow.task.opening import open_run
from kerasnas.runs.layout import RunPaths
from kerasnas.runs.records import ControllerCurve, SearchState
from kerasnas.tuners import Gene, Search
from kerasnas.tuners.runners.base import Finished

EXPERIMENT = Experiment.model_validate({"name": "mine", "search": {"keep_models": 3}})


@pytest.fixture
def search(tmp_path: Path) -> Iterator[Search]:
    genes = [Gene("width", values=tuple(range(8)))]
    objectives = [("accuracy", "max"), ("loss", "min")]
    with (
        open_run(tmp_path, EXPERIMENT),
        Search(genes, objectives, max_trials=8, directory=tmp_path) as search,
    ):
        yield search


def ask(search: Search) -> str:
    trial = search.ask()
    assert trial is not None
    return trial.id


def call(*arguments: str | Path, code: int = 0) -> str:
    result = CliRunner().invoke(app, ["trials", *map(str, arguments)])
    assert result.exit_code == code, result.output
    return result.output


def test_scores_that_were_not_finite_are_left_empty(search: Search, tmp_path: Path) -> None:
    for score, test in ((0.5, float("nan")), (0.25, 0.75)):
        search.tell(ask(search), {"accuracy": score, "loss": 1 - score, "test_accuracy": test})
    lines = call(tmp_path).splitlines()
    first, second = (line.split() for line in lines if "completed" in line)
    assert "*0" in first
    assert "0.5000" in first
    assert "nan" not in first
    assert {"1", "0.2500", "0.7500"} <= set(second)


def test_a_trial_that_failed_says_why(search: Search, tmp_path: Path) -> None:
    search.fail(ask(search), "ValueError: [no] good", 'Traceback: File "x.py", line 3')
    search.tell(ask(search), {"accuracy": 0.5, "loss": 1.0}, {"parameters": 1234})
    table = call(tmp_path)
    assert "failed" in table
    assert "ValueError: [no] good" in table
    assert all(f"width={trial.values['width']}" in table for trial in search.trials)
    whole = call(tmp_path, "--trial", "0")
    assert "why it failed: ValueError: [no] good" in whole
    assert whole.endswith('Traceback: File "x.py", line 3\n')
    assert "parameters: 1234" in call(tmp_path, "--trial", "1").splitlines()
    assert "has no trial 2: there are 2, from 0" in call(tmp_path, "--trial", "2", code=2)


def test_the_best_models_by_each_score_in_turn_are_kept(search: Search, tmp_path: Path) -> None:
    book = Book(tmp_path, search, EXPERIMENT)
    for accuracy, loss in ((0.5, 0.9), (0.4, 0.1), (0.3, 0.8), (0.6, 0.7), (0.2, 0.2)):
        id = ask(search)
        model = tmp_path / "trials" / id / "fold1" / "model.keras"
        model.parent.mkdir(parents=True)
        model.write_text("a network")
        metrics = {"accuracy": accuracy, "loss": loss}
        search.tell(id, metrics)
        book.on_event(Finished(id, 0, {"metrics": metrics}, 1.0, 1))
    book.close()
    kept = {path.parts[-3] for path in (tmp_path / "trials").rglob("model.keras")}
    assert kept == {"0003", "0001", "0000"}  # accuracy 0.6, loss 0.1, accuracy 0.5
    with RunPaths(tmp_path).table.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["front"] for row in rows] == ["", "yes", "", "yes", ""]


def test_models_that_a_kill_left_half_written_are_deleted(search: Search, tmp_path: Path) -> None:
    half = tmp_path / "trials" / "0000" / ".123-model.keras"
    half.parent.mkdir(parents=True)
    half.write_text("half a netw")
    Book(tmp_path, search, EXPERIMENT)
    assert not half.exists()


def test_of_a_run_that_is_deleted_meanwhile_nothing_is_written_again(tmp_path: Path) -> None:
    run = tmp_path / "run"
    genes = [Gene("width", values=tuple(range(8)))]

    def work() -> None:
        with (
            open_run(run, EXPERIMENT),
            Search(genes, [("accuracy", "max")], max_trials=8, directory=run) as search,
            closing(Book(run, search, EXPERIMENT)),
        ):
            id = ask(search)
            shutil.rmtree(run)
            search.tell(id, {"accuracy": 0.5})

    with pytest.raises(KerasnasError, match="run was deleted, moved or replaced"):
        work()
    assert not run.exists()


def test_an_interrupt_writes_nothing_into_a_run_that_was_deleted(tmp_path: Path) -> None:
    run = tmp_path / "run"
    with Search([Gene("x", values=(1, 2))], [("accuracy", "max")], max_trials=2, directory=run) as (
        search
    ):
        book = Book(run, search, EXPERIMENT)
        shutil.rmtree(run)
        book.close()
    assert not run.exists()


def test_a_damaged_journal_is_named_and_repaired(search: Search, tmp_path: Path) -> None:
    path = RunPaths(tmp_path).journal
    for score in (0.5, 0.25):
        search.tell(ask(search), {"accuracy": score, "loss": 1 - score})
    search.close()
    assert "lines are sound; nothing was changed" in call(tmp_path, "--repair")
    damaged = path.read_bytes().replace(b"0.25", b"0.95")
    path.write_bytes(damaged)
    line = next(n for n, text in enumerate(damaged.split(b"\n"), 1) if b"0.95" in text)
    for options in ((), ("--trial", "0")):
        said = call(tmp_path, *options, code=2)
        assert f"{path}, line {line} is damaged" in said
        assert "kerasnas trials RUN --repair" in said
    said = call(tmp_path, "--repair")
    assert f"kept {line - 1} lines and dropped" in said
    copy = path.with_name("journal.jsonl.damaged")
    assert str(copy) in said
    assert copy.read_bytes() == damaged
    whole = call(tmp_path)
    assert "0.5000" in whole and "0.2500" not in whole and "0.9500" not in whole


def test_how_a_search_stands_is_kept_with_its_headline_gene(search: Search, tmp_path: Path) -> None:
    search.tell(ask(search), {"accuracy": 0.5, "loss": 0.5})
    Book(tmp_path, search, EXPERIMENT, "width").close()
    found = SearchState.read(RunPaths(tmp_path).search)
    assert (found.proposed, found.rejected, found.front) == (1, 0, (0,))
    assert found.objectives == (("accuracy", "max"), ("loss", "min"))
    assert found.headline_gene == "width"


def test_what_a_controller_learned_is_kept_with_its_own_choice(tmp_path: Path) -> None:
    settings = {"name": "controller", "budget": 8, "settled": 2, "batch": 2}
    experiment = Experiment.model_validate({"name": "mine", "search": {"oracle": settings}})
    genes = [Gene("width", values=tuple(range(8)))]
    oracle = experiment.search.oracle.propose()
    with (
        open_run(tmp_path, experiment),
        Search(
            genes, [("accuracy", "max")], max_trials=8, directory=tmp_path, propose=oracle
        ) as search,
    ):
        for done in range(5):
            search.tell(ask(search), {"accuracy": done / 10})
            Book(tmp_path, search, experiment).close()
            found = ControllerCurve.read(RunPaths(tmp_path).controller)
            assert len(found.curve) == (done + 1) // 2
            assert (found.most_probable is None) == (done == 0)
        assert found.most_probable is not None
        assert found.most_probable.values["width"] in range(8)
        assert 1 / 8 <= found.most_probable.probability <= 1


def test_no_word_is_broken_on_a_screen_of_80_columns(search: Search, tmp_path: Path) -> None:
    names = ["accuracy", "loss", "macs", "parameters", "test_accuracy"]
    scores = dict.fromkeys(names, 123456.78) | {"macs": 1_234_567_890}
    search.tell(ask(search), scores, {"int8_bytes": 123456})
    search.fail(ask(search), "ValueError: an_explanation_of_some_length was met")
    words = printed(table(tmp_path, 80), 80).split()
    figures = {"completed", "failed", "accuracy", "1,234,567,890", "123456.7800"}
    assert {*figures, "an_explanation_of_some_length"} <= {*words}
    assert {f"width={trial.values['width']}" for trial in search.trials} <= {*words}


def printed(what: RenderableType, width: int) -> str:
    console = Console(width=width, file=io.StringIO())
    console.print(what)
    return console.file.getvalue()
