"""What a search decided: its Pareto front, its controller, and how often it picked what."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from kerasnas.measures import direction
from kerasnas.report.html.elements import Markup, Node, figure, join, note, table, tag
from kerasnas.report.html.formats import counted, named
from kerasnas.report.pictures import search as pictures
from kerasnas.report.reading import optional
from kerasnas.report.sections.trunk import trunk_settings
from kerasnas.runs.records import ControllerCurve
from kerasnas.runs.run import Run
from kerasnas.runs.trials import Trial, value_of
from kerasnas.words import words

_MOST_VALUES = 8
_NUMBER = re.compile(r"\d+")


def front(run: Run) -> Markup | None:
    """The candidates that no other beats in both objectives; None unless there are two."""
    if len(run.trials.objectives) != 2:
        return None
    first, second = run.trials.objectives
    completed = run.trials.completed
    members = [trial for trial in completed if trial.number in run.trials.front]
    if not (stairs := _points(members, first, second)):
        return None
    picture = pictures.front((first, second), _points(completed, first, second), stairs)
    listed = table(
        f"{len(members)} of {counted(len(completed), 'candidate')} on the front",
        ["trial", words(first), words(second)],
        [
            [str(trial.number), *(named(n, value_of(trial, n)) for n in (first, second))]
            for trial in _best_first(members, first)
        ],
    )
    how = "the supernet's weights" if run.inherits else "the short recipe"
    if trunk_settings(run) is not None:
        how = "what was fitted to training clips"
    caption = (
        f"On validation clips, with {how}. No candidate is better than one of the front "
        "in one objective without being worse in the other."
    )
    return tag("div", figure(picture, caption), listed, class_="pictures")


def controller(run: Run) -> Markup | None:
    """Reward and entropy over trials; None where no controller searched."""
    record = optional(run, ControllerCurve, run.paths.controller)
    if record is None:
        return None
    curve = record.curve
    if not curve:
        return note("The controller has not learned from a whole batch of trials yet.")
    picture = pictures.controller(
        [update.trials for update in curve],
        [update.reward for update in curve],
        [update.baseline for update in curve],
        [update.entropy for update in curve],
        _explored(run) or 0,
    )
    begin, end = curve[0], curve[-1]
    return join(
        [
            figure(
                picture,
                "A dot is an update of the controller. The reward is the mean of the batch: "
                f"{_reward(run)}. Entropy is that of the controller's distributions, before "
                "the update; 0 is settled.",
            ),
            note(
                f"{counted(len(curve), 'update')} by {counted(end.trials, 'trial')}: mean reward "
                f"{begin.reward:.3f} in the first batch and {end.reward:.3f} in the last, entropy "
                f"{begin.entropy:.3f} "
                f"and {end.entropy:.3f} nats. Learning shows in a falling entropy, success in a "
                "rising reward."
            ),
            _most_probable(run, record),
        ]
    )


def _most_probable(run: Run, record: ControllerCurve) -> Markup | None:
    """The controller's own choice, and what became of it."""
    found = record.most_probable
    if found is None:
        return None
    tried = next((t for t in run.trials.all if dict(t.values) == dict(found.values)), None)
    rows: list[list[Node]] = [[words(name), str(value)] for name, value in found.values.items()]
    return join(
        [
            table("What the controller finds most probable", ["decision", "value"], rows),
            note(
                f"Each decision has its most probable value; all together have the probability "
                f"{found.probability:.3g}. ",
                f"It is trial {tried.number}. " if tried else "It has not been tried. ",
                tag("code", "kerasnas train RUN --architecture RUN:most_probable"),
                " trains it.",
            ),
        ]
    )


def choices(run: Run) -> Markup | None:
    """How often each value was picked, layer by layer; None where no decision recurs."""
    kinds: dict[str, list[str]] = {}
    trials = run.trials.all
    for name in run.trials.genes:
        kinds.setdefault(_NUMBER.sub("", name).strip("_"), []).append(name)
    explored = _explored(run)
    drawn = []
    for kind, names in kinds.items():
        values = _values(trials, names)
        if len(names) < 2 or not 2 <= len(values) <= _MOST_VALUES:
            continue
        panels = [pictures.Picked(f"all {len(trials)}", _counts(trials, names, values))]
        settled = [trial for trial in trials if explored and trial.number >= explored]
        if settled:
            counts = _counts(settled, names, values)
            panels.append(pictures.Picked(f"last {len(settled)}, none at random", counts))
        shown = kind.partition("_")[2] or kind
        rows = [words(name.removesuffix(shown).strip("_")) or name for name in names]
        picture = pictures.choices(shown, rows, values, panels, f"picked-{kind}")
        drawn.append(figure(picture))
    if not drawn:
        return None
    return join(
        [
            tag("div", *drawn, class_="pictures"),
            note("Numbers count trials, whatever became of them; shading is the share of a row."),
        ]
    )


def _best_first(trials: Sequence[Trial], objective: str) -> list[Trial]:
    sign = 1 if direction(objective) == "min" else -1
    return sorted(trials, key=lambda trial: sign * (value_of(trial, objective) or 0))


def _points(trials: Sequence[Trial], first: str, second: str) -> list[tuple[float, float]]:
    pairs = ((value_of(trial, first), value_of(trial, second)) for trial in trials)
    return [(one, other) for one, other in pairs if one is not None and other is not None]


def _explored(run: Run) -> int | None:
    """The first trial that a controller drew without exploration; None for other oracles."""
    oracle = (run.settings.get("search") or {}).get("oracle")
    if not isinstance(oracle, dict) or oracle.get("name") != "controller":
        return None
    return max(0, int(oracle["budget"]) - int(oracle["settled"]))


def _reward(run: Run) -> str:
    names = run.trials.objectives
    return f"the validation {words(names[0])}, negated where less is better" if names else "unnamed"


def _values(trials: Sequence[Trial], names: Sequence[str]) -> list[str]:
    """All that occur, numbers in their order."""
    found = {str(trial.values[name]) for trial in trials for name in names if name in trial.values}
    try:
        return sorted(found, key=float)
    except ValueError:
        return sorted(found)


def _counts(trials: Sequence[Trial], names: Sequence[str], values: Sequence[str]) -> Any:
    return np.array(
        [
            [sum(str(trial.values.get(n)) == value for trial in trials) for value in values]
            for n in names
        ]
    )
