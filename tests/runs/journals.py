"""Journals of searches that went as a test says."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from kerasnas.tuners import Gene, Search, Window


class Candidate(NamedTuple):
    """A trial: completed with `metrics`, failed with `error`, still running with neither."""

    values: Mapping[str, Any]
    size: int
    metrics: Mapping[str, float] | None = None
    info: Mapping[str, Any] = {}
    error: str | None = None
    seconds: float = 1.0


def write_journal(
    run: Path,
    genes: Sequence[Gene],
    objectives: Sequence[tuple[str, str]],
    candidates: Sequence[Candidate],
) -> None:
    """Write the journal of a search that tried these candidates one after another."""
    now = [0.0]
    sizes = {tuple(sorted(each.values.items())): each.size for each in candidates}
    with Search(
        genes,
        objectives,
        max_trials=len(candidates),
        propose=lambda genes, history, rng, number: iter([dict(candidates[number].values)]),
        window=Window(lambda values: sizes[tuple(sorted(values.items()))]),
        max_consecutive_failures=None,
        directory=run,
        clock=lambda: now[0],
    ) as search:
        for candidate in candidates:
            trial = search.ask()
            assert trial is not None
            now[0] += candidate.seconds
            if candidate.metrics is not None:
                search.tell(trial.id, candidate.metrics, candidate.info)
            elif candidate.error is not None:
                search.fail(trial.id, candidate.error)
