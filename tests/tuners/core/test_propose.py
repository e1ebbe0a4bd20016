"""The size window, duplicates and patience."""

import itertools
import math

import numpy as np
import pytest

from kerasnas.tuners.core.errors import SearchError
from kerasnas.tuners.core.genes import Genes, key
from kerasnas.tuners.core.history import History
from kerasnas.tuners.core.propose import Window, choose, plain_cost, uniform


def candidates(*numbers):
    return ({"n": number} for number in numbers)


def size(values):
    return values["n"] * 10


@pytest.mark.parametrize(
    ("minimum", "maximum", "accepted"),
    [(None, None, [1, 5, 9]), (5, None, [5, 9]), (None, 5, [1, 5]), (5, 5, [5])],
)
def test_bounds_belong_to_the_window(minimum, maximum, accepted):
    window = Window(size, minimum, maximum)
    assert [cost for cost in (1, 5, 9) if window.contains(cost)] == accepted


def test_empty_window_is_refused():
    with pytest.raises(SearchError, match="empty: from 2 to 1"):
        Window(size, 2, 1)


def test_what_cannot_be_built_is_never_accepted():
    assert not Window(size).contains(math.inf)


def test_first_candidate_that_is_new_and_fits():
    taken = {key({"n": 4})}
    found = choose(candidates(9, 1, 4, 5, 6), Window(size, 30, 60), taken, patience=100)
    assert (found.values, found.cost, found.tried, found.rejected) == ({"n": 5}, 50, 4, 2)
    assert found.sizes == (10, 50, 90)


def test_patience_bounds_an_endless_oracle():
    endless = ({"n": 1} for _ in itertools.count())
    found = choose(endless, None, {key({"n": 1})}, patience=50)
    assert (found.values, found.tried, found.rejected) == (None, 50, 0)
    assert found.nothing(None) == "space exhausted: 50 candidates gave nothing new"


def test_an_oracle_may_end():
    found = choose(candidates(1, 2), Window(size, 900), (), patience=100)
    assert (found.values, found.tried) == (None, 2)
    message = found.nothing(Window(size, 900))
    assert "window of 900 to any: 2 were tried, and their sizes were 10 to 20, median 15" in message


def test_an_oracle_may_have_nothing_left():
    found = choose(candidates(), Window(size, 900), (), patience=100)
    assert found.nothing(Window(size, 900)) == "space exhausted: nothing is left to propose"


def test_nothing_could_be_built():
    window = Window(lambda values: math.inf)
    found = choose(candidates(1, 2), window, (), patience=100)
    assert found.sizes is None
    assert "none of them has a finite size" in found.nothing(window)


@pytest.mark.parametrize("cost", [None, "12", math.nan, True])
def test_cost_must_be_a_number(cost):
    with pytest.raises(SearchError, match="cost function returned"):
        plain_cost(cost, {"n": 1})


def test_costs_become_plain():
    assert type(plain_cost(np.int64(7), {})) is int
    assert type(plain_cost(np.float32(0.5), {})) is float


def test_uniform_draws_every_combination_equally():
    choice = {"class_name": "Choice", "config": {"name": "a", "values": [0, 1, 2]}}
    flag = {"class_name": "Boolean", "config": {"name": "b"}}
    genes = Genes.from_config([choice, flag])
    drawn = itertools.islice(uniform(genes, History(), np.random.default_rng(0), 0), 6000)
    counts = np.zeros((3, 2))
    for values in drawn:
        counts[values["a"], int(values["b"])] += 1
    # Chi-square with 5 degrees of freedom: 20.5 is passed once in a thousand seeds.
    assert ((counts - 1000) ** 2 / 1000).sum() < 20.5
