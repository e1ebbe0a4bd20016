"""Files of a run that are empty, or do not hold what was written."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from kerasnas.errors import KerasnasError
from kerasnas.runs import layout, records
from kerasnas.runs.record import Record

_RECORDS: dict[str, type[Record]] = {
    layout.SEARCH: records.SearchState,
    layout.CONTROLLER: records.ControllerCurve,
    layout.THREADS: records.Threads,
    layout.SUPERNET_HISTORY: records.EpochTable,
    layout.AGREEMENT: records.Agreement,
    layout.HYPERVOLUME: records.Hypervolume,
    layout.BASELINES: records.Baselines,
    layout.RECIPES: records.Recipes,
    layout.FINDINGS: records.Findings,
    layout.EXCERPTS: records.Excerpts,
    layout.STREAMS: records.StreamDecisions,
    layout.MINED: records.Mined,
    layout.WINNERS: records.Winners,
    layout.DESCRIPTION: records.Description,
    layout.HISTORY: records.EpochTable,
    layout.EVALUATION: records.Evaluation,
    layout.FINE_TUNING: records.FineTuned,
    layout.FOLDS: records.Folds,
    layout.ENSEMBLE: records.Ensemble,
    layout.EXPORT: records.Export,
    layout.MADE_FROM: records.MadeFrom,
    layout.FRONT_END: records.FrontEndDescription,
    layout.THRESHOLDS: records.Thresholds,
    layout.POSTPROCESSING: records.Postprocessing,
}


def record_of(path: Path) -> type[Record] | None:
    """Return the class of the record that a file of a run holds; None for other files."""
    if path.match(layout.FILE_EVALUATIONS):
        return records.Evaluation
    return _RECORDS.get(path.name)


_NEVER_EMPTY = (
    layout.MODEL,
    layout.LABELS,
    layout.TRIALS_TABLE,
    layout.NETWORKS,
    layout.SUPERNET,
    "*.tflite",
    "*.keras",
    "*.cc",
    "*.h",
)
"""Patterns of further files that hold something as soon as they have their names."""


def damaged(run: Path) -> Iterator[str]:
    """Yield what is wrong with each file of a run that is empty or cannot be read, in order.

    Models are not opened: an export has the digests of its own.
    """
    for path in sorted(run.rglob("*")):
        if path.name.startswith(".") or not path.is_file():
            continue
        if (kind := record_of(path)) is not None:
            try:
                kind.read(path)
            except KerasnasError as error:
                yield str(error)
        elif not path.stat().st_size and any(map(path.match, _NEVER_EMPTY)):
            yield (
                f"{path} is empty: restore it from a copy, or delete it and run the command that "
                "made it again"
            )
