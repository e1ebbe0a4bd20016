"""How the chosen network does on clips that nobody chose on: Keras, the files, all folds."""

from __future__ import annotations

from collections.abc import Sequence
from math import isnan, sqrt
from statistics import fmean
from typing import Any

import numpy as np

from kerasnas.export.forms import PRECISIONS
from kerasnas.report.html.elements import (
    Markup,
    Node,
    badge,
    figure,
    join,
    note,
    paragraph,
    table,
    tag,
)
from kerasnas.report.html.formats import kilobytes, metric, percent
from kerasnas.report.pictures import charts
from kerasnas.report.reading import MissingError, chosen, place, required, training_of
from kerasnas.report.sections.quality import REGRESSION_ROW, baseline_rows
from kerasnas.report.sections.trunk import trunk_settings
from kerasnas.report.statistics import class_scores, wilson, worst_confusions
from kerasnas.runs.layout import WINNER_LABEL
from kerasnas.runs.records import Evaluation, Folds, FoldTraining
from kerasnas.runs.records.trained import OPTIMISTIC
from kerasnas.runs.run import Run
from kerasnas.words import words


def section(run: Run) -> Markup:
    """Scores of all precisions, then confusion matrices or a table of tags."""
    found: dict[str, Evaluation] = {}
    absent = []
    paths = {
        "Keras, float32": training_of(run, chosen(run)).evaluation,
        "TFLite, float16": run.paths.export.evaluation("float16"),
        "TFLite, int8": run.paths.export.evaluation("int8"),
    }
    for precision, path in paths.items():
        try:
            absence = f"There is no {place(run, path)}."
            found[precision] = required(run, Evaluation, path, absence)
        except MissingError as missing:
            absent.append(str(missing))
    if not found:
        raise MissingError("The chosen network has not been scored on held-out clips yet.")
    single = all(result.confusion is not None for result in found.values())
    return join(
        [
            _scores(run, found),
            _confusions(found) if single else _tags(found),
            *(note(line) for line in absent),
        ]
    )


def folds(run: Run) -> Markup:
    """Trainings over folds and seeds, of each network that `kerasnas train` has trained."""
    paths = [network.folds for network in run.paths.networks() if network.folds.is_file()]
    if not paths:
        raise MissingError("No network has been trained fold by fold (kerasnas train --folds all).")
    return join(_folds_of(run, required(run, Folds, path, "")) for path in paths)


def _scores(run: Run, found: dict[str, Evaluation]) -> Markup:
    first = next(iter(found.values()))
    names = [name for name in first.known_metrics if name != "scored_classes"]
    single = first.confusion is not None
    rows: list[list[Node]] = []
    for precision, result in found.items():
        row: list[Node] = [precision, *(metric(n, result.metrics.get(n)) for n in names)]
        if single and result.confusion is not None:
            correct = int(result.confusion.trace())
            low, high = wilson(correct, result.count)
            row += [f"{correct} of {result.count}", f"{percent(low)} to {percent(high)}"]
        rows.append(row)
    blank: list[Node] = ["", ""] if single else []
    rows += [[*row, *blank] for row in baseline_rows(run, names)]
    extra = ["right", "accuracy, 95 % interval (Wilson)"] if single else []
    caption = f"Scores on {first.count} held-out clips"
    return table(caption, ["", *(words(name) for name in names), *extra], rows)


def _confusions(found: dict[str, Evaluation]) -> Markup:
    drawn, same_as = [], []
    matrices: list[tuple[str, Any]] = []
    for precision, result in found.items():
        assert result.confusion is not None
        same = next((n for n, m in matrices if np.array_equal(m, result.confusion)), None)
        matrices.append((precision, result.confusion))
        if same is not None and precision.endswith("float16"):
            same_as.append(note(f"{precision}: the same confusion matrix as {same}."))
            continue
        name = f"confusion-{len(matrices)}"
        picture = charts.confusion_matrix(result.confusion, result.classes, name)
        drawn.append(
            figure(
                picture,
                f"{precision}: clips by label and answer, {result.count} held-out clips. Shading "
                "grows with the share of the label's clips.",
                wide=len(result.classes) > 12,
            )
        )
    first = next(iter(found.values()))
    assert first.confusion is not None
    worst = worst_confusions(first.confusion, first.classes)
    listed = table(
        "Most frequent confusions (Keras, float32)",
        ["label", "taken for", "clips", "of the label's"],
        [[c.truth, c.answer, str(c.clips), str(c.of)] for c in worst],
        text_columns=(0, 1),
    )
    none = paragraph("No held-out clip was taken for another class.")
    return join([tag("div", *drawn, class_="pictures"), *same_as, listed if worst else none])


def _tags(found: dict[str, Evaluation]) -> Markup:
    first = next(iter(found.values()))
    left_out = int((first.labels.sum(axis=0) == 0).sum())
    return join(
        [
            *(_tags_of(precision, result) for precision, result in found.items()),
            note(
                f"{left_out} of {len(first.classes)} tags have no positive clip here and are left "
                "out of every mean."
            )
            if left_out
            else None,
            note(
                "F1, precision and recall at a score of 0.5; ",
                "tuned F1 at the tag's own threshold, chosen by the Keras model's scores of the "
                "validation clips that the final training kept back, and the same for its files. "
                if "tuned_f1" in (first.by_class or {})
                else "",
                "Average precision (AP) and equal error rate need no threshold; by chance they are "
                "the share of the positives, and 0.5. – where a tag has no positive clip, or was "
                "never given.",
            ),
        ]
    )


def _tags_of(precision: str, result: Evaluation) -> Markup:
    known = result.by_class or {}
    columns = {title: known[name] for name, title in _TAG_COLUMNS.items() if name in known}
    rows: list[list[Node]] = [
        [
            score.name,
            str(score.positives),
            *(
                "–" if isnan(value) else f"{value:.3f}"
                for value in (
                    score.f1,
                    score.average_precision,
                    score.precision,
                    score.recall,
                    *(column[index] for column in columns.values()),
                )
            ),
        ]
        for index, score in enumerate(class_scores(result))
    ]
    head = ["tag", "positive clips", "F1", "AP", "precision", "recall", *columns]
    return table(f"{precision}: tags on {result.count} held-out clips", head, rows)


_TAG_COLUMNS = {
    "auc": "AUC",
    "d_prime": "d'",
    "equal_error_rate": "equal error rate",
    "threshold": "threshold",
    "tuned_f1": "tuned F1",
}


def _folds_of(run: Run, folds: Folds) -> Markup:
    measured, trainings = folds.metric, folds.trainings
    test_fold = (run.settings.get("split") or {}).get("test_fold")
    rows: list[list[Node]] = []
    for training in trainings:
        fold = training.fold
        held = " (held out)" if fold is not None and fold == str(test_fold) else ""
        row: list[Node] = [f"{training.tested_on}{held}", str(training.seed), str(training.count)]
        row += [metric(measured, training.score(p, measured)) for p in PRECISIONS]
        rows.append([*row, metric(measured, training.baseline.get(measured))])
    means = [metric(measured, folds.mean.get(p)) for p in PRECISIONS]
    means.append(metric(measured, folds.baseline))
    over = "folds" if folds.by_class else "clips"
    rows.append([f"mean over {over}", "", "", *means])
    if any(folds.deviation.get(p) is not None for p in PRECISIONS):
        deviations = [metric(measured, folds.deviation.get(p)) for p in PRECISIONS]
        rows.append(["deviation over seeds", "", "", *deviations, ""])
    spread = _spread(trainings, measured)
    sizes = [size for t in trainings if (size := t.score("int8", "bytes")) is not None]
    label = folds.architecture
    title = "The chosen network" if label == WINNER_LABEL else label
    head = ["tested on", "seed", "clips", *PRECISIONS, REGRESSION_ROW]
    return join(
        [
            table(f"{title}: {words(measured)} by fold", head, rows, marked=[len(trainings)]),
            *(
                tag("p", badge(False, f"{'; '.join(where)}: {sentence}."))
                for sentence, where in folds.serious().items()
            ),
            note(
                spread,
                f"int8 files of at most {kilobytes(max(sizes))}. " if sizes else "",
                _chosen_with(run, folds),
            ),
        ]
    )


def _chosen_with(run: Run, folds: Folds) -> str:
    """Return on which clips the network was chosen, where that concerns the folds."""
    if all(training.fold is None for training in folds.trainings):
        return ""
    own = folds.architecture == WINNER_LABEL
    if own and trunk_settings(run) is not None:
        return "Each fold has a network of its own, searched anew without the fold's clips."
    if (run.settings.get("split") or {}).get("test_fold"):
        return "The network was chosen with clips of every fold but the held-out one."
    return f"{OPTIMISTIC}." if own else ""


def _spread(trainings: Sequence[FoldTraining], measured: str) -> str:
    values = [v for t in trainings if (v := t.score("float32", measured)) is not None]
    if len(values) < 2:
        return ""
    mean = fmean(values)
    deviation = sqrt(sum((value - mean) ** 2 for value in values) / (len(values) - 1))
    return (
        f"float32, over trainings: {metric(measured, mean)} ± {metric(measured, deviation)} "
        "(standard deviation). "
    )
