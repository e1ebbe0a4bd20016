"""From candidates to a suggestion: the size window, duplicates, patience.

An oracle's own part is a `Propose`: a pure generator of candidates. What is common to all oracles,
refusing candidates that were tried before or lie outside the window, is done here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass, fields, is_dataclass
from itertools import islice
from statistics import median
from typing import Any

import numpy as np

from .errors import SearchError, counted
from .genes import Genes, Key, Value, Values, key
from .history import History
from .plain import json_number

Propose = Callable[[Genes, History, np.random.Generator, int], Iterator[dict[str, Value]]]
"""`propose(genes, history, rng, number)`: candidates for the trial of this number, best first.

It must depend on its arguments alone and leave `history` as it is; it may end (nothing is left to
propose), go on for ever, or raise `Wait`. Values are plain Python, of the active genes only
(`Genes.decode`).
"""


def arguments_of(propose: Propose) -> dict[str, Any]:
    """Return what tells searches by this oracle apart: a dataclass' arguments, else none."""
    if not is_dataclass(propose):
        return {}
    return {item.name: getattr(propose, item.name) for item in fields(propose) if item.init}


class Wait(Exception):  # noqa: N818, nothing is wrong
    """The next candidate depends on what comes of trials that are still running."""


@dataclass(frozen=True)
class Window:
    """What a candidate may cost.

    Attributes:
        cost: From values to a number, in bytes for example; infinity for what cannot be built,
            which is never accepted. It must not change between runs.
        minimum: The least that is accepted, itself included; None for no bound.
        maximum: The greatest that is accepted, itself included; None for no bound.
    """

    cost: Callable[[Values], float]
    minimum: float | None = None
    maximum: float | None = None

    def __post_init__(self) -> None:
        if self.minimum is not None and self.maximum is not None and self.minimum > self.maximum:
            raise SearchError(f"the window is empty: from {self.minimum} to {self.maximum}")

    def contains(self, cost: float) -> bool:
        """Whether something of this cost is accepted."""
        return (
            math.isfinite(cost)
            and (self.minimum is None or cost >= self.minimum)
            and (self.maximum is None or cost <= self.maximum)
        )

    def __str__(self) -> str:
        low = "any" if self.minimum is None else f"{self.minimum:,.0f}"
        high = "any" if self.maximum is None else f"{self.maximum:,.0f}"
        return f"{low} to {high}"


def size_window(
    cost: Callable[[Values], float] | None, minimum: float | None, maximum: float | None
) -> Window | None:
    """Return the window of an oracle's arguments; None without a cost.

    Raises:
        SearchError: A bound without a cost, or an empty window.
    """
    if cost is not None:
        return Window(cost, minimum, maximum)
    if minimum is not None or maximum is not None:
        raise SearchError("a window needs a cost function: pass cost=values -> size")
    return None


@dataclass(frozen=True)
class Suggestion:
    """What came of looking for the next values.

    Attributes:
        values: None when no candidate was both new and inside the window.
        cost: Of `values`; None without a window.
        tried: Candidates looked at.
        rejected: Those outside the window.
        sizes: Least, median and greatest finite cost of the rejected; None when there were none.
    """

    values: dict[str, Value] | None
    cost: float | None
    tried: int
    rejected: int
    sizes: tuple[float, float, float] | None

    def nothing(self, window: Window | None) -> str:
        """Why there are no values, in words."""
        if not self.tried:
            return "space exhausted: nothing is left to propose"
        if self.rejected < self.tried or window is None:
            refused = f", {self.rejected:,} of them outside the window" if self.rejected else ""
            return f"space exhausted: {counted(self.tried, 'candidate')} gave nothing new{refused}"
        tried = f"no candidate fits the window of {window}: {self.tried:,} were tried, and"
        if self.sizes is None:
            return f"{tried} none of them has a finite size. Change the space or the input"
        least, middle, most = self.sizes
        return (
            f"{tried} their sizes were {least:,.0f} to {most:,.0f}, median {middle:,.0f}. "
            "Move the window there, or change the space"
        )


def uniform(
    genes: Genes, history: History, rng: np.random.Generator, number: int
) -> Iterator[dict[str, Value]]:
    """Every gene on its own, each of its values equally probable (random search)."""
    while True:
        yield genes.decode(rng.random(len(genes)).tolist())


def choose(
    candidates: Iterator[dict[str, Value]],
    window: Window | None,
    taken: Container[Key],
    patience: int,
) -> Suggestion:
    """Return the first of at most `patience` candidates that is new and inside the window.

    Args:
        candidates: May be endless.
        window: None accepts every cost.
        taken: Keys of the values that were tried before.
        patience: At least 1.

    Raises:
        Wait: From `candidates`.
    """
    tried = 0
    refused: list[float] = []
    for values in islice(candidates, patience):
        tried += 1
        if key(values) in taken:
            continue
        cost = None if window is None else plain_cost(window.cost(values), values)
        if window is None or cost is None or window.contains(cost):
            return Suggestion(values, cost, tried, len(refused), _spread(refused))
        refused.append(cost)
    return Suggestion(None, None, tried, len(refused), _spread(refused))


def plain_cost(cost: float, values: Values) -> float:
    """Return the cost as a plain number; whole numbers stay integers, infinity passes.

    Raises:
        SearchError: It is no number, NaN, or an integer that no float can hold.
    """
    what = f"what the cost function returned for {dict(values)}"
    number = json_number(cost, what)
    if isinstance(cost, bool | np.bool_) or math.isnan(number):
        raise SearchError(f"{what} is {cost!r}: give a number")
    return number


def _spread(costs: list[float]) -> tuple[float, float, float] | None:
    sizes = [cost for cost in costs if math.isfinite(cost)]
    return (min(sizes), median(sizes), max(sizes)) if sizes else None
