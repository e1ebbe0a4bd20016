"""What the search saw: sizes, genes, candidates."""

from __future__ import annotations

import re
from collections.abc import Sequence

from kerasnas.errors import KerasnasError
from kerasnas.measures import superlative
from kerasnas.report.headline import headline_gene
from kerasnas.report.html.elements import Markup, figure, join, note, paragraph, table, tag
from kerasnas.report.html.formats import (
    count,
    counted,
    duration,
    kilobytes,
    mean_and_deviation,
    metric,
    millions,
    percent,
)
from kerasnas.report.pictures import charts
from kerasnas.report.reading import MissingError, optional, winners
from kerasnas.report.sections.summary import window_in_words, window_of
from kerasnas.report.sections.trunk import trunk_settings
from kerasnas.report.statistics import Group, groups, median_or_none
from kerasnas.runs.records import SearchState
from kerasnas.runs.run import Run
from kerasnas.runs.trials import Trial, cost_of, held_out_of, value_of
from kerasnas.words import words

_NO_TRIALS = "No candidate has been scored yet."
_BEST = 10
_PART = re.compile(r"([a-z]+\d+)_")


def sizes(run: Run) -> Markup:
    """Score against size, winners marked (Wu & Lee 2020, figure 3)."""
    objective = run.trials.scores[0] if run.trials.scores else ""
    points = [
        (trial.cost, score)
        for trial in run.trials.completed
        if trial.cost is not None and (score := value_of(trial, objective)) is not None
    ]
    if not points:
        raise MissingError(_NO_TRIALS)
    marks = []
    try:
        for winner in winners(run):
            trial = run.trials.numbered(winner.trial)
            score = None if trial is None else value_of(trial, objective)
            if trial is not None and trial.cost is not None and score is not None:
                best = " and ".join(_superlative(run, rule) for rule in winner.names)
                chosen = ", chosen" if winner.chosen else ""
                label = f"trial {winner.trial}: {best}{chosen}"
                marks.append(charts.Mark(trial.cost, score, label))
    except MissingError:
        pass  # the search goes on, or the page says at its top why there is no winner to mark
    window = window_of(run)
    picture = charts.score_against_size(
        objective,
        [size for size, _ in points],
        [score for _, score in points],
        marks,
        window and (window[1], window[2]),
    )
    if run.inherits:
        how = "scored on validation clips with the supernet's weights"
    else:
        fitted = "trained with the short recipe" if trunk_settings(run) is None else "fitted"
        how = f"{fitted} and scored on validation clips"
    caption = f"Each dot is a candidate, {how}. Window (shaded): {window_in_words(run)}."
    drawn = figure(picture, caption)
    return tag("div", drawn, _how_it_went(run), class_="pictures")


def genes(run: Run, gene: str | None) -> Markup:
    """Histograms and means by the values of a gene (Wu & Lee 2020, figure 4 and section 4)."""
    if not run.trials.completed:
        raise MissingError(_NO_TRIALS)
    name = gene or headline_gene(run)
    if name is None:
        raise MissingError("No gene has values that can be compared.")
    objective = run.trials.scores[0]
    found = groups(run.trials.completed, name)
    if not found:
        raise MissingError(f"The values of {name} cannot be compared: they are too many.")
    picture = charts.histograms(objective, name, {g.label: _scores(g, objective) for g in found})
    others = [
        (other, rows)
        for other in run.trials.genes
        if other != name and len(rows := groups(run.trials.completed, other)) > 1
    ]
    listed = table(
        f"Mean {_score(objective)} and size by {words(name)}",
        [words(name), "candidates", f"mean {_score(objective)}", "mean size"],
        [_means(group, objective) for group in found],
    )
    return join(
        [
            tag(
                "div",
                figure(
                    picture,
                    f"Share of the candidates of each {words(name)} by {words(objective)} on "
                    "validation clips; the line is their mean.",
                ),
                listed,
                class_="pictures",
            ),
            note(
                "± is the standard deviation over candidates. Genes vary together, and a few "
                "candidates say little: read differences below one deviation as none."
            ),
            _other_genes(others, objective) if others else None,
        ]
    )


def candidates(run: Run) -> Markup:
    """Return the best trials, and why others failed."""
    if not run.trials.all:
        raise MissingError("No trial has been started yet.")
    failed = run.trials.failed
    return join(
        [
            _best_trials(run) if run.trials.completed else None,
            _failed_trials(failed) if failed else paragraph("No trial failed."),
        ]
    )


def check_gene(run: Run, gene: str | None) -> None:
    """Refuse a gene that the experiment does not have.

    Raises:
        KerasnasError: It has none of that name.
    """
    known = run.trials.genes
    if gene is not None and known and gene not in known:
        raise KerasnasError(f"unknown gene {gene!r}: this run has {', '.join(known)}")


def _superlative(run: Run, rule: str) -> str:
    """Return a winner's rule: the objective it is best by, or its name in the experiment."""
    if rule not in run.trials.objectives:
        return words(rule)
    return f"{superlative(rule)} {words(rule)}"


def _how_it_went(run: Run) -> Markup:
    scored, failed = len(run.trials.completed), len(run.trials.failed)
    open_ = len(run.trials.all) - scored - failed
    parts = [f"{counted(scored, 'candidate')} scored"]
    if failed:
        parts.append(f"{failed} failed")
    if open_:
        parts.append(f"{open_} unfinished")
    text = ", ".join(parts)
    try:
        state = optional(run, SearchState, run.paths.search)
    except MissingError as missing:
        return join([paragraph(f"{text}."), note(str(missing))])
    if state is None:
        return paragraph(f"{text}.")
    share = percent(state.rejected / state.proposed) if state.proposed else "none"
    limits = " or the limits" if (run.settings.get("search") or {}).get("limits") else ""
    return paragraph(
        f"{text}, in {duration(state.seconds)}. Of {count(state.proposed)} proposals, "
        f"{count(state.rejected)} ({share}) lay outside the window{limits} and were rejected "
        "before any training."
    )


def _scores(group: Group, objective: str) -> list[float]:
    return [s for t in group.trials if (s := value_of(t, objective)) is not None]


def _means(group: Group, objective: str) -> list[str]:
    scores = _scores(group, objective)
    sizes = [trial.cost for trial in group.trials if trial.cost is not None]
    return [
        group.label,
        str(len(group.trials)),
        mean_and_deviation(objective, scores) if scores else "–",
        mean_and_deviation("bytes", sizes) if sizes else "–",
    ]


def _other_genes(others: list[tuple[str, tuple[Group, ...]]], objective: str) -> Markup:
    rows: list[list[str]] = []
    for name, found in others:
        rows += [[words(name)], *(_means(group, objective) for group in found)]
    return tag(
        "details",
        tag("summary", "The same for every other gene"),
        table(
            "Means by the values of each gene",
            ["value", "candidates", f"mean {_score(objective)}", "mean size"],
            rows,
        ),
    )


def _best_trials(run: Run) -> Markup:
    shown, first = run.trials.completed[:_BEST], run.trials.scores[0]
    try:
        won = winners(run)
    except MissingError:
        won = ()
    winning = {winner.trial for winner in won}
    chosen = next((winner.trial for winner in won if winner.chosen), None)
    # A supernet's scores of held-out clips would tell nothing.
    tested = any(held_out_of(trial, first) is not None for trial in shown)
    head = [
        "trial",
        *(f"validation {words(name)}" for name in run.trials.scores),
        *([f"held-out {words(first)}"] if tested else []),
        "size",
        "parameters",
        "multiply-accumulates",
        "time",
        "values",
    ]
    middle = median_or_none([value_of(trial, first) for trial in run.trials.completed])
    return join(
        [
            table(
                f"The best {len(shown)} of {counted(len(run.trials.completed), 'candidate')}",
                head,
                [_trial_row(run, trial, chosen, tested) for trial in shown],
                text_columns=(0, len(head) - 1),
                marked=[i for i, trial in enumerate(shown) if trial.number in winning],
            ),
            note(
                "Winners stand out. " if won else None,
                f"The median candidate's validation {words(first)} is {metric(first, middle)}.",
                " Held-out figures are shown for comparison; nothing was chosen on them."
                if tested and not run.chosen_on_test
                else None,
            ),
        ]
    )


def _trial_row(run: Run, trial: Trial, chosen: int | None, tested: bool) -> list[str]:
    scores = run.trials.scores
    return [
        f"{trial.number} (chosen)" if trial.number == chosen else str(trial.number),
        *(metric(name, value_of(trial, name)) for name in scores),
        *([metric(scores[0], held_out_of(trial, scores[0]))] if tested else []),
        kilobytes(trial.cost),
        count(cost_of(trial, "parameters")),
        millions(cost_of(trial, "macs")),
        duration(trial.seconds),
        _values(trial),
    ]


def _score(objective: str) -> str:
    """Return an objective in words, to follow `mean`: mean AUC is one already."""
    return words(objective).removeprefix("mean ")


def _values(trial: Trial) -> str:
    """Active genes; those of one numbered part (`block1_...`) by their values alone."""
    single: list[str] = []
    parts: dict[str, list[str]] = {}
    for name, value in trial.values.items():
        if part := _PART.match(name):
            parts.setdefault(part.group(1), []).append(str(value))
        else:
            single.append(f"{words(name)} {value}")
    listed = [", ".join(single), *(f"{k}: {', '.join(v)}" for k, v in parts.items())]
    return "; ".join(filter(None, listed))


def _failed_trials(failed: Sequence[Trial]) -> Markup:
    return table(
        counted(len(failed), "failed trial"),
        ["trial", "reason", "values"],
        [[str(trial.number), trial.message or "not told", _values(trial)] for trial in failed],
        text_columns=(0, 1, 2),
    )
