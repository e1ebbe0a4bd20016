"""The policy: kinds of genes, masks, samples, probabilities, and gradients."""

import collections
import math

import numpy as np
import pytest

from kerasnas.tuners.controller.policy import (
    MASKED,
    actions,
    decisions,
    initial,
    most_probable,
    policy_gradient,
    sample,
)
from kerasnas.tuners.core.errors import SearchError
from kerasnas.tuners.core.genes import Condition, Gene, Genes

GENES = Genes(
    [
        Gene("filters_1", values=(8, 16, 32)),
        Gene("deep", values=(False, True)),
        Gene("filters_2", (Condition("deep", (True,)),), (8, 16, 32)),
        Gene("classes", values=(7,)),
        Gene("norm", (Condition("deep", (False,)),), ("batch", "layer")),
        Gene("norm", (Condition("deep", (True,)),), ("batch", "layer", "none")),
    ]
)
TABLE = decisions(GENES)


def weights(table=TABLE, scale=0.8, seed=1, layers=2, units=5):
    return initial(table, layers, units, scale, seed)


def every_combination():
    for filters in (8, 16, 32):
        for norm in ("batch", "layer"):
            yield {"filters_1": filters, "deep": False, "classes": 7, "norm": norm}
        for second in (8, 16, 32):
            for norm in ("batch", "layer", "none"):
                yield {
                    "filters_1": filters, "deep": True, "filters_2": second, "classes": 7,
                    "norm": norm,
                }  # fmt: skip


def probability(w, values, table=TABLE):
    taken = np.array([actions(table, values)])
    return math.exp(policy_gradient(w, table, taken, np.ones(1), 0.0).value)


def test_genes_of_one_kind_share_what_is_learned():
    assert [decision.kind for decision in TABLE] == [0, 1, 0, 2, 3, 4]
    assert [decision.first for decision in TABLE] == [0, 3, 0, 5, 6, 8]
    shapes = {name: part.shape for name, part in weights().items()}
    assert shapes["softmax"] == (11, 5)
    assert shapes["embedding"] == (12, 5)


def test_every_gene_may_have_its_own():
    table = decisions(GENES, shared=False)
    assert [decision.kind for decision in table] == [0, 1, 2, 3, 4, 5]
    assert [decision.first for decision in table] == [0, 3, 5, 8, 9, 11]


def test_names_values_and_types_tell_kinds_apart():
    genes = [
        Gene("height_1", values=(1, 0)),
        Gene("width_1", values=(1, 0)),
        Gene("height_2", values=(True, False)),
        Gene("height_3", values=(1, 0, 2)),
        Gene("height_4", values=(1, 0)),
    ]
    assert [decision.kind for decision in decisions(Genes(genes))] == [0, 1, 2, 3, 0]


def test_continuous_genes_are_refused():
    with pytest.raises(SearchError, match="gene 'rate' is continuous"):
        decisions(Genes([Gene("rate", span=(0.1, 1.0, "log"))]))


def test_a_gene_of_too_many_values_is_refused():
    with pytest.raises(SearchError, match="gene 'units' has 1,000,001 values.*with a step"):
        decisions(Genes([Gene("units", span=(0, 1_000_000, "linear"), integer=True)]))


def test_initial_weights_fill_their_range():
    drawn = np.concatenate([part.ravel() for part in weights(scale=0.08, units=32).values()])
    assert -0.08 <= drawn.min() < -0.079
    assert 0.079 < drawn.max() <= 0.08


def test_genes_added_later_change_nothing_that_was_there():
    more = decisions(
        GENES.extended([Gene("filters_3", values=(8, 16, 32)), Gene("x", values=(1, 2))])
    )
    before, after = weights(), weights(more)
    for name, part in before.items():
        assert np.array_equal(after[name][: len(part)], part)
    for values in every_combination():
        assert probability(after, values, more) == probability(before, values)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (
            {"filters_1": 32, "deep": True, "filters_2": 8, "classes": 7, "norm": "none"},
            [2, 1, 0, MASKED, MASKED, 2],
        ),
        (
            {"filters_1": 8, "deep": False, "classes": 7, "norm": "layer"},
            [0, 0, MASKED, MASKED, 1, MASKED],
        ),
        ({"filters_1": 9, "deep": False}, [MASKED, 0, MASKED, MASKED, MASKED, MASKED]),
    ],
)
def test_actions_are_those_of_active_genes(values, expected):
    assert actions(TABLE, values) == expected


def test_probabilities_of_all_combinations_add_up_to_one():
    assert sum(probability(weights(), values) for values in every_combination()) == pytest.approx(1)


def test_samples_are_drawn_with_their_probability():
    w, count = weights(), 20_000
    drawn = sample(w, TABLE, np.random.default_rng(5), count)
    counts = collections.Counter(tuple(values.items()) for values in drawn)
    expected = {tuple(v.items()): count * probability(w, v) for v in every_combination()}
    assert set(counts) == set(expected)
    # Chi-square with 14 degrees of freedom: 36.1 is passed once in a thousand seeds.
    assert sum((counts[k] - n) ** 2 / n for k, n in expected.items()) < 36.1


def test_of_active_genes_of_one_name_the_first_counts():
    genes = Genes(
        [
            Gene("a", values=(False, True)),
            Gene("x", (Condition("a", (True,)),), (1, 2)),
            Gene("x", values=(3, 4)),
        ]
    )
    drawn = sample(weights(decisions(genes)), decisions(genes), np.random.default_rng(0), 200)
    assert {tuple(v.items()) for v in drawn} == {
        (("a", a), ("x", x)) for a, x in [(True, 1), (True, 2), (False, 3), (False, 4)]
    }
    assert actions(decisions(genes), {"a": True, "x": 2}) == [1, 1, MASKED]
    assert actions(decisions(genes), {"a": False, "x": 4}) == [0, MASKED, 1]


def test_a_high_temperature_is_uniform():
    drawn = sample(weights(scale=3.0), TABLE, np.random.default_rng(5), 9000, 1e6)
    counts = collections.Counter(values["filters_1"] for values in drawn)
    # Chi-square with 2 degrees of freedom.
    assert sum((counts[n] - 3000) ** 2 / 3000 for n in (8, 16, 32)) < 13.8


def test_every_set_may_have_a_temperature_of_its_own():
    temperatures = np.repeat([1e-9, 1e6], 100)
    drawn = sample(weights(scale=3.0), TABLE, np.random.default_rng(5), 200, temperatures)
    cold, hot = ({tuple(values.items()) for values in part} for part in (drawn[:100], drawn[100:]))
    assert len(cold) == 1
    assert len(hot) >= 10  # of 15


def test_entropy_of_even_odds():
    w = {name: np.zeros_like(part) for name, part in weights().items()}
    taken = np.array([actions(TABLE, {"filters_1": 8, "deep": False, "norm": "batch"})])
    found = policy_gradient(w, TABLE, taken, np.zeros(1), 0.5)
    total = math.log(3) + math.log(2) + math.log(2)
    assert found.entropy == pytest.approx(total / 3)
    assert found.value == pytest.approx(0.5 * total)


def test_gradients_are_those_of_finite_differences():
    w, rng = weights(), np.random.default_rng(2)
    taken = np.array([actions(TABLE, v) for v in sample(w, TABLE, rng, 6)])
    advantages = rng.normal(size=6)
    gradient = policy_gradient(w, TABLE, taken, advantages, 0.3).gradient
    assert set(gradient) == set(w)

    def value(name, index, change):
        moved = {**w, name: w[name].copy()}
        moved[name][index] += change
        return policy_gradient(moved, TABLE, taken, advantages, 0.3).value

    for name, part in w.items():
        for flat in rng.choice(part.size, min(part.size, 12), replace=False):
            index = np.unravel_index(flat, part.shape)
            slope = (value(name, index, 1e-5) - value(name, index, -1e-5)) / 2e-5
            assert gradient[name][index] == pytest.approx(slope, rel=1e-5, abs=1e-8), name


def test_the_most_probable_values_are_decided_one_after_another():
    """Each has the greatest chance after those before it: of all that begin alike."""
    for seed in range(5):
        w = weights(scale=1.5, seed=seed)
        values, chance = most_probable(w, TABLE)
        assert chance == pytest.approx(probability(w, values))
        alike = list(every_combination())
        for name, value in values.items():
            shares = collections.Counter()
            for each in alike:
                shares[each[name]] += probability(w, each)
            assert shares.most_common(1)[0][0] == value, (seed, name)
            alike = [each for each in alike if each[name] == value]
        assert alike == [values]
