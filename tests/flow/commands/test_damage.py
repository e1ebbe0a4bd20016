"""Files of a run that are emptied, altered or lost: made again where they can be, else refused."""

import shutil
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from types import SimpleNamespace

import pytest
from rich.console import Console

from kerasnas.errors import DamagedError
from kerasnas.flow.commands.search import SearchResult, search
from kerasnas.flow.stages import export_network as exporting
from kerasnas.flow.task.opening import read_experiment
from kerasnas.flow.task.session import Session
from kerasnas.flow.task.task import load_task
from kerasnas.flow.workers.pool import prepare_training
from kerasnas.flow.workers.threads import fix_threads
from kerasnas.runs.layout import ExportPaths, RunPaths, TrainingPaths
from kerasnas.runs.records import Description, Threads
from tests.command_line import refused
from tests.report.conftest import make_evaluation

DESCRIPTION = Description({"blocks": []}, {"epochs": 3}, seed=1)


def alter(path: Path) -> None:
    """Change one digit, and nothing else."""
    content = path.read_bytes()
    at = max(content.rfind(digit) for digit in (b"1", b"2", b"5", b"7"))
    path.write_bytes(content[:at] + b"3" + content[at + 1 :])


def empty(path: Path) -> None:
    path.write_bytes(b"")


damages = pytest.mark.parametrize("damage", [alter, empty])


class Screen(Console):
    """A console of any width, and what was printed there."""

    def __init__(self) -> None:
        super().__init__(file=StringIO(), width=1000)

    @property
    def text(self) -> str:
        return self.file.getvalue()


@pytest.fixture
def training(tmp_path: Path) -> TrainingPaths:
    """A training that was trained and scored."""
    training = TrainingPaths(tmp_path / "training")
    DESCRIPTION.write(training.description)
    make_evaluation().write(training.evaluation)
    training.model.write_text("weights")
    return training


def prepare(training: TrainingPaths, description: Description = DESCRIPTION) -> tuple[bool, str]:
    screen = Screen()
    session = Session(training.path, SimpleNamespace(), training.path, None, screen)
    return prepare_training(session, training, description), screen.text


def test_a_whole_training_is_left_alone(training: TrainingPaths) -> None:
    assert prepare(training) == (False, "")
    assert training.model.read_text() == "weights"


@damages
@pytest.mark.parametrize("name", ["evaluation", "description"])
def test_a_training_whose_record_is_damaged_is_done_again_and_says_so(
    training: TrainingPaths, name: str, damage: Callable[[Path], None]
) -> None:
    path = getattr(training, name)
    damage(path)
    again, said = prepare(training)
    assert again
    assert str(path) in said
    assert "it is made again" in said
    assert not training.model.exists()
    assert Description.read(training.description) == DESCRIPTION


def test_what_is_lost_or_of_another_network_is_trained_without_a_word(
    training: TrainingPaths,
) -> None:
    other = Description({"blocks": [1]}, {"epochs": 3}, seed=1)
    assert prepare(training, other) == (True, "")
    assert prepare(training, other) == (True, "")  # not trained since


@damages
def test_threads_that_nobody_knows_any_more_are_refused(
    tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    assert fix_threads(tmp_path, "trials", None, 2) == 2
    path = RunPaths(tmp_path).threads
    assert Threads.read(path).threads == {"trials": 2}
    damage(path)
    with pytest.raises(DamagedError, match=r"threads\.json .*: .*delete it and run"):
        fix_threads(tmp_path, "trials", None, 2)


def contents(run: Path) -> dict[str, bytes]:
    """Every file of a run but those that tell of times and of the processes that worked in it."""
    paths = RunPaths(run)
    passing = {paths.journal, paths.lock, paths.search, paths.report}
    files = (path for path in run.rglob("*") if path.is_file() and path not in passing)
    return {
        str(path.relative_to(run)): path.read_bytes()
        for path in files
        if not path.is_relative_to(paths.tensorboard)
    }


def times(run: Path) -> dict[Path, int]:
    """When files were written that nothing but work can make."""
    paths = RunPaths(run)
    names = ("*.keras", "*.tflite", "evaluation*.json", "architecture.json", "history.json")
    made = [path for name in names for path in run.rglob(name)]
    return {path: path.stat().st_mtime_ns for path in [*made, paths.winners, paths.export.report]}


def again(run: Path) -> tuple[SearchResult, str]:
    screen = Screen()
    return search("small.yaml", run=run, console=screen), screen.text


@pytest.fixture
def run(searched: Path, tmp_path: Path) -> Path:
    """A copy of a finished search, whose files keep their times."""
    return shutil.copytree(searched, tmp_path / "run")


@pytest.mark.slow
def test_a_finished_search_run_again_does_nothing_twice_and_mends_what_is_derived(
    run: Path,
) -> None:
    paths, before, written = RunPaths(run), contents(run), times(run)
    result, said = again(run)
    assert contents(run) == before
    assert times(run) == written
    for path in (paths.table, paths.search, paths.report, paths.model_card):
        path.write_bytes(b"")
    paths.table.unlink()
    alter(paths.winners)
    mended, mending = again(run)
    assert contents(run) == before
    assert paths.search.stat().st_size and paths.report.stat().st_size
    del written[paths.winners]
    assert {path: time for path, time in times(run).items() if path in written} == written
    assert mended.scores == result.scores
    for text in (said, mending):
        assert "Training" not in text and "Exporting" not in text
    assert f"{paths.winners} was changed after it was written" in mending


@pytest.mark.slow
def test_a_winner_whose_scores_were_altered_is_trained_and_exported_again(run: Path) -> None:
    paths = RunPaths(run)
    evaluation = paths.winner("accuracy").evaluation
    known = evaluation.read_bytes()
    alter(evaluation)
    _, said = again(run)
    assert f"{evaluation} was changed after it was written" in said
    assert "with the final recipe" in said
    assert evaluation.read_bytes() == known  # the same network, trained the same


@damages
@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        "export.json",
        "made_from.json",
        "features.json",
        "evaluation_int8.json",
        "model_int8.tflite",
        "labels.txt",
    ],
)
def test_an_export_that_is_not_whole_is_made_again_and_says_so(
    searched: Path,
    workspace: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    damage: Callable[[Path], None],
) -> None:
    made = []
    monkeypatch.setattr(exporting, "export_network", lambda *given: made.append(given))
    paths = ExportPaths(shutil.copytree(RunPaths(searched).export.path, tmp_path / "export"))
    task, screen = load_task(read_experiment(searched)), Screen()
    train, _, test = task.final_parts(None)
    session = Session(searched, task, workspace / "cache", None, screen)
    model = RunPaths(searched).winner("accuracy").model
    exporting.export_missing(session, model, paths, train, test)
    assert not made
    assert screen.text == ""
    if name == "labels.txt":
        paths.labels.write_text("" if damage is empty else "alarm\nspeech\nhum\n")
    else:
        damage(paths.path / name)
    exporting.export_missing(session, model, paths, train, test)
    assert made
    assert str(paths.path / name) in screen.text


@pytest.mark.slow
@pytest.mark.parametrize("command", ["predict", "evaluate", "benchmark"])
def test_a_file_that_is_not_the_exported_one_is_refused(
    run: Path, workspace: Path, command: str
) -> None:
    path = run / "export" / "model_int8.tflite"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    recordings = [next((workspace / "cache" / "data").rglob("*.wav"))]
    said = refused(command, path, *(recordings if command == "predict" else []))
    assert f"{path} is not the file that was exported: {RunPaths(run).export.report}" in said


@damages
@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "name"),
    [
        ("export", "winners.json"),
        ("export", "architecture.json"),
        ("train", "winners.json"),
        ("train", "architecture.json"),
        ("evaluate", "evaluation.json"),
        ("evaluate", "architecture.json"),
    ],
)
def test_a_record_that_decides_is_refused_by_name_with_a_remedy(
    run: Path, command: str, name: str, damage: Callable[[Path], None]
) -> None:
    training = RunPaths(run).winner("accuracy")
    path = run / name if name == "winners.json" else training.path / name
    damage(path)
    said = refused(command, training.model if command == "evaluate" else run)
    if name == "winners.json" and damage is empty:
        assert f"{run} has no chosen network yet: let `kerasnas search` end there first" in said
    else:
        assert str(path) in said
        assert "delete it and run" in said
