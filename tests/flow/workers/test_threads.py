"""A training computes the same whatever happened on the way, and however many run beside it."""

import hashlib
from pathlib import Path
from types import SimpleNamespace

import pytest
from rich.console import Console

from kerasnas.errors import KerasnasError
from kerasnas.experiment import Experiment
from kerasnas.flow.stages.candidates import score_candidates
from kerasnas.flow.stages.winner_rules import choose_winners
from kerasnas.flow.stages.winner_trainings import train_winners
from kerasnas.flow.task.opening import open_run
from kerasnas.flow.task.session import Session
from kerasnas.flow.task.task import load_task
from kerasnas.flow.workers import pool
from kerasnas.flow.workers.threads import take_over_threads
from tests.flow.conftest import SMALL


@pytest.fixture
def workers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Says how many workers of how many threads `trials` get on a machine of so many cores."""

    def opened(cores: int, run: Path = tmp_path, group: str = "trials", **given) -> tuple[int, int]:
        monkeypatch.setattr(pool, "available_cores", lambda: cores)
        names = ("planned", "left", "resident")
        how = {name: given.pop(name) for name in names if name in given}
        experiment = Experiment.model_validate({"name": "x", "search": given})
        session = Session(run, SimpleNamespace(experiment=experiment), run, None, Console())
        with pool.open_workers(session, group, **how) as runner:
            return runner.slots, runner.settings.threads

    return opened


def test_the_first_start_decides_how_many_threads_a_trial_has(workers) -> None:
    assert workers(8, workers=4) == (4, 2)
    assert workers(8, workers=1) == (1, 2)
    assert workers(8, workers=6) == (6, 2)
    assert workers(8) == (4, 2)
    assert workers(2) == (1, 2)  # a smaller machine
    assert workers(1) == (1, 2)


def test_the_last_trials_have_as_many_threads_as_the_first(workers, tmp_path: Path) -> None:
    assert workers(2, left=1) == (1, 1)
    assert workers(2, left=3) == (2, 1)
    assert workers(2, tmp_path / "undisturbed", left=3) == (2, 1)


def test_a_group_of_few_trainings_shares_all_cores_whichever_are_left(workers) -> None:
    assert workers(8, group="winners", planned=2, left=1) == (1, 4)
    assert workers(8, group="winners", planned=2, left=2) == (2, 4)
    assert workers(8, group="train/model_a", planned=1, left=1) == (1, 8)
    assert workers(8, group="train/model_a", planned=10, left=9) == (1, 8)


def test_threads_that_are_asked_for_are_not_changed_later(workers, tmp_path: Path) -> None:
    assert workers(8, threads=2) == (4, 2)
    assert workers(8) == (4, 2)
    with pytest.raises(KerasnasError, match=r"threads is 3, and .* began its trials with 2 .*null"):
        workers(8, threads=3)


def test_what_stays_in_memory_has_all_cores(workers) -> None:
    assert workers(4, resident=True) == (1, 4)


def test_a_search_beside_another_has_its_threads(workers, tmp_path: Path) -> None:
    workers(8, workers=2)
    take_over_threads(tmp_path / "random", tmp_path)
    assert workers(2, tmp_path / "random") == (1, 4)


@pytest.mark.slow
def test_a_search_resumed_at_every_trial_ends_as_an_undisturbed_one(
    workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, in_processes: bool
) -> None:
    def go_on(run: Path, trials: int, workers: int, cores: int) -> None:
        monkeypatch.setattr(pool, "available_cores", lambda: cores)
        search = {**SMALL["search"], "trials": trials, "workers": workers}
        search["winners"] = {"accuracy": {"by": "accuracy"}}
        training = {"candidate": {"epochs": 1, "batch_size": 8}, "final": {"epochs": 2}}
        experiment = Experiment.model_validate({**SMALL, "search": search, "training": training})
        with open_run(run, experiment):
            task = load_task(experiment)
            session = Session(run, task, workspace / "cache", None, Console(quiet=True))
            results = score_candidates(session)
            if trials == 3 and in_processes:
                train_winners(session, choose_winners(results, experiment))
            scores[run.name] = [(trial.values, dict(trial.metrics)) for trial in results.trials]

    scores: dict[str, list] = {}
    undisturbed, resumed = tmp_path / "undisturbed", tmp_path / "resumed"
    go_on(undisturbed, 3, workers=2, cores=2)
    for trials, side_by_side, cores in ((1, 2, 2), (2, 2, 1), (3, 1, 2)):
        go_on(resumed, trials, side_by_side, cores)
    assert scores["resumed"] == scores["undisturbed"]
    trained = 3 + in_processes
    assert len(weights(undisturbed)) == trained
    assert weights(resumed) == weights(undisturbed)


def weights(run: Path) -> dict[str, str]:
    """Digests of the weights of all candidates and winners, by their directory."""
    import keras

    found = {}
    for path in sorted(run.glob("*/*/model.keras")):
        model = keras.saving.load_model(path, compile=False)
        content = b"".join(weight.tobytes() for weight in model.get_weights())
        found[path.parent.name] = hashlib.sha256(content).hexdigest()
    return found
