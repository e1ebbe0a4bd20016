"""The top of the page: what was found, and how good it is."""

from __future__ import annotations

from kerasnas.measures import direction
from kerasnas.report.html.elements import Markup, Node, join, note, paragraph, tag
from kerasnas.report.html.formats import count, counted, kilobytes, metric, named, percent
from kerasnas.report.reading import MissingError, chosen, optional, training_of
from kerasnas.report.sections.exported import read_export, verdict
from kerasnas.report.sections.quality import held_out_baselines, majority_name, tick, warnings
from kerasnas.report.sections.trunk import begins_with_a_trunk
from kerasnas.report.statistics import median_or_none, wilson
from kerasnas.runs.records import Evaluation, Export, Winner
from kerasnas.runs.run import Run
from kerasnas.runs.trials import Trial, cost_of, held_out_of, value_of
from kerasnas.words import words

_RULES = {"float32_params": "trainable float32 parameters"}


def section(run: Run) -> Markup:
    """Return the chosen network in a few sentences, and its figures at a glance."""
    winner = chosen(run)
    trial = run.trials.numbered(winner.trial)
    try:
        held_out = optional(run, Evaluation, training_of(run, winner).evaluation)
    except MissingError:
        held_out = None  # the page says so at its top
    export, not_exported = None, ""
    try:
        export = read_export(run)
    except MissingError as missing:
        not_exported = str(missing)
    sentences = [
        _why_chosen(run, winner, trial),
        _on_held_out_clips(run, held_out, trial),
        _against_the_median(run, trial),
    ]
    return join(
        [
            warnings(run),
            _tiles(run, held_out, export),
            *(paragraph(sentence) for sentence in sentences if sentence),
            verdict(run, export.checks) if export else note(not_exported),
        ]
    )


def window_of(run: Run) -> tuple[str, float, float] | None:
    """Return the rule by which bytes are counted, and the least and most of them."""
    window = (run.settings.get("search") or {}).get("window") or {}
    try:
        return window["rule"], float(window["minimum"]), float(window["maximum"])
    except (KeyError, TypeError, ValueError):
        return None


def window_in_words(run: Run) -> str:
    """Return the window of sizes as a part of a sentence."""
    window = window_of(run)
    if window is None:
        return "any size"
    rule, minimum, maximum = window
    what = _RULES.get(rule, f"the {words(rule).replace(' file', ' TFLite file')}, predicted")
    if minimum:
        return f"{count(minimum)} to {count(maximum)} bytes of {what}"
    return f"at most {count(maximum)} bytes of {what}"


def _why_chosen(run: Run, winner: Winner, trial: Trial | None) -> Node:
    scored = len(run.trials.completed)
    start = join([tag("strong", f"Trial {winner.trial}"), f" was chosen for its {winner.rule}"])
    if trial is None:
        return join([start, "."])
    by = winner.by
    shown = metric(by, value_of(trial, by)) if by else _all_objectives(run, trial)
    how = "scored with the supernet's weights" if run.inherits else "trained"
    if begins_with_a_trunk(run, trial):
        how = "fitted"
    return join(
        [
            start,
            f" ({shown}) among {counted(scored, 'candidate')}, ",
            f"{how}. It has {count(cost_of(trial, 'parameters'))} parameters and "
            f"measures {count(trial.cost)} bytes where the window allows {window_in_words(run)}.",
        ]
    )


def _all_objectives(run: Run, trial: Trial) -> str:
    return ", ".join(f"{words(n)} {named(n, value_of(trial, n))}" for n in run.trials.objectives)


def _on_held_out_clips(run: Run, held_out: Evaluation | None, trial: Trial | None) -> Node:
    if held_out is None:
        return None
    how, recipe = "Trained again", " with the final recipe"
    if run.inherits:
        how = "Trained from scratch"
    if begins_with_a_trunk(run, trial):
        how, recipe = "Fitted again", ""
    if held_out.confusion is None:
        shown = ", ".join(
            f"{words(name)} {metric(name, value)}"
            for name, value in held_out.known_metrics.items()
            if name != "scored_classes"
        )
        optimistic = " The architecture was chosen on them: the figures are optimistic."
        return (
            f"{how}{recipe}, on {held_out.count} held-out clips: {shown}."
            + optimistic * run.chosen_on_test
        )
    correct = int(held_out.confusion.trace())
    low, high = wilson(correct, held_out.count)
    return join(
        [
            f"{how}{recipe}, it gets ",
            tag("strong", f"{correct} of {held_out.count}"),
            f" held-out clips right: {percent(correct / held_out.count)} "
            f"(95 % interval {percent(low)} to {percent(high)}). "
            + (
                "The architecture was chosen on these clips: the figure is optimistic."
                if run.chosen_on_test
                else "Nothing was chosen on these clips."
            ),
        ]
    )


def _against_the_median(run: Run, trial: Trial | None) -> Node:
    if trial is None:
        return None
    objective = run.trials.scores[0]
    mine = held_out_of(trial, objective)
    found = (held_out_of(other, objective) for other in run.trials.completed)
    others = [value for value in found if value is not None]
    middle = median_or_none(others)
    if mine is None or middle is None or len(others) < 2:
        return None
    difference = mine - middle
    if abs(difference) < 5e-4:
        verdict = "as good as"
    else:
        better = (difference > 0) == (direction(objective) == "max")
        verdict = "better than" if better else "worse than"
    return (
        f"With the short recipe that all candidates had, it is {verdict} the median candidate on "
        f"the same held-out clips: {words(objective)} {metric(objective, mine)} against "
        f"{metric(objective, middle)} ({counted(len(others), 'candidate')})."
    )


def _tiles(run: Run, held_out: Evaluation | None, export: Export | None) -> Markup:
    tiles: list[Markup] = []
    if held_out is not None:
        name = run.trials.scores[0] if run.trials.scores else "accuracy"
        value = held_out.metrics.get(name)
        if held_out.confusion is None:
            small = counted(held_out.count, "held-out clip")
        else:
            right = int(held_out.confusion.trace())
            if name == "accuracy":
                low, high = wilson(right, held_out.count)
                small = f"{percent(low)} to {percent(high)}, {counted(held_out.count, 'clip')}"
            else:  # the interval is of the share of right answers alone
                small = f"{right} of {counted(held_out.count, 'clip')} right"
        tiles.append(_tile(f"held-out {words(name)}", metric(name, value), small))
        if (part := held_out_baselines(run)) is not None:
            beside = f"{majority_name(part)}: {metric(name, part.majority.get(name))}"
            value = part.regression.metrics.get(name)
            tiles.append(_tile("logistic regression", metric(name, value), beside))
    for file in export.files.values() if export else ():
        fits = file.bytes <= file.budget
        budget = tick(run, fits, f"{'within' if fits else 'over'} {kilobytes(file.budget)}")
        agreement = f" · agrees with Keras on {percent(file.agreement)}"
        tiles.append(_tile(file.file, kilobytes(file.bytes), join([budget, agreement])))
    return tag("dl", *tiles, class_="tiles") if tiles else Markup("")


def _tile(name: str, value: str, small: Node) -> Markup:
    return tag("div", tag("dt", name), tag("dd", value), tag("dd", small, class_="small"))
