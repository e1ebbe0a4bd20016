"""Pareto fronts: constrained domination, non-dominated sort, crowding, hypervolume.

Deb, Pratap, Agarwal, Meyarivan, "A fast and elitist multiobjective genetic algorithm: NSGA-II",
IEEE Transactions on Evolutionary Computation 6(2), 2002: sections III-A (sorting), III-B (crowding)
and VI-A (constraints). Every function takes objectives to be **minimised**; `minimised` turns
others round. The hypervolume is exact, by slicing along the last objective.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Direction = Literal["min", "max"]


def minimised(values: Array, directions: Sequence[Direction]) -> Array:
    """`values` `(points, objectives)` with those to be maximised negated."""
    signs = np.array([-1.0 if direction == "max" else 1.0 for direction in directions])
    return np.asarray(values, float).reshape(-1, len(signs)) * signs


def sort_fronts(objectives: Array, violations: Array | None = None) -> list[NDArray[np.intp]]:
    """Points by front: the first is dominated by none, the next only by the first, and so on.

    A feasible point dominates every infeasible one, and of two infeasible ones the less violating
    dominates: behind the fronts of the feasible points come the others, by their violation.

    Args:
        objectives: `(points, objectives)`, minimised; infinities are allowed, NaN is not.
        violations: `(points,)`, 0 for feasible; None when all are.

    Returns:
        Ascending indices of each front; together they are all points once.
    """
    if violations is None:
        return _grouped(_ranks(objectives))
    broken = np.maximum(violations, 0)
    feasible = np.flatnonzero(broken == 0)
    infeasible = np.flatnonzero(broken)
    _, order = np.unique(broken[infeasible], return_inverse=True)
    fronts = [feasible[front] for front in _grouped(_ranks(objectives[feasible]))]
    return fronts + [infeasible[front] for front in _grouped(order)]


def _ranks(objectives: Array) -> NDArray[np.integer]:
    """The front of each point, counted from 0."""
    count, width = objectives.shape
    if width == 1 or not count:
        return np.unique(objectives, return_inverse=True)[1].reshape(-1)
    return _ranks_of_pairs(objectives) if width == 2 else _ranks_by_bits(objectives)


def _ranks_of_pairs(objectives: Array) -> NDArray[np.integer]:
    """`_ranks` of two objectives, in time n log n.

    In lexicographic order a point can only be dominated by one before it, and within a front the
    last has the least second objective: `least`, which grows from front to front.
    """
    firsts, seconds = objectives.T
    order = firsts.argsort()
    ordered = firsts[order]
    new = np.ones(len(order), bool)  # equal points share a front
    if (ordered[1:] == ordered[:-1]).any():
        # NumPy orders complex numbers lexicographically, in more time.
        points = np.ascontiguousarray(objectives, np.float64).view(np.complex128)[:, 0]
        order = points.argsort()
        np.not_equal(points[order[1:]], points[order[:-1]], out=new[1:])
    least: list[float] = []
    fronts: list[int] = []
    count = 0
    for second in seconds[order[new]].tolist():
        front = bisect_right(least, second)
        if front < count:
            least[front] = second
        else:
            least.append(second)
            count += 1
        fronts.append(front)
    # NumPy sorts the small type, by which the fronts are made, in linear time.
    small = np.uint16 if len(order) < 1 << 16 else np.intp
    ranks: NDArray[np.integer] = np.empty(len(order), small)
    ranks[order] = np.fromiter(fronts, small, len(fronts))[new.cumsum() - 1]
    return ranks


def _ranks_by_bits(objectives: Array) -> NDArray[np.integer]:
    """`_ranks` of any number of objectives, in n log n operations on sets of points.

    Sets are the bits of an integer, n squared / 8 bytes in all. In lexicographic order a point can
    only be dominated by one before it, which in no other objective comes behind it, and one that a
    front's member dominates has such a member in every front before that one.
    """
    order = np.lexsort(objectives.T[::-1])
    points = objectives[order]
    bits = [1 << place for place in range(len(points))]
    better = [-1] * len(points)
    for column in points.T[1:]:
        before = 0
        for place in column.argsort(kind="stable").tolist():
            better[place] &= before
            before |= bits[place]
    repeated = np.zeros(len(points), bool)  # equal points share a front
    repeated[1:] = (points[1:] == points[:-1]).all(axis=1)
    members: list[int] = []
    ranks: list[int] = []
    for bit, dominators, again in zip(bits, better, repeated.tolist(), strict=True):
        if again:
            ranks.append(ranks[-1])
            continue
        low, high = 0, len(members)
        while low < high:
            middle = (low + high) // 2
            if dominators & members[middle]:
                low = middle + 1
            else:
                high = middle
        if low == len(members):
            members.append(bit)
        else:
            members[low] |= bit
        ranks.append(low)
    found = np.empty(len(order), np.intp)
    found[order] = ranks
    return found


def _grouped(ranks: NDArray[np.integer]) -> list[NDArray[np.intp]]:
    """Ascending indices of the points of each rank."""
    order = ranks.argsort(kind="stable")
    ends = np.bincount(ranks).cumsum().tolist()
    return [order[start:end] for start, end in pairwise([0, *ends])]


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

    Deviation, as in pymoo, which orders points alike: the mean over the objectives, not the sum.

    Args:
        objectives: `(points, objectives)` of one front.

    Returns:
        `(points,)`; an objective that is equal for all points or reaches from or to infinity adds
        nothing. One or two points are all ends.
    """
    count, width = objectives.shape
    if count <= 2:
        return np.full(count, np.inf)
    order = np.argsort(objectives, axis=0, kind="stable")
    distance = np.zeros(count)
    for column in range(width):
        indices = order[:, column]
        values = objectives[indices, column]
        low, high = values[[0, -1]].tolist()
        if low == high or math.isinf(low) or math.isinf(high):
            continue
        distance[indices[1:-1]] += (values[2:] - values[:-2]) / (high - low)
        distance[indices[[0, -1]]] = np.inf
    return distance / width


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
