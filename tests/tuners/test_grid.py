"""Grid search: order, conditions, windows, resuming, and what is added to the space later."""

import itertools

import pytest

from kerasnas.tuners import Gene, Genes, Grid, Search, SearchError, Window
from kerasnas.tuners.core.genes import Condition
from kerasnas.tuners.grid import combinations

PLAIN = Genes([Gene("a", values=(3, 1)), Gene("b", values=(False, True)), Gene("c", values="xyz")])
NESTED = Genes(
    [
        Gene("family", values=("dense", "conv")),
        Gene("units", (Condition("family", ("dense",)),), (8, 16)),
        Gene("kernel", (Condition("family", ("conv",)),), (3, 5)),
        Gene("norm", (Condition("kernel", (5,)),), (False, True)),
    ]
)
NESTED_IN_ORDER = [
    {"family": "dense", "units": 8},
    {"family": "dense", "units": 16},
    {"family": "conv", "kernel": 3},
    {"family": "conv", "kernel": 5, "norm": False},
    {"family": "conv", "kernel": 5, "norm": True},
]


def make(genes, directory=None, max_trials=None, **settings):
    return Search(
        genes,
        [("score", "max")],
        max_trials=max_trials,
        propose=Grid(),
        directory=directory,
        **settings,
    )


def run(search):
    while trial := search.ask():
        search.tell(trial.id, {"score": 1.0})
    return [dict(trial.values) for trial in search.trials]


def test_the_last_gene_changes_first():
    expected = [
        dict(zip("abc", values, strict=True))
        for values in itertools.product((3, 1), (False, True), "xyz")
    ]
    assert list(combinations(PLAIN)) == expected
    search = make(PLAIN)
    assert run(search) == expected
    assert "space exhausted" in search.finished


def test_only_combinations_of_active_genes():
    assert list(combinations(NESTED)) == NESTED_IN_ORDER
    assert run(make(NESTED)) == NESTED_IN_ORDER


@pytest.mark.parametrize("genes", [PLAIN, NESTED])
def test_what_is_behind_a_combination(genes):
    whole = list(combinations(genes))
    for index, values in enumerate(whole):
        assert list(combinations(genes, values)) == whole[index + 1 :]


@pytest.mark.parametrize("number", range(5))
def test_a_search_that_is_resumed_goes_on(number, tmp_path):
    with make(NESTED, tmp_path, number) as search:
        run(search)
    with make(NESTED, tmp_path) as search:
        assert run(search) == NESTED_IN_ORDER


def test_a_killed_trial_runs_again_at_its_place(tmp_path):
    with make(NESTED, tmp_path) as search:
        search.tell(search.ask().id, {"score": 1.0})
        assert search.ask().values == NESTED_IN_ORDER[1]
    with make(NESTED, tmp_path) as search:
        assert search.ask().values == NESTED_IN_ORDER[1]
        assert search.ask().values == NESTED_IN_ORDER[2]


def test_enqueued_combinations_come_first_and_once():
    search = make(NESTED)
    search.enqueue(NESTED_IN_ORDER[3])
    assert run(search) == [NESTED_IN_ORDER[index] for index in (3, 0, 1, 2, 4)]


def test_the_window_is_looked_at_once_a_combination_and_at_the_end():
    seen = []

    def cost(values):
        seen.append(values)
        return values.get("kernel", 0)

    search = make(NESTED, window=Window(cost, 5))
    assert run(search) == NESTED_IN_ORDER[3:]
    assert seen == NESTED_IN_ORDER + NESTED_IN_ORDER[:3]


def test_many_tried_combinations_use_up_no_patience():
    genes = Genes([Gene("a", values=range(30))])
    assert len(run(make(genes, patience=1))) == 30


def test_genes_met_later_are_gone_through_too():
    search = make(Genes([Gene("layers", values=(1, 2))]))
    first = search.ask()
    search.extend([Gene("units", values=(4, 8))])
    search.tell(first.id, {"score": 1.0}, values={"layers": 1, "units": 8})
    found = run(search)
    assert len(found) == 4
    assert {tuple(values.values()) for values in found} == {(1, 8), (2, 4), (2, 8), (1, 4)}


def branches(values):
    """The values that a build asks for: what is asked depends on the kind, and appears late."""
    counts = {"a": 3, "b": 2, "c": 0}
    kind = values.get("kind", "a")
    asked = {"kind": kind}
    if counts[kind]:
        asked[f"x_{kind}"] = values.get(f"x_{kind}", 1)
    late = [Gene(f"x_{kind}", values=range(1, counts[kind] + 1))] if counts[kind] else []
    return asked, late


@pytest.mark.parametrize(("workers", "trials"), [(1, 15), (3, 9)])
def test_genes_that_a_network_has_not_asked_for_give_it_no_more_trials(workers, trials):
    """Behind x_a, b and c have its three values too; where all kinds were begun before, not c."""
    search, networks, running = make(Genes([Gene("kind", values="abc")])), [], []
    while True:
        while len(running) < workers and (trial := search.ask()):
            running.append(trial)
        if not running:
            break
        trial = running.pop(0)
        asked, late = branches(trial.values)
        networks.append(tuple(asked.items()))
        search.extend(late)
        search.tell(trial.id, {"score": 1.0}, values={**trial.values, **asked})
    assert len(set(networks)) == 6
    assert search.exhausted
    assert len(networks) == trials  # 21 when every combination is tried


def test_late_genes_repeat_no_network_that_is_complete():
    def ends(search):
        while trial := search.ask():
            layers = trial.values["layers"]
            asked = {f"units_{i}": trial.values.get(f"units_{i}", 1) for i in range(layers)}
            search.extend(Gene(name, values=(1, 2)) for name in asked)
            search.tell(trial.id, {"score": 1.0}, values={**trial.values, **asked})
            yield layers, *asked.values()

    built = list(ends(make(Genes([Gene("layers", values=(1, 2, 3))]))))
    assert sorted(built) == sorted(set(built))
    assert len(built) == 2 + 4 + 8


def test_continuous_genes_are_refused():
    genes = Genes([Gene("rate", span=(0.0, 1.0, "linear"))])
    with pytest.raises(SearchError, match="gene 'rate' is continuous, 0.0 to 1.0.*with a step"):
        make(genes).ask()
