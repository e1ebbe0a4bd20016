"""What a search decided: its Pareto front, its controller, and how often it picked what."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from kerasnas.measures import COSTS
from kerasnas.report import run as files
from kerasnas.report.html.elements import Markup, figure, join, note, table, tag
from kerasnas.report.html.formats import count, metric, words
from kerasnas.report.pictures import search as pictures
from kerasnas.report.run import Run, Trial

_CURVE = "controller.json"
_MOST_VALUES = 8
_NUMBER = re.compile(r"\d+")


def front(run: Run) -> Markup | None:
    """The candidates that no other beats in both objectives; None unless there are two."""
    names = _objectives(run)
    if len(names) != 2:
        return None
    first, second = names
    members = [trial for trial in run.completed if trial.front]
    if not (stairs := _points(members, first, second)):
        return None
    picture = pictures.front((first, second), _points(run.completed, first, second), stairs)
    listed = table(
        f"{len(members)} of {len(run.completed)} candidates are on the front",
        ["trial", words(first), words(second)],
        [
            [str(trial.number), *(_shown(name, trial.value(name)) for name in names)]
            for trial in sorted(members, key=lambda trial: trial.score(first), reverse=True)
        ],
    )
    how = "the supernet's weights" if run.inherits else "the short recipe"
    caption = (
        f"On validation clips, with {how}. No candidate is better than one of the front "
        "in one objective without being worse in the other."
    )
    return tag("div", figure(picture, caption), listed, class_="pictures")


def controller(run: Run) -> Markup | None:
    """Reward and entropy over trials; None where no controller searched."""
    if not (run.path / _CURVE).is_file():
        return None
    data = files.part(run, _CURVE, "")
    with files.understanding(_CURVE):
        curve = [dict(update) for update in data["curve"]]
        if not curve:
            return note("The controller has not learned from a whole batch of trials yet.")
        picture = pictures.controller(
            [int(update["trials"]) for update in curve],
            _column(curve, "reward"),
            _column(curve, "baseline"),
            _column(curve, "entropy"),
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
                    f"{len(curve)} updates by {end['trials']} trials: mean reward "
                    f"{begin['reward']:.3f} in the first batch and {end['reward']:.3f} in the "
                    f"last, entropy {begin['entropy']:.3f} and {end['entropy']:.3f} nats. Learning "
                    "shows in a falling entropy, success in a rising reward."
                ),
            ]
        )


def choices(run: Run) -> Markup | None:
    """How often each value was picked, layer by layer; None where no decision recurs."""
    kinds: dict[str, list[str]] = {}
    for name in run.genes:
        kinds.setdefault(_NUMBER.sub("", name).strip("_"), []).append(name)
    explored = _explored(run)
    drawn = []
    for kind, names in kinds.items():
        values = _values(run, names)
        if len(names) < 2 or not 2 <= len(values) <= _MOST_VALUES:
            continue
        panels = [pictures.Picked(f"all {len(run.trials)}", _counts(run.trials, names, values))]
        settled = [trial for trial in run.trials if explored and trial.number >= explored]
        if settled:
            counts = _counts(settled, names, values)
            panels.append(pictures.Picked(f"last {len(settled)}, none at random", counts))
        shown = kind.partition("_")[2] or kind
        rows = [words(name.removesuffix(shown).strip("_")) or name for name in names]
        drawn.append(figure(pictures.choices(shown, rows, values, panels, f"picked-{kind}")))
    if not drawn:
        return None
    return join(
        [
            tag("div", *drawn, class_="pictures"),
            note("Numbers count trials, whatever became of them; shading is the share of a row."),
        ]
    )


def _shown(name: str, value: float | None) -> str:
    return count(value) if name in COSTS else metric(name, value)


def _objectives(run: Run) -> list[str]:
    if not (run.path / "search.json").is_file():
        return []
    data = files.part(run, "search.json", "")
    return [str(name) for name, _ in data.get("objectives", ())]


def _points(trials: Sequence[Trial], first: str, second: str) -> list[tuple[float, float]]:
    pairs = ((trial.value(first), trial.value(second)) for trial in trials)
    return [(one, other) for one, other in pairs if one is not None and other is not None]


def _column(curve: Sequence[Mapping[str, Any]], name: str) -> list[float]:
    return [float(update[name]) for update in curve]


def _explored(run: Run) -> int | None:
    """The first trial that a controller drew without exploration; None for other oracles."""
    oracle = (run.experiment.get("search") or {}).get("oracle")
    if not isinstance(oracle, dict) or oracle.get("name") != "controller":
        return None
    return max(0, int(oracle["budget"]) - int(oracle["settled"]))


def _reward(run: Run) -> str:
    names = _objectives(run)
    return f"the validation {words(names[0])}, negated where less is better" if names else "unnamed"


def _values(run: Run, names: Sequence[str]) -> list[str]:
    """All that occur, numbers in their order."""
    found = {trial.values.get(name, "") for trial in run.trials for name in names} - {""}
    try:
        return sorted(found, key=float)
    except ValueError:
        return sorted(found)


def _counts(trials: Sequence[Trial], names: Sequence[str], values: Sequence[str]) -> Any:
    return np.array(
        [[sum(trial.values.get(n) == value for trial in trials) for value in values] for n in names]
    )
