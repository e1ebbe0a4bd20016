"""Grid search: every combination once, in a fixed order.

The second stage of Liu & Zhang, IJCNN 2020, section V.B. Unlike KerasTuner's own grid, which keeps
its place in memory only, it resumes: the place is read off the history.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from .core.genes import Genes, Key, Value, Values, key
from .core.history import History
from .core.propose import Wait
from .core.trial import Trial


@dataclass(frozen=True)
class Grid:
    """Proposes every combination of values, then ends; a `Propose`.

    It goes on behind the trial that it suggested last. At the end it looks once from the beginning
    for what it has passed over: combinations with genes that were met only while building.

    A trial that completed has asked for the genes that it has values of and for no others, so a
    combination that only adds values of other genes to it would build the same network: it is
    passed over. One that only adds to a trial that is still running waits for it.
    """

    def __call__(
        self, genes: Genes, history: History, rng: np.random.Generator, number: int
    ) -> Iterator[dict[str, Value]]:
        """Yield candidates for the trial of this number, none of them tried before.

        Raises:
            SearchError: A gene is continuous.
            Wait: All that is left may build what a running trial builds.
        """
        own = (trial for trial in reversed(history.trials.values()) if not trial.enqueued)
        last = next(own, None)
        places = [None] if last is None else [last.values, None]
        trials = history.trials.values() if history.grown else ()
        built = _networks(trial for trial in trials if trial.status == "completed")
        begun = _networks(trial for trial in trials if trial.status in ("running", "waiting"))
        waits = False
        for place in places:
            for values in combinations(genes, place):
                if key(values) in history.keys or _repeats(values, built):
                    continue
                if _repeats(values, begun):
                    waits = True
                else:
                    yield values
        if waits:
            raise Wait


def _networks(trials: Iterable[Trial]) -> dict[tuple[str, ...], set[Key]]:
    """Return the values of trials, by the names of the genes that they have."""
    networks: dict[tuple[str, ...], set[Key]] = {}
    for trial in trials:
        tried = key(trial.values)
        networks.setdefault(tuple(name for name, _ in tried), set()).add(tried)
    return networks


def _repeats(values: Values, networks: Mapping[tuple[str, ...], Container[Key]]) -> bool:
    """Whether these values only add values of other genes to one of the networks."""
    return any(
        all(name in values for name in names)
        and tuple((name, values[name]) for name in names) in tried
        for names, tried in networks.items()
    )


def combinations(genes: Genes, after: Values | None = None) -> Iterator[dict[str, Value]]:
    """Every combination of active genes: the last gene changes first, in the order of its values.

    Args:
        genes: The table.
        after: Only those behind this one.

    Raises:
        SearchError: A gene is continuous, be it active or not.
    """
    options = [gene.options() for gene in genes]

    def from_gene(index: int, values: Values, place: Values | None) -> Iterator[dict[str, Value]]:
        if index == len(genes):
            if place is None:
                yield dict(values)
            return
        gene = genes[index]
        if gene.name in values or not gene.active(values):
            yield from from_gene(index + 1, values, place)
            return
        start = 0
        if place is not None and place.get(gene.name) in options[index]:
            start = options[index].index(place[gene.name])
        for value in options[index][start:]:
            yield from from_gene(index + 1, {**values, gene.name: value}, place)
            place = None

    return from_gene(0, {}, after)
