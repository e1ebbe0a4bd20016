"""NSGA-II: its operators, its survivors, and what it suggests when."""

import itertools
import random
from collections import Counter
from math import comb

import numpy as np
import pytest

from kerasnas.tuners import NSGA2, Gene, Genes, Search, SearchError, Window, loop
from kerasnas.tuners.core.genes import Condition
from kerasnas.tuners.core.history import History
from kerasnas.tuners.core.objective import Objective
from kerasnas.tuners.core.propose import uniform
from kerasnas.tuners.core.trial import Trial
from kerasnas.tuners.nsga2.survival import Generations, select
from kerasnas.tuners.nsga2.variation import exchanged, mutated, winners
from kerasnas.tuners.runners.base import Finished, Job

GENES = Genes(Gene(f"g{index}", values=range(6)) for index in range(20))
TREE = Genes(
    [
        Gene("family", values=("dense", "conv")),
        Gene("units", (Condition("family", ("dense",)),), values=(8, 16, 32)),
        Gene("kernel", (Condition("family", ("conv",)),), values=(3, 5)),
        Gene("norm", (Condition("family", ("conv",)),), values=(False, True)),
        Gene("momentum", (Condition("norm", (True,)),), span=(0.5, 1.0, "linear")),
        Gene("fixed", values=(1,)),
    ]
)
OBJECTIVES = [("accuracy", "max"), ("cost", "min")]


def rng(seed=0):
    return np.random.default_rng(seed)


def metrics(values):
    """Two objectives that disagree."""
    numbers = np.array([float(value) for value in values.values()])
    return {"accuracy": float(np.sqrt(numbers).sum()), "cost": float(numbers.sum())}


def make(propose, max_trials=None, genes=GENES, **settings):
    return Search(genes, OBJECTIVES, max_trials=max_trials, propose=propose, **settings)


def run(search, until=None):
    while (until is None or len(search.trials) < until) and (trial := search.ask()):
        search.tell(trial.id, metrics(trial.values))
    return [trial.values for trial in search.trials]


def trial(number, accuracy=0.0, cost=0.0, violation=0.0):
    scores = {"accuracy": accuracy, "cost": cost}
    return Trial(f"{number:04d}", number, {}, "completed", metrics=scores, violation=violation)


# --- Operators ---------------------------------------------------------------------------------


@pytest.mark.parametrize("ranks, crowding", [(range(12), [0] * 12), ([1] * 12, range(12, 0, -1))])
def test_tournament_has_five_entrants(ranks, crowding):
    """The best of five out of twelve is member j with the chance C(11 - j, 4) / C(12, 5)."""
    pairs = [winners(ranks, crowding, 5, rng(seed)) for seed in range(792)]
    first = Counter(one for one, _ in pairs)
    expected = [comb(11 - member, 4) for member in range(8)]  # they add up to C(12,5) = 792
    assert set(first) <= set(range(8)), "the last four cannot be best of five"
    # chi-square of the five most frequent with 5 degrees of freedom, one in a thousand
    assert sum((first[j] - expected[j]) ** 2 / expected[j] for j in range(5)) < 20.5
    # Without the first winner the best that is left has the chance 5/11 of being drawn again.
    best = sum(other == (0 if one else 1) for one, other in pairs)
    assert abs(best - 792 * 5 / 11) < 3.3 * np.sqrt(792 * 5 / 11 * 6 / 11)


def test_tournament_of_two_as_published():
    """The best of two out of twelve is member j with the chance (11 - j) / C(12, 2)."""
    first = Counter(winners(range(12), [0] * 12, 2, rng(seed))[0] for seed in range(660))
    assert 11 not in first, "the last cannot win"
    expected = [10 * (11 - member) for member in range(11)]
    # chi-square with 10 degrees of freedom, one in a thousand
    assert sum((first[j] - expected[j]) ** 2 / expected[j] for j in range(11)) < 29.6


def test_tournament_of_few():
    assert {winners([0, 1, 2], [0.0] * 3, 5, rng(seed)) for seed in range(20)} == {(0, 1)}


def test_tournament_asks_for_the_front_before_the_crowding():
    assert winners([0, 1, 1, 1, 1], [0.0, 1.0, 2.0, np.inf, 3.0], 5, rng()) == (0, 3)


def test_exchange_takes_two_genes_and_not_those_between():
    zeros, ones = [0] * 20, [1] * 20
    spots = Counter()
    for seed in range(400):
        child = exchanged(GENES, zeros, ones, rng(seed))
        assert sum(child.values()) == 2
        spots.update(index for index, value in enumerate(child.values()) if value)
    # 40 expected at each of 20 positions; chi-square with 19 degrees of freedom, one in a thousand
    assert sum((spots[index] - 40) ** 2 / 40 for index in range(20)) < 43.8


def test_mutation_changes_one_to_four_genes():
    zeros, changed, values = [0] * 20, Counter(), Counter()
    for seed in range(400):
        child = mutated(GENES, zeros, 4, rng(seed))
        changed[sum(value != 0 for value in child.values())] += 1
        values.update(value for value in child.values() if value)
    assert set(changed) == {1, 2, 3, 4}
    assert sum((count - 100) ** 2 / 100 for count in changed.values()) < 16.3  # 3 degrees
    assert set(values) == {1, 2, 3, 4, 5}


def test_children_of_conditional_genes_are_whole():
    parents = [next(uniform(TREE, History(), rng(seed), 0)) for seed in range(20)]
    families = set()
    for seed, (first, second) in enumerate(itertools.permutations(parents, 2)):
        pair = TREE.chromosome(first), TREE.chromosome(second)
        for child in (exchanged(TREE, *pair, rng(seed)), mutated(TREE, pair[0], 4, rng(seed))):
            assert TREE.check(child) == child
            families.add((first["family"], second["family"], child["family"]))
    assert len(families) == 8


def test_what_an_exchange_makes_active_comes_from_the_other_parent():
    dense = {"family": "dense", "units": 16, "fixed": 1}
    conv = {"family": "conv", "kernel": 5, "norm": True, "momentum": 0.75, "fixed": 1}
    child = exchanged(TREE, TREE.chromosome(dense), TREE.chromosome(conv), rng())
    assert child == conv  # only `family` is active in both


def test_mutating_where_nothing_varies():
    genes = Genes([Gene("fixed", values=(7,))])
    assert mutated(genes, [7], 4, rng()) == {"fixed": 7}


# --- Survival ----------------------------------------------------------------------------------


def test_survivors_by_hand():
    objectives = [Objective(*pair) for pair in OBJECTIVES]
    trials = [
        trial(0, 0.5, 5),  # the ends of the first front are 0 and 4
        trial(1, 0.60, 5.5),  # of its inner points 1 and 2 are close to each other
        trial(2, 0.61, 5.6),
        trial(3, 0.8, 7),
        trial(4, 0.9, 9),
        trial(5, 0.4, 6),  # behind 0
        trial(6, 1.0, 1, violation=1),  # best of all, and infeasible
        trial(7, 0.0, 0, violation=0.5),
    ]
    chosen = [[int(t.id) for t in select(trials, objectives, n).trials] for n in range(1, 9)]
    assert [set(some) for some in chosen[:3]] == [{0}, {0, 4}, {0, 3, 4}]
    assert set(chosen[4]) == {0, 1, 2, 3, 4}
    assert chosen[7][5:] == [5, 7, 6]
    assert select(trials, objectives, 8).ranks == (0, 0, 0, 0, 0, 1, 2, 3)


def test_survivors_are_a_function_of_the_history():
    """What is kept from call to call changes nothing, in whatever order trials end."""
    for seed in range(5):
        chance, kept = random.Random(seed), Generations(4)
        search, running = make(uniform, 40), []
        while not search.finished or running:
            if len(running) < 6 and (found := search.ask()):
                running.append(found)
            else:
                ended = running.pop(chance.randrange(len(running)))
                if chance.random() < 0.2:
                    search.fail(ended.id, "bad luck", retry=False)
                    search.history.failures = 0
                else:
                    search.tell(ended.id, metrics(ended.values))
            generation = chance.randrange(len(search.trials) // 4 + 1)
            before = kept.before(search.history, generation)
            assert before == Generations(4).before(search.history, generation)
            earlier = search.trials[: 4 * generation]
            assert before.final == all(t.status in ("completed", "failed") for t in earlier)
            assert all(survivor.status == "completed" for survivor in before.trials)
            assert all(survivor.number < 4 * generation for survivor in before.trials)


def test_failed_trials_never_become_parents():
    search = make(NSGA2(4, exploitation=1), 40, max_consecutive_failures=None)
    while found := search.ask():
        if found.number < 4:
            search.tell(found.id, metrics(dict.fromkeys(found.values, 0)))  # not to be beaten
            continue
        firsts = [search.trial(f"{number:04d}").values for number in range(4)]
        inherited = sum(any(v == first[n] for first in firsts) for n, v in found.values.items())
        assert inherited >= 20 - 4, "all but mutated genes are the first four's"
        search.fail(found.id, "always", retry=False)


# --- Suggestions -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("generation", "share"),
    [(0, 0), (13, 0), (14, 0), (15, 1 / 68.75), (42, 28 / 68.75), (69, 0.8), (500, 1)],
)
def test_share_of_equation_1(generation, share):
    assert NSGA2().share(generation) == pytest.approx(share)


def test_constant_share_starts_after_the_first_generation():
    assert [NSGA2(exploitation=0.6).share(generation) for generation in range(3)] == [0, 0.6, 0.6]


def test_each_generation_has_its_share_of_children():
    propose, search = NSGA2(10, exploitation=(1, 4)), make(NSGA2(10, exploitation=(1, 4)), 60)
    children = Counter()
    while found := search.ask():
        seed = (0, found.number)
        alone = next(uniform(GENES, search.history, np.random.default_rng(seed), found.number))
        children[found.number // 10] += found.values != alone
        search.tell(found.id, metrics(found.values))
    # Shares of 0, 1/4, 2/4, 3/4, 1, 1 of ten; Python rounds halves to even.
    assert [children[generation] for generation in range(6)] == [0, 2, 5, 8, 10, 10]
    assert propose.share(1) == 0.25


def test_half_of_the_children_are_exchanged_and_half_are_mutated():
    exchanges = 0
    for seed in range(200):
        search = make(NSGA2(2, exploitation=1), 3, seed=seed)
        for value in (0, 1):
            search.enqueue(dict.fromkeys((gene.name for gene in GENES), value))
        child = Counter(run(search)[2].values())
        assert max(child[0], child[1]) >= 16, "one to four genes differ from the first parent's"
        exchanges += sorted((child[0], child[1])) == [2, 18]
    assert abs(exchanges - 101) < 3.3 * np.sqrt(200 / 4)  # a mutation looks so in one of a hundred


def test_published_children_are_exchanged_and_then_mutated():
    """Of parents of zeros and ones: two genes of the other parent, and up to four changed."""
    both, mutations = 0, Counter()
    for seed in range(200):
        search = make(NSGA2(2, exploitation=1, variation="published", entrants=2), 3, seed=seed)
        for value in (0, 1):
            search.enqueue(dict.fromkeys((gene.name for gene in GENES), value))
        child = Counter(run(search)[2].values())
        new = sum(count for value, count in child.items() if value > 1)
        mutations[new] += 1
        both += new > 0 and min(child[0], child[1]) in (1, 2)
    assert set(mutations) <= set(range(5))
    # A mutated gene of zeros and ones becomes 2 to 5 with the chance 4/5 and hits one of the two
    # exchanged genes with at most 4 * 2/20; all but one in five of the children show both.
    assert both > 120, "a child that only one of them has made shows no trace of the other"


def test_children_keep_to_the_window_and_none_comes_twice():
    window = Window(lambda values: metrics(values)["cost"], 30, 45)
    search = make(NSGA2(8, exploitation=1), 120, window=window)
    found = run(search)
    assert all(30 <= metrics(values)["cost"] <= 45 for values in found)
    assert len({tuple(values.values()) for values in found}) == 120


def test_a_search_that_is_opened_again_suggests_the_same(tmp_path):
    propose = NSGA2(8, exploitation=1)
    expected = run(make(propose, 60))
    for until in (3, 8, 9, 25, 40, 60):
        with make(propose, 60, directory=tmp_path) as search:
            assert run(search, until) == expected[:until]


def workers(propose, count, seed, max_trials=60):
    """The values that several workers get, and whether one had to wait."""
    chance, running, waited = random.Random(seed), [], False
    search = make(propose, max_trials)
    while True:
        found = search.ask() if len(running) < count else None
        if found:
            running.append(found)
            continue
        waited |= len(running) < count and search.finished is None
        if not running:
            return [trial.values for trial in search.trials], waited
        ended = running.pop(chance.randrange(len(running)))
        search.tell(ended.id, metrics(ended.values))


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("exploitation", [1, 0.5])
def test_synchronous_workers_get_the_trials_of_one(exploitation, seed):
    propose = NSGA2(8, exploitation, synchronous=True)
    one = run(make(NSGA2(8, exploitation), 60))
    assert workers(propose, 5, seed) == (one, True)


def test_the_loop_goes_on_after_waiting():
    class Runner:
        """Runs three trials at a time; the last that was started ends first."""

        slots = 3

        def __init__(self):
            self.running = []

        def start(self, job, slot):
            self.running.append((job, slot))

        def wait(self, timeout=None):
            job, slot = self.running.pop()
            return [Finished(job.id, slot, {"metrics": metrics(job.values)}, 1.0, memory=1)]

        def close(self):
            raise AssertionError("the loop has failed")

    search = make(NSGA2(8, 1, synchronous=True), 40)
    loop.run(search, Runner(), lambda found: Job(found.id, "module:make", values=found.values))
    assert [found.values for found in search.trials] == run(make(NSGA2(8, 1), 40))


def test_no_worker_waits_unless_it_is_asked_for():
    values, waited = workers(NSGA2(8, 1), 5, 0)
    assert (len(values), waited) == (60, False)


def test_one_worker_never_waits():
    assert len(run(make(NSGA2(8, 1, synchronous=True), 60))) == 60


# --- Results -----------------------------------------------------------------------------------


@pytest.mark.parametrize("exploitation", [1, (3, 20)])
def test_front_is_better_than_that_of_random_search(exploitation):
    """On tables drawn from a seed; `benchmarks/pareto.py` does it in full, with peers."""
    for seed in range(3):
        costs = np.sort(rng(seed).random((20, 6)), 1)
        gains = np.sqrt(costs) + rng(seed + 100).normal(0, 0.1, (20, 6))

        def volume(propose, costs=costs, gains=gains, seed=seed):
            search = make(propose, 20 * 16, seed=seed)
            while found := search.ask():
                path = np.arange(20), list(found.values.values())
                scores = {"accuracy": gains[path].sum(), "cost": costs[path].sum()}
                search.tell(found.id, scores)
            return search.hypervolume([0, 20])

        assert volume(NSGA2(16, exploitation)) > volume(uniform)


def test_feasible_ones_survive():
    """Constrained domination: only cheap values are feasible, and only those become parents."""
    search = make(NSGA2(8, 1), 200)
    while found := search.ask():
        scores = metrics(found.values)
        search.tell(found.id, scores, violation=max(scores["cost"] - 40, 0))
    feasible = [trial.violation == 0 for trial in search.trials]
    assert sum(feasible[:8]) < 4 < 80 < sum(feasible[-100:])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"population": 1}, "population must be at least 2, not 1"),
        ({"mutations": 0}, "mutations must be at least 1, not 0"),
        ({"entrants": 0}, "entrants must be at least 1, not 0"),
        ({"variation": "deb"}, "variation must be alternating or published, not 'deb'"),
        ({"exploitation": 1.5}, "must be 0 to 1, not 1.5"),
        ({"exploitation": (15,)}, "must be .start, span."),
        ({"exploitation": (15, 0)}, r"positive span.*\(15, 0\)"),
    ],
)
def test_wrong_settings(settings, message):
    with pytest.raises(SearchError, match=message):
        NSGA2(**settings)
