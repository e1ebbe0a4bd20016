"""Pareto fronts: constrained domination, non-dominated sort, crowding, hypervolume.

Deb, Pratap, Agarwal, Meyarivan, "A fast and elitist multiobjective genetic algorithm: NSGA-II",
IEEE Transactions on Evolutionary Computation 6(2), 2002: sections III-A (sorting), III-B (crowding)
and VI-A (constraints). Every function takes objectives to be **minimised**; `minimised` turns
others round. The hypervolume is exact, by slicing along the last objective.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Direction = Literal["min", "max"]


def minimised(values: Array, directions: Sequence[Direction]) -> Array:
    """`values` `(points, objectives)` with those to be maximised negated."""
    signs = np.array([-1.0 if direction == "max" else 1.0 for direction in directions])
    return np.asarray(values, float).reshape(-1, len(signs)) * signs


def dominance(objectives: Array, violations: Array | None = None) -> NDArray[np.bool_]:
    """Which point dominates which.

    A feasible point dominates every infeasible one; of two infeasible ones the less violating
    dominates; of two feasible ones, that which is nowhere worse and somewhere better.

    Args:
        objectives: `(points, objectives)`, minimised.
        violations: `(points,)`, 0 for feasible; None when all are.

    Returns:
        `(points, points)`; `[i, j]` says that i dominates j.
    """
    a, b = objectives[:, None, :], objectives[None, :, :]
    better = np.logical_and((a <= b).all(-1), (a < b).any(-1))
    if violations is None:
        return better
    broken = np.maximum(violations, 0)
    both_feasible = (broken[:, None] == 0) & (broken[None, :] == 0)
    return np.where(both_feasible, better, broken[:, None] < broken[None, :])


def sort_fronts(objectives: Array, violations: Array | None = None) -> list[NDArray[np.intp]]:
    """Points by front: the first is dominated by none, the next only by the first, and so on.

    Args:
        objectives: `(points, objectives)`, minimised.
        violations: As in `dominance`.

    Returns:
        Ascending indices of each front; together they are all points once.
    """
    dominates = dominance(objectives, violations)
    dominators = dominates.sum(0)
    remaining = np.ones(len(objectives), bool)
    fronts = []
    while remaining.any():
        front = np.flatnonzero(remaining & (dominators == 0))
        fronts.append(front)
        remaining[front] = False
        dominators = dominators - dominates[front].sum(0)
    return fronts


def first_front(objectives: Array, violations: Array | None = None) -> NDArray[np.intp]:
    """Ascending indices of the points that none dominates, in memory linear in the points."""
    broken = np.zeros(len(objectives)) if violations is None else np.maximum(violations, 0)
    if not len(objectives):
        return np.array([], np.intp)
    candidates = np.flatnonzero(broken == broken.min())
    if broken.min() > 0:
        return candidates
    points = objectives[candidates]
    # In lexicographic order a point can only be dominated by one before it.
    front: list[int] = []
    for index in np.lexsort(points.T[::-1]):
        kept = points[front]
        if not ((kept <= points[index]).all(-1) & (kept < points[index]).any(-1)).any():
            front.append(int(index))
    return np.sort(candidates[front])


def crowding(objectives: Array) -> Array:
    """Crowding distance of each point of one front: infinite at the ends of an objective.

    Args:
        objectives: `(points, objectives)` of one front.

    Returns:
        `(points,)`; an objective in which all points are equal adds nothing. One or two points
        are all ends.
    """
    count, width = objectives.shape
    if count <= 2:
        return np.full(count, np.inf)
    distance = np.zeros(count)
    for column in range(width):
        order = np.argsort(objectives[:, column], kind="stable")
        values = objectives[order, column]
        spread = values[-1] - values[0]
        if spread == 0:
            continue
        distance[order[[0, -1]]] = np.inf
        distance[order[1:-1]] += (values[2:] - values[:-2]) / spread
    return distance


def hypervolume(objectives: Array, reference: Sequence[float]) -> float:
    """The volume that the points dominate, up to the reference point.

    Args:
        objectives: `(points, objectives)`, minimised.
        reference: `(objectives,)`; points that are not better than it everywhere add nothing.
    """
    bound = np.asarray(reference, float)
    points = np.asarray(objectives, float).reshape(-1, len(bound))
    points = points[(points < bound).all(-1)]
    return _volume(points[first_front(points)], bound)


def _volume(points: Array, bound: Array) -> float:
    if not len(points):
        return 0.0
    if len(bound) == 1:
        return float(bound[0] - points.min())
    points = points[np.argsort(points[:, -1], kind="stable")]
    heights = np.append(points[1:, -1], bound[-1]) - points[:, -1]
    total = 0.0
    for index in np.flatnonzero(heights > 0):
        slab = points[: index + 1, :-1]
        total += _volume(slab[first_front(slab)], bound[:-1]) * float(heights[index])
    return total
