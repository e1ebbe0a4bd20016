"""What the search saw: sizes, genes, candidates."""

from __future__ import annotations

import re

from kerasnas.errors import KerasnasError
from kerasnas.measures import superlative
from kerasnas.report import run as files
from kerasnas.report.html.elements import Markup, figure, join, note, paragraph, table, tag
from kerasnas.report.html.formats import (
    count,
    duration,
    kilobytes,
    mean_and_deviation,
    metric,
    millions,
    percent,
    words,
)
from kerasnas.report.pictures import charts
from kerasnas.report.run import MissingError, Run, Trial
from kerasnas.report.sections.statistics import Group, groups, median_or_none
from kerasnas.report.sections.summary import window_in_words, window_of

_NO_TRIALS = "No candidate has been scored yet."
_BEST = 10
_PART = re.compile(r"([a-z]+\d+)_")


def sizes(run: Run) -> Markup:
    """Score against size, winners marked (Wu & Lee 2020, figure 3)."""
    objective = run.objectives[0] if run.objectives else ""
    points = [
        (trial.bytes, score)
        for trial in run.completed
        if trial.bytes is not None and (score := trial.objectives[objective]) is not None
    ]
    if not points:
        raise MissingError(_NO_TRIALS)
    marks = []
    try:
        for winner in files.winners(run):
            trial = next(trial for trial in run.trials if trial.number == winner.trial)
            score = trial.objectives[objective]
            if trial.bytes is not None and score is not None:
                best = " and ".join(_superlative(run, rule) for rule in winner.rules)
                chosen = ", chosen" if winner.chosen else ""
                label = f"trial {winner.trial}: {best}{chosen}"
                marks.append(charts.Mark(trial.bytes, score, label))
    except (MissingError, StopIteration):
        pass  # the search goes on; there is no winner to mark
    window = window_of(run)
    picture = charts.score_against_size(
        objective,
        [size for size, _ in points],
        [score for _, score in points],
        marks,
        window and (window[1], window[2]),
    )
    how = (
        "scored on validation clips with the supernet's weights"
        if run.inherits
        else "trained with the short recipe and scored on validation clips"
    )
    caption = f"Each dot is a candidate, {how}. Window (shaded): {window_in_words(run)}."
    return tag("div", figure(picture, caption), _how_it_went(run), class_="pictures")


def genes(run: Run, gene: str | None) -> Markup:
    """Histograms and means by the values of a gene (Wu & Lee 2020, figure 4 and section 4)."""
    if not run.completed:
        raise MissingError(_NO_TRIALS)
    name = gene or _default_gene(run)
    objective = run.objectives[0]
    found = [g for g in groups(run.completed, name) if _scores(g, objective)]
    if not found:
        raise MissingError(f"The values of {name} cannot be compared: they are too many.")
    picture = charts.histograms(objective, name, {g.label: _scores(g, objective) for g in found})
    others = [
        (other, rows)
        for other in run.genes
        if other != name and len(rows := groups(run.completed, other)) > 1
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
    """The best trials, and why others failed."""
    if not run.trials:
        raise MissingError("No trial has been started yet.")
    failed = [trial for trial in run.trials if trial.status == "failed"]
    return join(
        [
            _best_trials(run) if run.completed else None,
            _failed_trials(failed) if failed else paragraph("No trial failed."),
        ]
    )


def check_gene(run: Run, gene: str | None) -> None:
    """Refuse a gene that the experiment does not have.

    Raises:
        KerasnasError: It has none of that name.
    """
    if gene is not None and run.genes and gene not in run.genes:
        raise KerasnasError(f"unknown gene {gene!r}: this run has {', '.join(run.genes)}")


def _superlative(run: Run, rule: str) -> str:
    """A winner's rule: an objective that it is best by, or a name that the experiment gives it."""
    if rule not in run.objectives:
        return words(rule)
    return f"{superlative(rule)} {words(rule)}"


def _how_it_went(run: Run) -> Markup:
    failed = sum(trial.status == "failed" for trial in run.trials)
    open_ = len(run.trials) - len(run.completed) - failed
    parts = [f"{len(run.completed)} candidates scored"]
    if failed:
        parts.append(f"{failed} failed")
    if open_:
        parts.append(f"{open_} unfinished")
    text = ", ".join(parts)
    try:
        search = files.part(run, "search.json", "")
        with files.understanding("search.json"):
            rejected, proposed = int(search["rejected"]), int(search["proposed"])
            seconds = float(search["seconds"])
    except MissingError:
        return paragraph(f"{text}.")
    share = percent(rejected / proposed) if proposed else "none"
    return paragraph(
        f"{text}, in {duration(seconds)}. Of {count(proposed)} proposals, {count(rejected)} "
        f"({share}) lay outside the window and were rejected before any training."
    )


def _default_gene(run: Run) -> str:
    if "growth" in run.genes:
        return "growth"
    few = [name for name in run.genes if len(groups(run.completed, name)) > 1]
    if not few:
        raise MissingError("No gene has values that can be compared.")
    return few[0]


def _scores(group: Group, objective: str) -> list[float]:
    return [s for t in group.trials if (s := t.objectives[objective]) is not None]


def _means(group: Group, objective: str) -> list[str]:
    scores = _scores(group, objective)
    sizes = [trial.bytes for trial in group.trials if trial.bytes is not None]
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
    shown = run.completed[:_BEST]
    try:
        winners = files.winners(run)
    except MissingError:
        winners = ()
    winning = {winner.trial for winner in winners}
    chosen = next((winner.trial for winner in winners if winner.chosen), None)
    held_out = any(trial.test is not None for trial in shown)  # a supernet's scores tell nothing
    head = [
        "trial",
        *(f"validation {words(name)}" for name in run.objectives),
        *([f"held-out {words(run.objectives[0])}"] if held_out else []),
        "size",
        "parameters",
        "multiply-accumulates",
        "time",
        "values",
    ]
    middle = median_or_none([trial.objectives[run.objectives[0]] for trial in run.completed])
    return join(
        [
            table(
                f"The best {len(shown)} of {len(run.completed)} candidates",
                head,
                [_trial_row(run, trial, chosen, held_out) for trial in shown],
                text_columns=(0, len(head) - 1),
                marked=[i for i, trial in enumerate(shown) if trial.number in winning],
            ),
            note(
                "Winners stand out. " if winners else None,
                f"The median candidate's validation {words(run.objectives[0])} is "
                f"{metric(run.objectives[0], middle)}.",
                " Held-out figures are shown for comparison; nothing was chosen on them."
                if held_out
                else None,
            ),
        ]
    )


def _trial_row(run: Run, trial: Trial, chosen: int | None, held_out: bool) -> list[str]:
    return [
        f"{trial.number} (chosen)" if trial.number == chosen else str(trial.number),
        *(metric(name, trial.objectives[name]) for name in run.objectives),
        *([metric(run.objectives[0], trial.test)] if held_out else []),
        kilobytes(trial.bytes),
        count(trial.parameters),
        millions(trial.macs),
        duration(trial.seconds),
        _values(trial),
    ]


def _score(objective: str) -> str:
    """An objective in words, to follow `mean`: mean AUC is one already."""
    return words(objective).removeprefix("mean ")


def _values(trial: Trial) -> str:
    """Active genes; those of one numbered part (`block1_...`) by their values alone."""
    single: list[str] = []
    parts: dict[str, list[str]] = {}
    for name, value in trial.values.items():
        if value and (part := _PART.match(name)):
            parts.setdefault(part.group(1), []).append(value)
        elif value:
            single.append(f"{words(name)} {value}")
    listed = [", ".join(single), *(f"{k}: {', '.join(v)}" for k, v in parts.items())]
    return "; ".join(filter(None, listed))


def _failed_trials(failed: list[Trial]) -> Markup:
    return table(
        f"{len(failed)} failed {'trial' if len(failed) == 1 else 'trials'}",
        ["trial", "reason", "values"],
        [[str(trial.number), trial.error or "not told", _values(trial)] for trial in failed],
        text_columns=(0, 1, 2),
    )
