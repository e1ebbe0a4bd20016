"""The searched network against named ones, trained alike and scored on the same clips."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite, nan
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from kerasnas.export.forms import PRECISIONS
from kerasnas.report.html.elements import Markup, Node, join, note, paragraph, table, tag
from kerasnas.report.html.formats import count, mean_and_deviation, megabytes, metric, millions
from kerasnas.report.networks import Row, f1_of, networks, primary_metric, rows
from kerasnas.report.reading import MissingError, chosen, optional, training_of
from kerasnas.runs.layout import WINNER_LABEL
from kerasnas.runs.records import Evaluation, FoldClasses, Folds
from kerasnas.runs.run import Run
from kerasnas.words import words

_RATE = "equal_error_rate"


def section(run: Run) -> Markup | None:
    """Scores, and equal error rates by tag (Liu & Zhang 2020, table 3); None for a lone network.

    A tagger's rates are shown of a lone one, too.
    """
    found = rows(run)
    scored = {row.name: row.evaluations["float32"] for row in found}
    tagger = any(known[0].by_class for known in scored.values())
    over_folds = _over_folds(run)
    if not tagger and len(scored) < 2:
        return None
    lone = len(scored) < 2 and len(over_folds) < 2
    return join(
        [
            _costs(run, found) if len(scored) > 1 else None,
            _scores(found, scored) if len(scored) > 1 else None,
            _tags_of_clips(scored) if tagger else None,
            _tags_of_folds(over_folds) if over_folds else None,
            note(tag("code", "kerasnas table RUN --architecture NAME"), " adds a named network.")
            if lone
            else note(
                "All were trained with the final recipe. ± is the deviation over seeds. Held-out "
                "clips chose nothing; the searched network was chosen with clips of the folds."
            ),
        ]
    )


def classes(run: Run) -> Markup | None:
    """F1 of every class for the chosen network, its ensemble, and named networks (table 2).

    None where clips carry several labels, and before a network was chosen.
    """
    try:
        winner = chosen(run)
    except MissingError:
        return None
    found: dict[str, Evaluation] = {}
    places = {
        "one network": training_of(run, winner).evaluation,
        "ensemble of folds": run.paths.ensemble(WINNER_LABEL).evaluation,
    }
    for label, path in places.items():
        try:
            evaluation = optional(run, Evaluation, path)
        except MissingError:
            continue  # the page says so at its top
        if evaluation is not None:
            found[label] = evaluation
    if not found or any(evaluation.confusion is None for evaluation in found.values()):
        return None
    columns: dict[str, NDArray[np.float64]] = {}
    for label, evaluation in found.items():
        assert evaluation.confusion is not None
        if evaluation.channel_f1 is not None:
            columns[f"{label}, each channel alone"] = evaluation.channel_f1
            label = f"{label}, mean of channels"
        columns[label] = f1_of(evaluation.confusion)
    try:
        others = [row for row in rows(run) if not row.searched]
    except MissingError:
        others = []  # the page says so at its top
    for row in others:
        if (column := row.by_class()) is not None:
            columns[row.name] = column
    first, *_ = found.values()
    lines: list[list[Node]] = [
        [name, *(metric("f1", _known(column[index])) for column in columns.values())]
        for index, name in enumerate(first.classes)
    ]
    lines.append(["macro F1", *(metric("f1", _mean_f1(column)) for column in columns.values())])
    return join(
        [
            table(
                f"F1 of every class on {first.count} held-out clips",
                ["class", *columns],
                lines,
                marked=[len(lines) - 1],
            ),
            paragraph("Not answered by an ensemble yet: kerasnas train RUN --ensemble.")
            if len(found) == 1 and run.inherits
            else None,
        ]
    )


def _costs(run: Run, found: Sequence[Row]) -> Markup:
    """Return what networks cost, and their first score in every precision, with bytes beside it."""
    name = primary_metric(run)
    lines: list[list[Node]] = [
        [
            row.name,
            count(None if row.cost is None else row.cost.parameters),
            millions(None if row.cost is None else row.cost.macs),
            *(megabytes(row.size(precision)) for precision in PRECISIONS),
            *(_mean(name, row.scores(precision, name)) for precision in PRECISIONS),
        ]
        for row in found
    ]
    head = ["network", "parameters", "multiply-accumulates"]
    head += ["float32, predicted", "float16 file", "int8 file"]
    head += [f"{words(name)}, {precision}" for precision in PRECISIONS]
    return table("What networks cost, and how well they answer", head, lines)


def _scores(found: Sequence[Row], scored: Mapping[str, Sequence[Evaluation]]) -> Markup:
    first = next(iter(scored.values()))[0]
    names = [name for name in first.known_metrics if name != "scored_classes"]
    lines: list[list[Node]] = [
        [
            row.name,
            count(None if row.cost is None else row.cost.parameters),
            str(row.trainings),
            *(_mean(name, row.scores("float32", name)) for name in names),
        ]
        for row in found
    ]
    head = ["network", "parameters", "trainings", *(words(name) for name in names)]
    return table(f"Scores on the same {first.count} held-out clips", head, lines)


def _tags_of_clips(scored: Mapping[str, Sequence[Evaluation]]) -> Markup:
    first = next(iter(scored.values()))[0]
    lines: list[list[Node]] = []
    for network, known in scored.items():
        tables = [_column(each, _RATE) for each in known]
        mean = [each.metrics.get(_RATE) for each in known]
        by_seed = zip(*tables, strict=True)
        lines.append([network, *(_mean(_RATE, rates) for rates in by_seed), _mean(_RATE, mean)])
    positives = [int(value) for value in _column(first, "positives")]
    caption = f"Equal error rate by tag on {first.count} held-out clips"
    return _tag_table(caption, first.classes, positives, lines)


def _over_folds(run: Run) -> dict[str, FoldClasses]:
    """Return what `folds.json` says of taggers' classes, by network; fold by fold only."""
    found = {}
    for network in networks(run):
        scored = optional(run, Folds, network.paths.folds)
        folds = {training.fold for training in scored.trainings} if scored else ()
        if scored is not None and scored.by_class is not None and len(folds) > 1:
            found[network.name] = scored.by_class
    return found


def _tags_of_folds(found: Mapping[str, FoldClasses]) -> Markup:
    first = next(iter(found.values()))
    lines: list[list[Node]] = []
    for name, classes in found.items():
        rates = classes.scores.get("float32", {}).get(_RATE, _unknown(classes.classes))
        known = [rate for rate in rates if isfinite(rate)]
        mean = fmean(known) if known else nan
        lines.append([name, *(_mean(_RATE, [rate]) for rate in (*rates, mean))])
    caption = "Equal error rate by tag, mean over folds"
    return _tag_table(caption, first.classes, first.positives, lines)


def _tag_table(
    caption: str, classes: Sequence[str], positives: Sequence[int], lines: list[list[Node]]
) -> Markup:
    listed: list[list[Node]] = [["positive clips", *map(str, positives), ""], *lines]
    return table(caption, ["network", *classes, "mean"], listed)


def _column(evaluation: Evaluation, name: str) -> NDArray[np.float64]:
    return (evaluation.by_class or {}).get(name, _unknown(evaluation.classes))


def _unknown(classes: Sequence[str]) -> NDArray[np.float64]:
    return np.full(len(classes), nan)


def _mean(name: str, values: Sequence[float | None]) -> str:
    known = [value for value in values if value is not None and isfinite(value)]
    return mean_and_deviation(name, known) if known else "–"


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _mean_f1(column: NDArray[np.float64]) -> float | None:
    known = column[np.isfinite(column)]
    return float(known.mean()) if len(known) else None
