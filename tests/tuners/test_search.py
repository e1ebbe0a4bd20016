"""The core: ask and tell, limits, retries, warm starts, what is kept and what is refused."""

import json
import math
import os
import subprocess
import sys
import threading

import numpy as np
import pytest

from kerasnas.tuners import (
    Gene,
    Genes,
    JournalError,
    Objective,
    Results,
    Search,
    SearchError,
    Window,
)
from kerasnas.tuners.core.history import History
from kerasnas.tuners.core.journal import Journal
from kerasnas.tuners.core.trial import trial_id


def choice(name, values, parents=()):
    conditions = [
        {"class_name": "Parent", "config": {"name": parent, "values": allowed}}
        for parent, allowed in parents
    ]
    return {
        "class_name": "Choice",
        "config": {"name": name, "values": values, "conditions": conditions},
    }


GENES = Genes.from_config(
    [
        choice("layers", [1, 2]),
        choice("first", [1, 2, 3, 4, 5, 6, 7, 8]),
        choice("second", [0.5, 1.5, 2.5], [("layers", [2])]),
        choice("kind", ["a", "b"]),
    ]
)
OBJECTIVES = [("accuracy", "max"), ("loss", "min")]


def cost(values):
    return values["first"] * values["layers"]


def make(directory=None, max_trials=8, **settings):
    return Search(GENES, OBJECTIVES, max_trials=max_trials, directory=directory, **settings)


def score(values):
    return {"accuracy": cost(values) / 20, "loss": values.get("second", 3.0)}


def run(search):
    while trial := search.ask():
        search.tell(trial.id, score(trial.values))
    return search


def table(search):
    """All that must not depend on when the search ran."""
    return [
        (t.id, t.values, t.status, t.metrics, t.attempt, t.cost, t.rejected, t.sizes, t.message)
        for t in search.trials
    ]


def values(**given):
    return {"layers": 1, "first": 1, "kind": "a", **given}


# --- Suggestions -------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [0, 1])
def test_seed_repeats(seed):
    assert table(run(make(seed=seed))) == table(run(make(seed=seed)))


def test_seed_zero_is_a_seed_of_its_own():
    assert table(run(make(seed=0))) != table(run(make(seed=1)))


@pytest.mark.parametrize("seed", [-1, 1.0, None, True])
def test_wrong_seed_is_named(seed):
    with pytest.raises(SearchError, match=f"integer from 0, not {seed}"):
        make(seed=seed)


PROGRAM = """
import json, sys
sys.path.insert(0, sys.argv[1])
import test_search
print(json.dumps(test_search.table(test_search.run(test_search.make(seed=3)))))
"""


def test_another_process_gets_the_same(monkeypatch):
    monkeypatch.setenv("PYTHONHASHSEED", "77")
    here = __file__.rpartition("/")[0]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, here], capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout) == json.loads(json.dumps(table(run(make(seed=3)))))


def test_nothing_is_tried_twice_and_inactive_genes_do_not_count():
    # layers 1 or 2; first 8; kind 2; second only with two layers: 8 * 2 * (1 + 3) in all
    search = run(make(max_trials=None, patience=5000))
    assert len({tuple(sorted(t.values.items())) for t in search.trials}) == 64
    assert len(search.trials) == 64
    assert search.finished == "space exhausted: 5,000 candidates gave nothing new"


def test_what_is_enqueued_is_tried_even_where_the_oracle_has_nothing_left():
    gene = Gene("width", values=(1, 2))
    search = Search(
        [gene],
        [("accuracy", "max")],
        max_trials=5,
        propose=lambda genes, history, rng, number: iter([{"width": 1}]),
    )
    search.tell(search.ask().id, {"accuracy": 0.5})
    assert search.ask() is None
    assert search.exhausted
    assert search.enqueue({"width": 2})
    assert search.ask().values == {"width": 2}


def test_values_are_plain():
    for trial in run(make(max_trials=20)).trials:
        assert {type(value) for value in trial.values.values()} <= {int, float, str}


@pytest.mark.parametrize("workers", [2, 3])
def test_any_number_of_workers_gets_the_same_trials(workers):
    search, running = make(max_trials=12), []
    while True:
        while len(running) < workers and (trial := search.ask()):
            running.append(trial)
        if not running:
            break
        trial = running.pop(len(running) // 2)
        search.tell(trial.id, score(trial.values))
    assert table(search) == table(run(make(max_trials=12)))


def test_threads_get_every_trial_once():
    search, failures = make(max_trials=50), []

    def work():
        try:
            run(search)
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=work, name="same name") for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert table(search) == table(run(make(max_trials=50)))


# --- The window --------------------------------------------------------------------------------


def test_window_holds_without_burning_trials():
    search = run(make(max_trials=10, window=Window(cost, 4, 6)))
    assert len(search.trials) == 10
    assert all(4 <= trial.cost == cost(trial.values) <= 6 for trial in search.trials)
    assert search.rejected == sum(trial.rejected for trial in search.trials) > 0
    for trial in search.trials:
        assert (trial.sizes is None) == (trial.rejected == 0)
        assert trial.sizes is None or not (trial.sizes[0] >= 4 and trial.sizes[2] <= 6)


def test_impossible_window_says_what_came_out():
    search = make(window=Window(cost, 17, 99), patience=4000)
    message = r"window of 17 to 99: 4,000 were tried, and their sizes were 1 to 16, median \d"
    with pytest.raises(SearchError, match=message):
        search.ask()
    assert search.trials == ()


def test_window_that_runs_dry_ends_the_search():
    search = run(make(max_trials=None, window=Window(cost, 15, 16), patience=3000))
    # 8 with two layers costs 16, 3 seconds times 2 kinds
    assert len(search.trials) == 6
    assert "space exhausted: 3,000 candidates gave nothing new" in search.finished


def test_cost_as_an_objective():
    search = Search(
        GENES, [("accuracy", "max"), ("cost", "min")], max_trials=6, window=Window(cost)
    )
    run(search)
    assert all(trial.metrics["cost"] == trial.cost for trial in search.trials)


def test_an_error_of_the_cost_function_leaves_the_search_usable():
    broken = [True]

    def fragile(given):
        if broken:
            raise ZeroDivisionError("cost")
        return cost(given)

    search = make(window=Window(fragile))
    with pytest.raises(ZeroDivisionError):
        search.ask()
    broken.clear()
    assert table(run(search)) == table(run(make(window=Window(cost))))


# --- Results -----------------------------------------------------------------------------------


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


# --- Limits ------------------------------------------------------------------------------------


def test_trials_are_limited():
    search = run(make(max_trials=3))
    assert (len(search.trials), search.finished) == (3, "the limit of 3 trials is reached")
    search.max_trials = 5
    assert search.finished is None
    assert len(run(search).trials) == 5


def test_time_is_limited_over_all_sessions(tmp_path):
    now = [100.0]
    with make(tmp_path, None, time_budget=60, clock=lambda: now[0]) as search:
        for _ in range(4):
            trial = search.ask()
            now[0] += 10
            search.tell(trial.id, score(trial.values))
    now[0] = 5000.0
    with make(tmp_path, None, time_budget=60, clock=lambda: now[0]) as search:
        trial = search.ask()
        now[0] += 20
        search.tell(trial.id, score(trial.values))
        assert search.ask() is None
        assert search.finished == "the time budget of 60 s is used up"
        assert search.elapsed == 60
    assert [trial.seconds for trial in search.trials] == [10, 10, 10, 10, 20]


def test_failures_one_after_another_stop_the_search(tmp_path):
    with make(tmp_path) as search:
        for number, broken in enumerate([True, True, False, True, True, True]):
            trial = search.ask()
            assert trial.number == number
            if broken:
                search.fail(trial.id, f"broken {number}")
            else:
                search.tell(trial.id, score(trial.values))
        assert search.ask() is None
        assert search.failing
        assert search.finished == "3 trials failed one after another, at last 0005: broken 5"
    with make(tmp_path) as search:
        assert search.ask().number == 6, "who opens it again wants it to go on"


# --- Warm starts -------------------------------------------------------------------------------


def test_enqueued_values_come_first():
    search = make()
    assert search.enqueue(values(first=7))
    assert search.enqueue(values(first=8))
    trials = [search.ask(), search.ask(), search.ask()]
    assert [t.values["first"] for t in trials[:2]] == [7, 8]
    assert [t.enqueued for t in trials] == [True, True, False]


def test_enqueueing_again_does_nothing(tmp_path):
    with make(tmp_path) as search:
        assert search.enqueue(values())
        assert not search.enqueue(values())
    with make(tmp_path) as search:
        assert not search.enqueue(values())
        run(search)
        assert not search.enqueue(values())
        assert sum(trial.values == values() for trial in search.trials) == 1


def test_enqueued_values_are_checked():
    search = make(window=Window(cost, 1, 4))
    with pytest.raises(SearchError, match="gene 'first' cannot be 99"):
        search.enqueue(values(first=99))
    with pytest.raises(SearchError, match="cost 5, outside the window of 1 to 4"):
        search.enqueue(values(first=5))
    assert not search.history.enqueued


def test_an_enqueued_trial_is_not_suggested_again():
    search = make(max_trials=None, patience=3000)
    for first in range(1, 9):
        search.enqueue(values(first=first))
    assert len(run(search).trials) == 64


# --- Genes met along the way -------------------------------------------------------------------


def test_genes_grow_at_the_end_and_values_with_them(tmp_path):
    extra = Genes.from_config([choice("late", [1, 2])])
    with make(tmp_path) as search:
        trial = search.ask()
        search.extend(extra)
        search.tell(trial.id, score(trial.values), values={**trial.values, "late": 1})
        assert "late" in search.ask().values
    with make(tmp_path) as search:
        assert [gene.name for gene in search.genes] == [
            "layers", "first", "second", "kind", "late",
        ]  # fmt: skip
        assert search.trials[0].values["late"] == 1
        assert not search.enqueue(search.trials[0].values)


# --- Directories -------------------------------------------------------------------------------


def test_another_search_is_refused_with_what_differs(tmp_path):
    with make(tmp_path, identity={"data": "esc10"}) as search:
        run(search)
    before = (tmp_path / "journal.jsonl").read_bytes()
    with pytest.raises(SearchError, match=r"seed: 0 there, 1 here.*data: 'esc10' there, None"):
        make(tmp_path, seed=1)
    with pytest.raises(SearchError, match="window: None there"):
        make(tmp_path, identity={"data": "esc10"}, window=Window(cost, 1, 2))
    other = Genes.from_config([choice("layers", [1, 2, 3]), *GENES.config()[1:]])
    with pytest.raises(SearchError, match="made with other genes .different: layers."):
        Search(other, OBJECTIVES, max_trials=8, directory=tmp_path, identity={"data": "esc10"})
    assert (tmp_path / "journal.jsonl").read_bytes() == before


def test_limits_may_change_between_sessions(tmp_path):
    with make(tmp_path, max_trials=3) as search:
        run(search)
    with make(tmp_path, max_trials=5, max_retries=2, time_budget=1e6) as search:
        assert search.resumed
        assert len(run(search).trials) == 5


def test_results_are_read_while_the_search_runs(tmp_path):
    with make(tmp_path) as search:
        search.tell(search.ask().id, score(values()))
        search.ask()
        results = Results.read(tmp_path)
        assert results.trials == search.trials
        assert results.objectives == (Objective("accuracy", "max"), Objective("loss", "min"))
        lines = (tmp_path / "journal.jsonl").read_bytes().count(b"\n")
        with (tmp_path / "journal.jsonl").open("ab") as file:
            file.write(b'{"n":%d,"event":"fini' % (lines + 1))  # seen while it is being written
        assert Results.read(tmp_path).trials == search.trials


def test_nothing_to_read(tmp_path):
    with pytest.raises(JournalError, match="no search can be read at .*No such file"):
        Results.read(tmp_path)
    (tmp_path / "journal.jsonl").touch()
    with pytest.raises(JournalError, match="nothing was written yet"):
        Results.read(tmp_path)


TOLD = {"accuracy": 0.5, "loss": 1.0}
FINISH = {"event": "finish", "id": "0000", "metrics": TOLD}


@pytest.mark.parametrize(
    "event",
    [
        {"event": "dance"},
        {"event": "apply"},
        {"event": ["open"]},
        {"elapsed": "late", "event": "open"},
        {"elapsed": 10**400, "event": "open"},
        {**FINISH, "id": "0007"},
        {**FINISH, "id": ["0000"]},
        {**FINISH, "values": [1, 2]},
        {**FINISH, "values": {"first": None}},
        {**FINISH, "violation": 10**400},
        {**FINISH, "violation": "none"},
        {**FINISH, "metrics": {"accuracy": 0.5}},
        {**FINISH, "metrics": {**TOLD, "accuracy": 10**400}},
        {**FINISH, "metrics": {**TOLD, "auc": "high"}},
        {**FINISH, "metrics": [0.5, 1.0]},
        {**FINISH, "info": [1]},
        {"event": "start", "id": "0007"},
        {"event": "start", "id": "0001"},
        {"event": "start", "id": "0000", "values": {"first": 1}},
        {"event": "start", "id": "0001", "values": {"first": 1}, "sizes": [1, 2]},
        {"event": "start", "id": "0001", "values": {"first": 1}, "cost": "much"},
        {"event": "start", "id": "0001", "values": {"first": 1}, "enqueued": True},
        {"event": "fail", "id": "0000", "message": "why"},
        {"event": "fail", "id": "0000", "message": None, "final": True},
        {"event": "requeue", "id": "0007"},
        {"event": "enqueue", "values": 3},
        {"event": "enqueue"},
        {"event": "genes", "genes": []},
        {"event": "genes", "genes": [{"class_name": "Choice"}]},
        {"event": "genes", "genes": 3},
    ],
)
def test_an_event_that_fits_nothing_is_damage(tmp_path, event):
    """However it came there: its checksum is right."""
    with make(tmp_path) as search:
        search.ask()
    with Journal(tmp_path / "journal.jsonl", {}) as journal:
        journal.append({"elapsed": 1.0, **event})
    with pytest.raises(JournalError, match="line 5 is damaged"):
        make(tmp_path)
    with pytest.raises(JournalError, match="line 5 is damaged"):
        Results.read(tmp_path)


def test_a_journal_of_no_search_is_damage(tmp_path):
    Journal(tmp_path / "journal.jsonl", {"identity": {"objectives": 3}}).close()
    with pytest.raises(JournalError, match="line 1 is damaged; it names no objectives"):
        Results.read(tmp_path)


@pytest.mark.parametrize("header", [{}, {"identity": None}, {"identity": ["seed"]}])
def test_a_journal_without_an_identity_is_damage(tmp_path, header):
    Journal(tmp_path / "journal.jsonl", header).close()
    with pytest.raises(JournalError, match="line 1 is damaged; it names no objectives"):
        Results.read(tmp_path)
    with pytest.raises(JournalError, match="line 1 is damaged; it names no search"):
        make(tmp_path)


def test_only_ended_trials_wait_for_the_disk(tmp_path, monkeypatch):
    waits = []
    with make(tmp_path, max_retries=1) as search:
        monkeypatch.setattr(os, "fsync", waits.append)
        first, second = search.ask(), search.ask()
        search.fail(first.id, "runs again")
        assert len(waits) == 0
        search.tell(second.id, score(second.values))
        assert len(waits) == 1
        search.fail(search.ask().id, "runs no more")
        assert len(waits) == 2


def test_saving_does_not_grow_with_the_trials(tmp_path):
    with make(tmp_path, max_trials=None) as search:
        added = []
        for _ in range(40):
            before = (tmp_path / "journal.jsonl").stat().st_size
            search.tell(search.ask().id, score(values()))
            added.append((tmp_path / "journal.jsonl").stat().st_size - before)
    assert max(added[1:]) < 1.3 * min(added[1:])  # the first writes the genes too


def test_ids_sort_as_numbers_beyond_ten_thousand():
    history = History()
    for number in range(10_001):
        start = {"event": "start", "id": trial_id(number), "values": {"first": number}}
        history.apply({**start, "elapsed": 0.0})
    for number in (10_000, 9_999):
        history.apply({"event": "requeue", "id": trial_id(number), "elapsed": 0.0})
    assert history.waiting == ["9999", "10000"]
