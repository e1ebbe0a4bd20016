"""What our oracles add to KerasTuner's contract, under a stock tuner."""

import subprocess
import sys

import keras_tuner
import pytest

from kerasnas.tuners import SearchError, SizeConstrainedRandomOracle


def space(hp):
    hp.Int("units", 1, 50)
    hp.Int("layers", 1, 4)


def cost(values):
    return values["units"] * values["layers"]


def metrics(trial):
    values = trial.hyperparameters.values
    return {"score": values["units"] / 50, "loss": values["layers"] / 4}


class Tuner(keras_tuner.Tuner):
    def __init__(self, oracle, directory, evaluate=metrics, hypermodel=space, **settings):
        self.evaluate = evaluate
        super().__init__(oracle, hypermodel, directory=directory, project_name="p", **settings)

    def run_trial(self, trial, **_):
        return self.evaluate(trial)


def make(objective=("score", "max"), max_trials=6, **settings):
    return SizeConstrainedRandomOracle(objective, max_trials, **settings)


def search(directory, evaluate=metrics, **settings):
    tuner = Tuner(make(**settings), directory, evaluate)
    tuner.search(verbose=0)
    return tuner.oracle


def values(oracle):
    return [dict(trial.values) for trial in oracle.search.trials]


def test_window_holds_and_counts_what_it_refused(tmp_path):
    oracle = search(tmp_path, cost=cost, minimum=50, maximum=80)
    assert all(50 <= trial.cost <= 80 for trial in oracle.search.trials)
    assert len(oracle.trials) == 6
    assert oracle.rejected > 0
    assert search(tmp_path, cost=cost, minimum=50, maximum=80).rejected == oracle.rejected


def test_impossible_window_ends_the_search_with_the_sizes(tmp_path):
    with pytest.raises(SearchError, match="300 were tried, and their sizes were"):
        search(tmp_path, cost=cost, minimum=500, patience=300)


def test_window_without_cost_is_refused():
    with pytest.raises(SearchError, match="pass cost=values -> size"):
        make(maximum=3)


@pytest.mark.parametrize("settings", [{"seed": -1}, {"patience": 0}, {"objectives": [("a", "b")]}])
def test_wrong_arguments_fail_where_they_are_given(settings):
    with pytest.raises((SearchError, ValueError)):
        make(**settings)


@pytest.mark.parametrize(
    ("objective", "objectives"),
    [
        (("score", "max"), [("loss", "min")]),
        (keras_tuner.Objective("score", "max"), ["loss"]),
        ([("score", "max"), "loss"], []),
    ],
)
def test_objectives_are_kept_apart(objective, objectives, tmp_path):
    oracle = search(tmp_path, objective=objective, objectives=objectives, max_trials=12)
    front = [(t.metrics.get_last_value("score"), t.metrics.get_last_value("loss"))
             for t in oracle.pareto_front()]  # fmt: skip
    points = [(trial.metrics["score"], trial.metrics["loss"]) for trial in oracle.search.trials]
    assert front == [
        (score, loss)
        for score, loss in points
        if not any(
            other != (score, loss) and other[0] >= score and other[1] <= loss for other in points
        )
    ]
    assert oracle.get_best_trials()[0].score == max(score for score, _ in points)


def test_cost_is_an_objective_without_being_reported(tmp_path):
    oracle = search(tmp_path, objectives=[("cost", "min")], cost=cost)
    cheapest = min(trial.cost for trial in oracle.search.trials)
    assert cheapest in [trial.metrics.get_last_value("cost") for trial in oracle.pareto_front()]


def test_another_metric_may_be_not_a_number(tmp_path):
    def evaluate(trial):
        return {**metrics(trial), "auc": float("nan")}

    for oracle in (search(tmp_path, evaluate), Tuner(make(), tmp_path).oracle):
        assert {trial.status for trial in oracle.trials.values()} == {"COMPLETED"}
        assert oracle.search.trials[0].metrics["auc"] is None


def test_best_step_of_a_history_is_kept(tmp_path):
    def evaluate(trial):
        for step, score in enumerate([0.2, 0.9, 0.4]):
            tuner.oracle.update_trial(trial.trial_id, {"score": score, "loss": 1 - step}, step)

    tuner = Tuner(make(max_trials=1), tmp_path, evaluate)
    with pytest.warns(DeprecationWarning, match="update_trial"):
        tuner.search(verbose=0)
    for oracle in (tuner.oracle, Tuner(make(max_trials=1), tmp_path).oracle):
        (trial,) = oracle.trials.values()
        assert (trial.score, trial.best_step, trial.status) == (0.9, 1, "COMPLETED")
        assert oracle.search.trials[0].metrics == {"score": 0.9, "loss": 0}


def test_warm_start(tmp_path):
    given = {"units": 50, "layers": 4}
    for _ in range(2):  # the same script, run again
        oracle = make()
        oracle.enqueue(given)
        Tuner(oracle, tmp_path).search(verbose=0)
        assert values(oracle)[0] == given
        assert values(oracle).count(given) == 1


def test_wrong_warm_start_says_so_once(tmp_path):
    oracle = make()
    oracle.enqueue({"units": 51, "layers": 1})
    tuner = Tuner(oracle, tmp_path)
    with pytest.raises(SearchError, match="'units' cannot be 51"):
        tuner.search(verbose=0)
    tuner.search(verbose=0)
    assert len(oracle.trials) == 6


class NotCopied(keras_tuner.HyperParameters):
    def __deepcopy__(self, memo):
        raise ZeroDivisionError


def test_a_trial_that_could_not_be_handed_out_is_handed_out_next(tmp_path, monkeypatch):
    expected = values(search(tmp_path / "undisturbed"))
    oracle = Tuner(make(), tmp_path).oracle
    oracle.end_trial(oracle.create_trial("tuner0"), "FAILED")
    with monkeypatch.context() as patch:
        patch.setattr(oracle, "hyperparameters", NotCopied())
        with pytest.raises(ZeroDivisionError):
            oracle.create_trial("tuner0")
    assert oracle.search.trials[1].status == "waiting"
    again = Tuner(make(), tmp_path)
    again.search(verbose=0)
    assert values(again.oracle) == expected


@pytest.mark.parametrize(
    ("arguments", "status"),
    [((), "COMPLETED"), (("COMPLETED",), "COMPLETED"), (("FAILED",), "FAILED"),
     (("INVALID",), "INVALID")],
)  # fmt: skip
def test_a_trial_can_be_ended_by_its_id(arguments, status, tmp_path):
    oracle = Tuner(make(max_retries_per_trial=1), tmp_path).oracle
    trial = oracle.create_trial("tuner0")
    oracle.update_trial(trial.trial_id, {"score": 0.5})
    oracle.end_trial(trial.trial_id, *arguments)
    assert oracle.trials[trial.trial_id].status == status
    assert oracle.create_trial("tuner0").trial_id == ("0000" if status == "INVALID" else "0001")


@pytest.mark.parametrize("running", [0, 1])
def test_too_many_failures_raise_where_kerastuner_raises(running, tmp_path):
    oracle = Tuner(make(max_consecutive_failed_trials=2), tmp_path).oracle
    for number in range(running):
        oracle.create_trial(f"another{number}")
    for error in (None, RuntimeError):
        trial = oracle.create_trial("tuner0")
        trial.status, trial.message = "FAILED", "Traceback ...\nValueError: always"
        if error is None:
            oracle.end_trial(trial)
        else:
            with pytest.raises(error, match="(?s)2 trials failed.*ValueError: always.*Traceback"):
                oracle.end_trial(trial)
    assert not any(name == "tuner0" for name in oracle.ongoing_trials)
    assert [each.status for each in oracle.search.trials][running:] == ["failed"] * 2


def test_too_many_failures_are_a_warning_for_a_chief(tmp_path, monkeypatch):
    oracle = Tuner(make(max_consecutive_failed_trials=1), tmp_path).oracle
    monkeypatch.setenv("KERASTUNER_ORACLE_IP", "127.0.0.1")
    trial = oracle.create_trial("worker")
    oracle.end_trial(trial, "FAILED")
    with pytest.warns(UserWarning, match="1 trial failed one after another"):
        assert oracle.create_trial("worker").status == "STOPPED"


def test_workers_are_idle_while_the_last_trials_of_an_exhausted_space_run(tmp_path):
    def one(hp):
        hp.Int("units", 1, 1)

    tuner = Tuner(make(max_trials=9, patience=50), tmp_path, hypermodel=one)
    oracle = tuner.oracle
    trial = oracle.create_trial("a")
    assert oracle.create_trial("b").status == "IDLE"
    assert oracle.tuner_ids == {"a", "b"}
    trial.hyperparameters.Int("late", 1, 2)
    oracle.update_trial(trial.trial_id, {"score": 1.0})
    oracle.end_trial(trial, "COMPLETED")
    other = oracle.create_trial("b")
    assert (other.status, other.hyperparameters.values) == ("RUNNING", {"units": 1, "late": 2})
    oracle.update_trial(other.trial_id, {"score": 1.0})
    oracle.end_trial(other, "COMPLETED")
    assert oracle.create_trial("b").status == "STOPPED"


def test_a_result_that_cannot_be_kept_fails_its_trial(tmp_path):
    def evaluate(trial):
        if trial.trial_id == "0001":
            trial.hyperparameters.values["extra"] = [1]
        return metrics(trial)

    oracle = search(tmp_path, evaluate)
    assert [trial.status for trial in oracle.search.trials].count("failed") == 1
    assert "values['extra'] is [1] (list)" in oracle.search.trial("0001").message


def test_time_budget(tmp_path):
    oracle = search(tmp_path, time_budget=0)
    assert not oracle.trials
    assert oracle.search.finished == "the time budget of 0 s is used up"


def test_another_search_in_the_project_is_refused(tmp_path):
    search(tmp_path)
    with pytest.raises(SearchError, match=r"seed: 0 there, 1 here.*overwrite|another directory"):
        search(tmp_path, seed=1)


def test_the_project_of_another_oracle_is_refused(tmp_path):
    oracle = keras_tuner.oracles.RandomSearchOracle(keras_tuner.Objective("score", "max"), 2)
    Tuner(oracle, tmp_path).search(verbose=0)
    with pytest.raises(SearchError, match="project of another oracle"):
        Tuner(make(), tmp_path)


def test_a_lost_tuner_file_loses_nothing(tmp_path):
    before = values(search(tmp_path))
    (tmp_path / "p" / "tuner0.json").unlink()
    assert values(search(tmp_path, max_trials=7))[:6] == before


def test_a_changed_space_is_refused_when_it_can_be_seen(tmp_path):
    search(tmp_path)
    (tmp_path / "p" / "tuner0.json").unlink()  # else KerasTuner does not build the model again
    with pytest.raises(SearchError, match="other genes .different: units"):
        Tuner(make(), tmp_path, hypermodel=lambda hp: hp.Int("units", 1, 9)).search(verbose=0)


def test_a_cell_that_is_run_again_continues(tmp_path):
    first = Tuner(make(), tmp_path)
    trial = first.oracle.create_trial("tuner0")
    second = Tuner(make(), tmp_path)  # the first is still alive, in the middle of a trial
    second.search(verbose=0)
    assert second.oracle.search.trials[0].values == trial.hyperparameters.values
    assert len(second.oracle.trials) == 6


def test_a_finished_search_gives_the_directory_up(tmp_path):
    tuner = Tuner(make(), tmp_path)
    tuner.search(verbose=0)
    lines = (
        "import sys",
        "from kerasnas.tuners.core.storage.journal import Journal",
        "Journal(sys.argv[1], {})",
    )
    path = str(tmp_path / "p" / "journal.jsonl")
    subprocess.run([sys.executable, "-c", "\n".join(lines), path], check=True)
    tuner.oracle.max_trials = 8
    tuner.search(verbose=0)
    assert len(tuner.oracle.trials) == 8


def test_what_a_build_declares_stays_with_its_trial_until_it_ends(tmp_path):
    oracle = Tuner(make(), tmp_path).oracle
    first, second = oracle.create_trial("a"), oracle.create_trial("b")
    first.hyperparameters.Int("late", 1, 3)
    with first.hyperparameters.conditional_scope("units", [1]):
        first.hyperparameters.Int("layers", 5, 9)  # known by name, not with this condition
    assert len(second.hyperparameters.space) == len(oracle.hyperparameters.space) == 2
    oracle.update_trial(first.trial_id, {"score": 1.0, "loss": 1.0})
    first.status = "COMPLETED"
    oracle.end_trial(first)
    assert len(oracle.hyperparameters.space) == 4
    assert "late" in oracle.create_trial("a").hyperparameters.values


def test_entries_that_are_not_allowed_end_the_search_and_lose_nothing(tmp_path):
    hp = keras_tuner.HyperParameters()
    space(hp)

    def evaluate(trial):
        trial.hyperparameters.Int("surprise", 1, 3)
        return metrics(trial)

    oracle = make(hyperparameters=hp, allow_new_entries=False)
    with pytest.raises(RuntimeError, match="surprise"):
        Tuner(oracle, tmp_path, evaluate, space).search(verbose=0)
    assert [trial.status for trial in oracle.search.trials] == ["completed"]


def test_with_a_chief_errors_become_warnings_and_workers_are_stopped(tmp_path, monkeypatch):
    oracle = Tuner(make(cost=cost, minimum=500, patience=50), tmp_path).oracle
    monkeypatch.setenv("KERASTUNER_ORACLE_IP", "127.0.0.1")
    with pytest.warns(UserWarning, match="50 were tried"):
        trial = oracle.create_trial("worker")
    assert trial.status == "STOPPED"
    assert not oracle.tuner_ids
    assert trial.to_proto().status  # it can be sent
