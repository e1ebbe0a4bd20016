"""The top of the page: what was found, and how good it is."""

from __future__ import annotations

from kerasnas.measures import direction
from kerasnas.report import run as files
from kerasnas.report.html.elements import Markup, Node, badge, join, note, paragraph, tag
from kerasnas.report.html.formats import count, kilobytes, metric, percent, words
from kerasnas.report.run import Evaluation, MissingError, Run, Trial, Winner
from kerasnas.report.sections.exported import Export, read_export, verdict
from kerasnas.report.sections.statistics import median_or_none, wilson

_RULES = {"float32_params": "trainable float32 parameters"}


def section(run: Run) -> Markup:
    """The chosen network in a few sentences, and its figures at a glance."""
    winner = files.chosen(run)
    trial = next((trial for trial in run.trials if trial.number == winner.trial), None)
    try:
        held_out = files.evaluation(
            run, f"{winner.directory.relative_to(run.path)}/evaluation.json"
        )
    except MissingError:
        held_out = None
    try:
        export = read_export(run)
    except MissingError:
        export = None
    sentences = [
        _why_chosen(run, winner, trial),
        _on_held_out_clips(run, held_out),
        _against_the_median(run, trial),
    ]
    return join(
        [
            _tiles(run, held_out, export),
            *(paragraph(sentence) for sentence in sentences if sentence),
            verdict(export.checks) if export else note("Nothing has been exported yet."),
        ]
    )


def window_of(run: Run) -> tuple[str, float, float] | None:
    """The rule by which bytes are counted, and the least and most of them."""
    window = (run.experiment.get("search") or {}).get("window") or {}
    try:
        return window["rule"], float(window["minimum"]), float(window["maximum"])
    except (KeyError, TypeError, ValueError):
        return None


def window_in_words(run: Run) -> str:
    """The window of sizes as a part of a sentence."""
    window = window_of(run)
    if window is None:
        return "any size"
    rule, minimum, maximum = window
    what = _RULES.get(rule, f"the {words(rule).replace(' file', ' TFLite file')}, predicted")
    if minimum:
        return f"{count(minimum)} to {count(maximum)} bytes of {what}"
    return f"at most {count(maximum)} bytes of {what}"


def _why_chosen(run: Run, winner: Winner, trial: Trial | None) -> Node:
    rule = files.part(run, "winners.json", "").get("rule", winner.rules[0])
    scored = len(run.completed)
    start = join([tag("strong", f"Trial {winner.trial}"), f" was chosen for its {rule}"])
    if trial is None:
        return join([start, "."])
    objective = winner.rules[0] if winner.rules[0] in trial.objectives else run.objectives[0]
    how = "scored with the supernet's weights" if run.inherits else "trained"
    return join(
        [
            start,
            f" ({metric(objective, trial.objectives.get(objective))}) among {scored} candidates ",
            f"that were {how}. It has {count(trial.parameters)} parameters and measures "
            f"{count(trial.bytes)} bytes where the window allows {window_in_words(run)}.",
        ]
    )


def _on_held_out_clips(run: Run, held_out: Evaluation | None) -> Node:
    if held_out is None:
        return None
    how = "Trained from scratch" if run.inherits else "Trained again"
    if held_out.confusion is None:
        shown = ", ".join(
            f"{words(name)} {metric(name, value)}"
            for name, value in held_out.metrics.items()
            if name != "scored_classes"
        )
        return f"{how} with the final recipe, on {held_out.count} held-out clips: {shown}."
    correct = int(held_out.confusion.trace())
    low, high = wilson(correct, held_out.count)
    return join(
        [
            f"{how} with the final recipe, it gets ",
            tag("strong", f"{correct} of {held_out.count}"),
            f" held-out clips right: {percent(correct / held_out.count)} "
            f"(95 % interval {percent(low)} to {percent(high)}). "
            "Nothing was chosen on these clips.",
        ]
    )


def _against_the_median(run: Run, trial: Trial | None) -> Node:
    if trial is None or trial.test is None:
        return None
    others = [other.test for other in run.completed if other.test is not None]
    objective, middle = run.objectives[0], median_or_none(others)
    if middle is None or len(others) < 2:
        return None
    difference = trial.test - middle
    if abs(difference) < 5e-4:
        verdict = "as good as"
    else:
        better = (difference > 0) == (direction(objective) == "max")
        verdict = "better than" if better else "worse than"
    return (
        f"With the short recipe that all candidates had, it is {verdict} the median candidate on "
        f"the same held-out clips: {words(objective)} {metric(objective, trial.test)} against "
        f"{metric(objective, middle)} ({len(others)} candidates)."
    )


def _tiles(run: Run, held_out: Evaluation | None, export: Export | None) -> Markup:
    tiles: list[Markup] = []
    if held_out is not None:
        name = run.objectives[0] if run.objectives else "accuracy"
        value = held_out.metrics.get(name)
        if held_out.confusion is None:
            small = f"{held_out.count} held-out clips"
        else:
            low, high = wilson(int(held_out.confusion.trace()), held_out.count)
            small = f"{percent(low)} to {percent(high)}, {held_out.count} clips"
        tiles.append(_tile(f"held-out {words(name)}", metric(name, value), small))
    for file in export.files if export else ():
        fits = file.bytes <= file.budget
        budget = badge(fits, f"{'within' if fits else 'over'} {kilobytes(file.budget)}")
        agreement = f" · agrees with Keras on {percent(file.agreement)}"
        tiles.append(_tile(file.name, kilobytes(file.bytes), join([budget, agreement])))
    return tag("dl", *tiles, class_="tiles") if tiles else Markup("")


def _tile(name: str, value: str, small: Node) -> Markup:
    return tag("div", tag("dt", name), tag("dd", value), tag("dd", small, class_="small"))
