"""What NSGA-II adds to our KerasTuner oracle."""

import pytest
from oracle_kinds import Tuner, score

from kerasnas.tuners import NSGA2Oracle, SearchError
from kerasnas.tuners.oracles import base as oracle


def make(max_trials=6, **settings):
    return NSGA2Oracle(("score", "max"), max_trials, **settings)


def end(made, trial):
    made.update_trial(trial.trial_id, {"score": score(trial.hyperparameters.values)})
    trial.status = "COMPLETED"
    made.end_trial(trial)


def test_synchronous_workers_are_idle_until_the_generation_has_ended(tmp_path, monkeypatch):
    monkeypatch.setattr(oracle, "IDLE_SECONDS", 0)
    settings = {"population": 2, "exploitation": 1, "synchronous": True}
    tuner = Tuner(make(**settings), tmp_path)
    made = tuner.oracle
    first, second = made.create_trial("a"), made.create_trial("b")
    end(made, first)
    assert [made.create_trial("a").status for _ in range(3)] == ["IDLE"] * 3
    assert made.create_trial("a").to_proto().status  # it can be sent to a worker
    assert made.tuner_ids == {"a", "b"}, "a worker that left would be waited for no longer"
    end(made, second)
    third = made.create_trial("a")
    assert (third.trial_id, third.status) == ("0002", "RUNNING")
    end(made, third)
    tuner.search(verbose=0)
    assert made.create_trial("b").status == "STOPPED"


def test_workers_of_a_search_that_is_over_are_stopped_and_not_idle(tmp_path):
    made = Tuner(make(1, synchronous=True), tmp_path).oracle
    made.create_trial("a")
    assert made.create_trial("b").status == "STOPPED"


@pytest.mark.parametrize(
    "changed",
    [
        {"population": 5},
        {"exploitation": 0.5},
        {"mutations": 1},
        {"variation": "published"},
        {"entrants": 2},
    ],
)
def test_other_settings_are_another_search(changed, tmp_path):
    settings = {"population": 4, "exploitation": (2, 9.5), "mutations": 2}
    Tuner(make(**settings), tmp_path).search(verbose=0)
    Tuner(make(7, **settings), tmp_path).search(verbose=0)
    with pytest.raises(SearchError, match=f"{next(iter(changed))}: .* there"):
        Tuner(make(**settings | changed), tmp_path)


def test_window_without_cost_is_refused():
    with pytest.raises(SearchError, match="pass cost=values -> size"):
        make(maximum=3)
