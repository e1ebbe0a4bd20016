"""The networks of a run side by side, trained alike and scored on the same clips: a row each.

Tables 1 and 2 of Li et al., Interspeech 2020 (parameters, multiply-accumulates, F1 of every class),
table 4 of Wu & Lee, DCASE 2020 (size and accuracy), table 3 of Liu & Zhang, IJCNN 2020 (equal error
rate of every tag).
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from statistics import fmean, stdev
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from kerasnas import measures
from kerasnas.errors import KerasnasError
from kerasnas.export.forms import PRECISIONS
from kerasnas.files import write_atomically
from kerasnas.report.reading import MissingError, chosen, optional, training_of
from kerasnas.runs.layout import (
    WINNER_LABEL,
    ExportPaths,
    NetworkPaths,
    TrainingPaths,
)
from kerasnas.runs.records import Description, Evaluation, Export, Folds
from kerasnas.runs.run import Run

if TYPE_CHECKING:
    from kerasnas.blocks.architecture import Cost

_RATE = "equal_error_rate"


@dataclass(frozen=True)
class Network:
    """An architecture that was trained with the final recipe.

    Attributes:
        name: As readers know it.
        paths: Its trainings over folds and seeds.
        searched: Whether the search has chosen it.
        trainings: Those scored on the held-out clips, one a seed.
        exports: Files of each of these trainings.
    """

    name: str
    paths: NetworkPaths
    searched: bool
    trainings: tuple[TrainingPaths, ...]
    exports: tuple[ExportPaths, ...]


def networks(run: Run) -> tuple[Network, ...]:
    """Return the searched network, then all others that the run directory holds, by name."""
    found = []
    try:
        winner, paths = chosen(run), run.paths.network(WINNER_LABEL)
        name, tested = f"searched (trial {winner.trial})", paths.tested()
        found.append(
            _network(name, paths, True)
            if tested
            else Network(name, paths, True, (training_of(run, winner),), (run.paths.export,))
        )
    except MissingError:
        pass
    others = [paths for paths in run.paths.networks() if paths.label != WINNER_LABEL]
    return (*found, *(_network(paths.label, paths, False) for paths in others))


def _network(name: str, paths: NetworkPaths, searched: bool) -> Network:
    tested = paths.tested()
    return Network(name, paths, searched, tested, tuple(each.export for each in tested))


@dataclass(frozen=True)
class Row:
    """What a network costs, and what it scores on the held-out clips.

    Attributes:
        name: Of the network.
        searched: Whether it is the network that the search has chosen, or an ensemble of it.
        cost: Computed from its description; None of an ensemble, or where it cannot be read.
        evaluations: By precision, one a training; empty where a file was not made.
        sizes: Bytes of the files, by precision, one a training. That of float32 is predicted.
        folds: What it scores when every fold is tested on in turn; None where it was not.
    """

    name: str
    searched: bool
    cost: Cost | None
    evaluations: Mapping[str, tuple[Evaluation, ...]]
    sizes: Mapping[str, tuple[int, ...]]
    folds: Folds | None = None

    @property
    def trainings(self) -> int:
        """Number of trainings, one a seed."""
        return len(self.evaluations["float32"])

    def scores(self, precision: str, metric: str) -> list[float]:
        """Return a metric of each training, where it has one."""
        found = (each.metrics.get(metric) for each in self.evaluations.get(precision, ()))
        return [value for value in found if value is not None and isfinite(value)]

    def size(self, precision: str) -> float | None:
        """Return the mean bytes of the files; None where there are none."""
        sizes = self.sizes.get(precision)
        return fmean(sizes) if sizes else None

    def over_folds(self, precision: str) -> float | None:
        """Return the mean of the first score over folds and seeds; None where there is none."""
        return None if self.folds is None else self.folds.mean.get(precision)

    def by_class(self, precision: str = "float32") -> NDArray[np.float64] | None:
        """Return `class_scores`, means over trainings; None where there is no file."""
        found = [class_scores(each) for each in self.evaluations.get(precision, ())]
        return None if not found else np.mean(found, axis=0)


def rows(run: Run) -> list[Row]:
    """Return a row of every network, and of every ensemble, that was scored on held-out clips."""
    found = []
    for network in networks(run):
        evaluations = {
            "float32": _read(run, [each.evaluation for each in network.trainings]),
            **{
                name: _read(run, [each.evaluation(name) for each in network.exports])
                for name in PRECISIONS[1:]
            },
        }
        if evaluations["float32"]:
            cost = _cost(run, network.trainings[0])
            sizes = _sizes(run, network.exports)
            if cost is not None:
                sizes["float32"] = (cost.float32_bytes,)
            folds = optional(run, Folds, network.paths.folds)
            if folds is not None and {each.fold for each in folds.trainings} == {None}:
                folds = None  # it was tested on the test clips alone
            found.append(Row(network.name, network.searched, cost, evaluations, sizes, folds))
    for label, paths in run.paths.ensembles().items():
        if answered := _read(run, [paths.evaluation]):
            searched = label == WINNER_LABEL
            name = f"{'searched' if searched else label}, ensemble of folds"
            found.append(Row(name, searched, None, {"float32": answered}, {}))
    return found


def primary_metric(run: Run) -> str:
    """Return the score by which the run's networks are compared first."""
    objectives = (run.settings.get("search") or {}).get("objectives") or ()
    several = bool((run.settings.get("data") or {}).get("multi_label"))
    usual = measures.scores(several)[0]
    passed = (*measures.COSTS, "loss")
    return next((name for name in objectives if name not in passed), usual)


def class_measure(evaluation: Evaluation) -> str:
    """Return what `class_scores` are: `f1`, or of taggers `equal_error_rate`."""
    return "f1" if evaluation.confusion is not None else _RATE


def class_scores(evaluation: Evaluation) -> NDArray[np.float64]:
    """Return `class_measure` of every class, `(classes,)`; NaN where a class has none.

    Where channels are examples, F1 is the mean of each channel's.
    """
    if evaluation.channel_f1 is not None:
        return evaluation.channel_f1
    if evaluation.confusion is not None:
        return f1_of(evaluation.confusion)
    unknown = np.full(len(evaluation.classes), np.nan)
    return (evaluation.by_class or {}).get(_RATE, unknown)


def f1_of(confusion: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return F1 of every class; NaN of one that neither occurs nor was answered.

    Args:
        confusion: Clips by true (rows) and answered (columns) class.
    """
    total = confusion.sum(axis=0) + confusion.sum(axis=1)
    hits = 2.0 * np.diag(confusion)
    return np.divide(hits, total, out=np.full(len(hits), np.nan), where=total > 0)


def write_csv(path: Path, run: Run) -> None:
    """Write the rows as a table: means over trainings, deviations, and every class in float32.

    Raises:
        KerasnasError: The file cannot be written.
    """
    found, metric = rows(run), primary_metric(run)
    first = found[0].evaluations["float32"][0] if found else None
    measure, classes = (class_measure(first), first.classes) if first else ("", ())
    header = ["network", "trainings", "parameters", "trainable_parameters", "macs"]
    header += [f"{name}_bytes{'_predicted' * (name == 'float32')}" for name in PRECISIONS]
    for name in PRECISIONS:
        header += [f"{metric}_{name}", f"{metric}_{name}_deviation"]
    header += [f"{metric}_{name}_over_folds" for name in PRECISIONS]
    lines: list[list[object]] = [[*header, *(f"{measure}: {name}" for name in classes)]]
    for row in found:
        cost = row.cost
        line: list[object] = [row.name, row.trainings]
        line += ["", "", ""] if cost is None else [
            cost.parameters, cost.trainable_parameters, cost.macs,
        ]  # fmt: skip
        line += [_blank(row.size(name)) for name in PRECISIONS]
        for name in PRECISIONS:
            scores = row.scores(name, metric)
            line += [fmean(scores) if scores else "", stdev(scores) if len(scores) > 1 else ""]
        line += [_blank(row.over_folds(name)) for name in PRECISIONS]
        column = row.by_class()
        line += [_blank(float(value)) for value in column] if column is not None else []
        lines.append(line)
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(lines)
    write_atomically(path, text.getvalue(), durable=False)


def _blank(value: float | None) -> float | str:
    return "" if value is None or not isfinite(value) else value


def _read(run: Run, paths: Sequence[Path]) -> tuple[Evaluation, ...]:
    found = (optional(run, Evaluation, path) for path in paths)
    return tuple(evaluation for evaluation in found if evaluation is not None)


def _sizes(run: Run, exports: Sequence[ExportPaths]) -> dict[str, tuple[int, ...]]:
    sizes: dict[str, list[int]] = {}
    for export in exports:
        record = optional(run, Export, export.report)
        for name, file in (record.files if record is not None else {}).items():
            sizes.setdefault(name, []).append(file.bytes)
    return {name: tuple(found) for name, found in sizes.items()}


def _cost(run: Run, training: TrainingPaths) -> Cost | None:
    from kerasnas.blocks.architecture import Architecture

    try:
        described = optional(run, Description, training.description)
        if described is not None:
            return Architecture.from_json(described.architecture).cost()
    except (MissingError, KerasnasError):
        pass  # the page says at its top which file is damaged
    return None
