"""Pareto sorting against hand-made tables and the definitions themselves."""

from itertools import product

import numpy as np
import pytest

from kerasnas.tuners.core import pareto


def dominates(a, b, broken_a, broken_b):
    """Deb et al. 2002, definition 1 in section VI-A, word for word."""
    if broken_a == 0 and broken_b > 0:
        return True
    if broken_a > 0 and broken_b > 0:
        return broken_a < broken_b
    if broken_a > 0:
        return False
    return all(x <= y for x, y in zip(a, b, strict=True)) and any(
        x < y for x, y in zip(a, b, strict=True)
    )


@pytest.mark.parametrize("width", [1, 2, 3])
def test_which_of_two_points_is_first(width):
    for pair in product(product([0.0, 1.0, np.inf], repeat=width), repeat=2):
        first = [not dominates(other, point, 0, 0) for point, other in (pair, pair[::-1])]
        front = pareto.sort_fronts(np.array(pair))[0].tolist()
        assert front == [index for index in range(2) if first[index]]


def test_fronts_by_hand():
    #   0 and 1 trade off, 2 is behind 0, 3 behind 1 and 2, 4 equals 0
    objectives = np.array([[1, 4], [3, 1], [2, 5], [4, 6], [1, 4]], float)
    fronts = [front.tolist() for front in pareto.sort_fronts(objectives)]
    assert fronts == [[0, 1, 4], [2], [3]]


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("width", [1, 2, 3])
def test_fronts_by_definition(seed, width):
    rng = np.random.default_rng(seed)
    objectives = rng.integers(0, 5, (40, width)).astype(float)
    violations = np.where(rng.random(40) < 0.5, 0.0, rng.integers(1, 4, 40))
    fronts = pareto.sort_fronts(objectives, violations)
    assert sorted(np.concatenate(fronts).tolist()) == list(range(40))
    remaining = set(range(40))
    for front in fronts:
        undominated = [
            j
            for j in remaining
            if not any(
                dominates(objectives[i], objectives[j], violations[i], violations[j])
                for i in remaining
            )
        ]
        assert front.tolist() == sorted(undominated)
        remaining -= set(undominated)
    assert pareto.first_front(objectives, violations).tolist() == fronts[0].tolist()


def test_nothing_has_no_front():
    empty = np.zeros((0, 2))
    assert pareto.sort_fronts(empty) == []
    assert pareto.sort_fronts(empty, np.zeros(0)) == []
    assert pareto.first_front(empty).tolist() == []
    assert pareto.hypervolume(empty, [1, 1]) == 0


def test_crowding_by_hand():
    # Sorted by the first objective: gaps of (1 + 3)/4 and (3 + 1)/4 round the two inner points.
    objectives = np.array([[0, 4], [4, 0], [1, 3], [3, 1]], float)
    inner = ((3 - 0) / 4 + (4 - 1) / 4) / 2
    assert pareto.crowding(objectives).tolist() == [np.inf, np.inf, inner, inner]


@pytest.mark.parametrize("count", [0, 1, 2])
def test_crowding_of_few_points(count):
    assert pareto.crowding(np.ones((count, 2))).tolist() == [np.inf] * count


def test_crowding_of_equal_points_adds_nothing():
    assert pareto.crowding(np.array([[0, 7], [1, 7], [2, 7]], float)).tolist() == [
        np.inf, 0.5, np.inf,
    ]  # fmt: skip


def inputs(seed, width):
    """Random points; by seed, with few different values, duplicates, or infinities."""
    rng = np.random.default_rng((seed, width))
    count = int(rng.integers(1, 80))
    points = [rng.random((count, width)), rng.integers(0, 4, (count, width)).astype(float)][
        seed % 2
    ]
    if seed % 3 == 0:
        points = points[rng.integers(0, count, count)]
    if seed % 5 == 0:
        points[rng.random(points.shape) < 0.2] = np.inf
        points[rng.random(points.shape) < 0.1] = -np.inf
    return points


DEGENERATE = [
    np.array([[3.0, 4.0]]),
    np.full((7, 2), 2.0),
    np.array([[0.0, 1.0], [1.0, 0.0]]),
    np.array([[0.0, np.inf], [1.0, np.inf], [2.0, 5.0], [2.0, 5.0]]),
    np.array([[-np.inf, np.inf], [np.inf, -np.inf], [0.0, 0.0]]),
    np.full((3, 2), np.inf),
]
CASES = [inputs(seed, width) for width in (1, 2, 3) for seed in range(30)] + DEGENERATE


@pytest.mark.parametrize("points", CASES)
def test_fronts_equal_pymoos(points):
    sorting = pytest.importorskip("pymoo.util.nds.non_dominated_sorting").NonDominatedSorting
    dominator = pytest.importorskip("pymoo.util.dominator").Dominator
    # Its fast sort differs from its own definition for three objectives with infinities (0.6.2).
    fast = points.shape[1] < 3 or np.isfinite(points).all()
    peer = sorting() if fast else sorting(dominator=dominator())
    expected = [sorted(front.tolist()) for front in peer.do(points)]
    assert [front.tolist() for front in pareto.sort_fronts(points)] == expected


@pytest.mark.filterwarnings("ignore:invalid value encountered")  # pymoo's, for infinities
@pytest.mark.parametrize("points", CASES)
def test_crowding_equals_pymoos(points):
    metrics = pytest.importorskip("pymoo.operators.survival.rank_and_crowding.metrics")
    expected = metrics.get_crowding_function("cd").do(points)
    np.testing.assert_allclose(pareto.crowding(points), expected, rtol=1e-12)


def test_minimised():
    assert pareto.minimised(np.array([[0.9, 5.0]]), ["max", "min"]).tolist() == [[-0.9, 5.0]]


@pytest.mark.parametrize(
    ("points", "reference", "volume"),
    [
        ([[1, 1]], [3, 4], 6),
        ([[1, 3], [2, 2], [3, 1]], [4, 4], 6),  # a staircase of 3 + 2 + 1 unit squares
        ([[1, 3], [2, 2], [3, 1], [3, 3], [2, 2]], [4, 4], 6),  # dominated and equal add nothing
        ([[4, 0], [5, 5]], [4, 4], 0),  # not better than the reference everywhere
        ([[2]], [5], 3),
        ([[0, 0, 0]], [2, 3, 4], 24),
        ([[0, 1, 1], [1, 0, 1], [1, 1, 0]], [2, 2, 2], 4),  # 2 + 2 + 2, less 3 overlaps, plus 1
    ],
)
def test_hypervolume_by_hand(points, reference, volume):
    assert pareto.hypervolume(np.array(points, float), reference) == pytest.approx(volume)


@pytest.mark.parametrize("width", [2, 3, 4])
def test_hypervolume_by_counting_cells(width):
    rng = np.random.default_rng(width)
    points = rng.integers(0, 6, (12, width))
    cells = np.array(list(product(range(6), repeat=width)))
    covered = (points[None] <= cells[:, None]).all(-1).any(-1).sum()
    assert pareto.hypervolume(points.astype(float), [6] * width) == pytest.approx(covered)
