"""NSGA-II with an exploration share, for discrete and conditional spaces.

Li et al., "Neural Architecture Search on Acoustic Scene Classification", Interspeech 2020, section
2.2.3, on Deb et al. 2002 (see `pareto`): tournament, exchange and mutation in `variation`, elitist
selection in `survival`. Constraints: a candidate outside the search's window is never tried, and
trials with a `violation` come behind all feasible ones.

Algorithm 2 mutates every exchanged child, and its tournaments are Deb's, of two:
`NSGA2(variation="published", entrants=2)`. The defaults deviate: a child comes from an exchange or
from a mutation, each half of the time, and five enter a tournament, which finds better fronts
(`benchmarks/pareto.py`).

Further deviations, of both: Algorithm 2 prints the two shares of a generation the other way round
than equation 1, which is followed; the random part of a generation comes first, as it needs no
results; no values are tried twice; and no worker waits at the end of a generation unless it is
asked for (`synchronous`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal, get_args
from weakref import WeakKeyDictionary

import numpy as np

from ..core.errors import SearchError
from ..core.genes import Genes, Value
from ..core.history import History
from ..core.propose import Wait, uniform
from .survival import Generations, Survivors
from .variation import exchanged, mutated, winners

CHILDREN = 1000
"""After so many children of which none was new and inside the window, candidates are random."""

EXCHANGED = 0.5
"""Chance that a child of the alternating variation comes from an exchange, not from a mutation."""

Variation = Literal["alternating", "published"]


@dataclass(frozen=True)
class NSGA2:
    """A `Propose`: `Search(..., propose=NSGA2())`.

    The generation of suggestion k is k // population. Its parents are the best `population` of the
    trials of earlier generations that have completed by then, so failed trials never become any.

    Attributes:
        population: Suggestions a generation, and survivors of it; at least 2.
        exploitation: The share of a generation made by exchange and mutation, the rest is random.
            A pair `(start, span)` is the paper's equation 1: 0 before generation `start`, counted
            from 1, then `(generation - start) / span`, at most 1. A number is the share of
            every generation but the first, which is random.
        mutations: Genes that are changed, at most; at least 1.
        variation: How a child is made of two tournament winners. `published`: an exchange, then a
            mutation of the same child. `alternating`: one or the other.
        entrants: Members of a tournament, of which one wins; at least 1, and 2 is the paper's.
        synchronous: Suggest nothing that depends on an earlier generation before all its trials
            have ended. Any number of workers then gets the trials of a single one.
    """

    population: int = 64
    exploitation: float | tuple[float, float] = (15, 68.75)
    mutations: int = 4
    variation: Variation = "alternating"
    entrants: int = 5
    synchronous: bool = False
    _generations: WeakKeyDictionary[History, Generations] = field(
        default_factory=WeakKeyDictionary, init=False, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        if self.population < 2:
            raise SearchError(f"population must be at least 2, not {self.population!r}")
        if self.mutations < 1:
            raise SearchError(f"mutations must be at least 1, not {self.mutations!r}")
        if self.variation not in get_args(Variation):
            raise SearchError(
                f"variation must be {' or '.join(get_args(Variation))}, not {self.variation!r}"
            )
        if self.entrants < 1:
            raise SearchError(f"entrants must be at least 1, not {self.entrants!r}")
        if isinstance(self.exploitation, int | float):
            if not 0 <= self.exploitation <= 1:
                raise SearchError(f"exploitation must be 0 to 1, not {self.exploitation!r}")
        elif len(self.exploitation) != 2 or not self.exploitation[1] > 0:
            raise SearchError(
                f"exploitation must be (start, span) with a positive span, or a number from 0 to "
                f"1, not {self.exploitation!r}"
            )

    def share(self, generation: int) -> float:
        """Return the share of this generation, counted from 0, that exchange and mutation make."""
        if generation == 0:
            return 0.0
        if isinstance(self.exploitation, int | float):
            return self.exploitation
        start, span = self.exploitation
        return min(max((generation + 1 - start) / span, 0.0), 1.0)

    def __call__(
        self, genes: Genes, history: History, rng: np.random.Generator, number: int
    ) -> Iterator[dict[str, Value]]:
        """Candidates for the trial of this number.

        Raises:
            Wait: It is `synchronous`, and trials of earlier generations are still running.
        """
        generation, index = divmod(number, self.population)
        if index >= self.population - round(self.share(generation) * self.population):
            generations = self._generations.setdefault(history, Generations(self.population))
            survivors = generations.before(history, generation)
            if self.synchronous and not survivors.final:
                raise Wait
            if len(survivors.trials) > 1:
                yield from self._children(genes, survivors, rng)
        yield from uniform(genes, history, rng, number)

    def _children(
        self, genes: Genes, survivors: Survivors, rng: np.random.Generator
    ) -> Iterator[dict[str, Value]]:
        for _ in range(CHILDREN):
            first, second = (
                genes.chromosome(survivors.trials[index].values)
                for index in winners(survivors.ranks, survivors.crowding, self.entrants, rng)
            )
            if self.variation == "published":
                child = genes.chromosome(exchanged(genes, first, second, rng))
                yield mutated(genes, child, self.mutations, rng)
            elif rng.random() < EXCHANGED:
                yield exchanged(genes, first, second, rng)
            else:
                yield mutated(genes, first, self.mutations, rng)
