"""The decision whose values a run is best understood by."""

from __future__ import annotations

from kerasnas.report.reading import MissingError, optional
from kerasnas.report.statistics import groups
from kerasnas.runs.records import SearchState
from kerasnas.runs.run import Run


def headline_gene(run: Run) -> str | None:
    """Return the gene that the search space names, or else the first with few values.

    None where no gene has values that can be compared.
    """
    try:
        state = optional(run, SearchState, run.paths.search)
    except MissingError:
        state = None  # the page says so at its top
    if state is not None and state.headline_gene in run.trials.genes:
        return state.headline_gene
    few = (name for name in run.trials.genes if len(groups(run.trials.completed, name)) > 1)
    return next(few, None)
