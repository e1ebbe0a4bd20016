"""What a search suggests: the same for a seed, in the window, what was enqueued first."""

import json
import subprocess
import sys
import threading

import pytest

from kerasnas.tuners import Gene, Genes, Search, SearchError, Window
from tests.tuners.small_search import GENES, choice, cost, make, run, score, table, values

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
import small_search as small
print(json.dumps(small.table(small.run(small.make(seed=3)))))
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
