"""What a search decided: its Pareto front, its controller, and how often it picked what."""

from __future__ import annotations

import re
from collections.abc import Sequence
from operator import le
from typing import Any

import numpy as np

from kerasnas.measures import COSTS, direction
from kerasnas.report.html.elements import Markup, Node, figure, join, note, table, tag
from kerasnas.report.html.formats import counted, kilobytes, named
from kerasnas.report.pictures import search as pictures
from kerasnas.report.reading import optional
from kerasnas.report.sections.trunk import trunk_settings
from kerasnas.runs.records import ControllerCurve
from kerasnas.runs.run import Run
from kerasnas.runs.trials import Trial, value_of
from kerasnas.words import words

_MOST_VALUES = 8
_BYTES = ("int8_bytes", "float16_bytes")
_NEAR = 1.5
"""Published networks larger than this times the largest candidate would stretch the picture."""
_NUMBER = re.compile(r"\d+")


def front(run: Run) -> Markup | None:
    """Return candidates that no other beats in a score and a cost, or in the two objectives.

    None where there are no such two.
    """
    if (pair := _pair(run.trials.objectives)) is None:
        return None
    first, second = pair
    completed = run.trials.completed
    members = _front_of(completed, first, second)
    if not (stairs := _points(members, first, second)):
        return None
    points = _points(completed, first, second)
    published = _published(run) if second in _BYTES else []
    near = {
        each["name"]: (each["score"], each["bytes"])
        for each in published
        if each["bytes"] <= _NEAR * max(other for _, other in points)
    }
    picture = pictures.front(pair, points, stairs, near)
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
        f"in {words(first)} without being worse in {words(second)}."
    )
    drawn = tag("div", figure(picture, caption), listed, class_="pictures")
    return join([drawn, _beside(first, published)]) if published else drawn


def _pair(objectives: Sequence[str]) -> tuple[str, str] | None:
    """Two objectives that have a front in the plane: the only two, or the first score and cost."""
    if len(objectives) == 2:
        return objectives[0], objectives[1]
    costs = [name for name in objectives if name in COSTS]
    scores = [name for name in objectives if name not in COSTS]
    return (scores[0], costs[0]) if len(costs) == 1 and scores else None


def _front_of(trials: Sequence[Trial], first: str, second: str) -> list[Trial]:
    """Trials that no other one beats in two objectives."""
    signs = [1 if direction(name) == "min" else -1 for name in (first, second)]
    placed = [
        (trial, tuple(sign * value for sign, value in zip(signs, point, strict=True)))
        for trial in trials
        for point in _points([trial], first, second)
    ]
    return [
        trial
        for trial, own in placed
        if not any(other != own and all(map(le, other, own)) for _, other in placed)
    ]


def _published(run: Run) -> list[dict[str, Any]]:
    return list((run.settings.get("report") or {}).get("published") or ())


def _beside(first: str, published: Sequence[dict[str, Any]]) -> Markup:
    """Return published networks, and how they were measured."""
    return join(
        [
            table(
                "Published networks",
                ["network", words(first), "size", "protocol"],
                [
                    [
                        each["name"],
                        named(first, each["score"]),
                        kilobytes(each["bytes"]),
                        each.get("protocol") or "–",
                    ]
                    for each in published
                ],
                text_columns=(0, 3),
            ),
            note(
                "Published figures are of test clips, by the protocol of each paper, and "
                "candidates' are of validation clips: the chosen network's own test clips compare. "
                f"Networks of more than {_NEAR:g} times the largest candidate are not drawn."
            ),
        ]
    )


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
    """Return the controller's own choice, and what became of it."""
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
    """Return the first trial that a controller drew without exploration; None for other oracles."""
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
