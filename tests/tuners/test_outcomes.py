"""What a search is told of its trials: results, failures, retries, lost runs, and their ranks."""

import math

import numpy as np
import pytest

from kerasnas.tuners import Results, Search, SearchError
from tests.tuners.small_search import GENES, make, score, values


@pytest.mark.parametrize(
    ("metrics", "received"),
    [
        ({"accuracy": math.nan, "loss": 1.0}, "received nan"),
        ({"accuracy": math.inf, "loss": 1.0}, "received inf"),
        ({"accuracy": None, "loss": 1.0}, "received None"),
        ({"loss": 1.0}, "received only loss"),
    ],
)
def test_an_objective_without_a_finite_value_fails_the_trial(metrics, received):
    search = make()
    trial = search.tell(search.ask().id, metrics)
    assert trial.status == "failed"
    assert trial.message.startswith("no finite value for the objective 'accuracy'")
    assert trial.message.endswith(received)


def test_other_metrics_may_be_missing(tmp_path):
    with make(tmp_path) as search:
        metrics = {"accuracy": np.float32(0.5), "loss": 1, "auc": math.nan}
        trial = search.tell(search.ask().id, metrics, {"curve": np.arange(2), "nan": math.nan})
    assert trial.metrics == {"accuracy": 0.5, "loss": 1, "auc": None}
    assert trial.info == {"curve": [0, 1], "nan": None}
    assert Results.read(tmp_path).trials == (trial,)


def test_failure_keeps_its_reason_and_traceback(tmp_path):
    with make(tmp_path) as search:
        search.fail(search.ask().id, "out of memory", "Traceback ...", {"cause": "memory"})
    (trial,) = Results.read(tmp_path).trials
    assert (trial.status, trial.message, trial.traceback) == (
        "failed", "out of memory", "Traceback ...",
    )  # fmt: skip
    assert trial.info == {"cause": "memory"}


def test_a_retry_keeps_the_values_and_replaces_the_result():
    search = make(max_retries=2)
    first = search.ask()
    assert search.fail(first.id, "crash").status == "waiting"
    again = search.ask()
    assert (again.id, again.values, again.attempt) == (first.id, first.values, 1)
    done = search.tell(again.id, {"accuracy": 0.5, "loss": 1.0})
    assert (done.status, done.message, done.metrics["accuracy"]) == ("completed", None, 0.5)
    assert search.ask().id == "0001"


def test_retries_end_and_may_be_refused():
    search = make(max_retries=1, max_consecutive_failures=None)
    ids = []
    while len(ids) < 4:
        trial = search.ask()
        ids.append(trial.id)
        search.fail(trial.id, "crash", retry=trial.id != "0001")
    assert ids == ["0000", "0000", "0001", "0002"]


def test_the_order_in_which_trials_ended_is_kept():
    search = make(max_retries=1, max_consecutive_failures=None)
    trials = [search.ask() for _ in range(4)]
    search.tell(trials[2].id, score(trials[2].values))
    search.fail(trials[0].id, "crash")
    search.requeue(trials[1].id)
    search.fail(trials[3].id, "crash", retry=False)
    assert search.history.ended == ["0002", "0003"]
    again = search.ask()
    search.tell(again.id, score(again.values))
    assert search.history.ended == ["0002", "0003", "0000"]


def test_a_lost_run_is_run_again_and_not_counted():
    search = make()
    first = search.ask()
    search.requeue(first.id)
    again = search.ask()
    assert (again.id, again.attempt) == (first.id, 0)


@pytest.mark.parametrize("action", ["tell", "fail", "requeue"])
def test_only_running_trials_can_end(action):
    search = make()
    search.tell(search.ask().id, score(values()))
    arguments = {"tell": [score(values())], "fail": ["why"], "requeue": []}[action]
    with pytest.raises(SearchError, match="trial 0000 is completed, not running"):
        getattr(search, action)("0000", *arguments)
    with pytest.raises(SearchError, match="no trial '0009': there are 1"):
        getattr(search, action)("0009", *arguments)


def test_ranking_and_front_keep_objectives_apart():
    search = make(max_trials=4)
    for accuracy, loss in [(0.9, 3.0), (0.5, 1.0), (0.8, 2.0), (0.7, 2.5)]:
        search.tell(search.ask().id, {"accuracy": accuracy, "loss": loss})
    assert [t.number for t in search.ranking()] == [0, 2, 3, 1]
    assert [t.number for t in search.ranking("loss")] == [1, 2, 3, 0]
    assert [t.number for t in search.pareto_front()] == [0, 1, 2]
    # Against accuracy 0 and loss 4: 0.9 * 1 + 0.8 * 1 + 0.5 * 1
    assert search.hypervolume([0, 4]) == pytest.approx(2.2)
    with pytest.raises(SearchError, match="no objective 'auc': there are accuracy, loss"):
        search.ranking("auc")


def test_feasible_trials_come_first():
    search = make(max_trials=3)
    for accuracy, violation in [(0.9, 2.0), (0.5, 0.0), (0.8, 1.0)]:
        search.tell(search.ask().id, {"accuracy": accuracy, "loss": 1.0}, violation=violation)
    assert [t.number for t in search.ranking()] == [1, 2, 0]
    assert [t.number for t in search.pareto_front()] == [1]
    assert search.best().number == 1


@pytest.mark.parametrize(
    "objectives", [[], [("a", "max"), ("a", "min")], [("a", "up")]], ids=["none", "twice", "up"]
)
def test_wrong_objectives_are_named(objectives):
    with pytest.raises(SearchError, match="objective"):
        Search(GENES, objectives, max_trials=1)
