"""Which candidates are trained again: the best by a score, or the knee of the Pareto front."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from kerasnas import measures
from kerasnas.errors import KerasnasError
from kerasnas.experiment import Experiment
from kerasnas.experiment.search import Option, WinnerRule
from kerasnas.tuners import Trial
from kerasnas.tuners.core.ranking import pareto_front, ranking
from kerasnas.tuners.results import Results
from kerasnas.words import words


def choose_winners(results: Results, experiment: Experiment) -> dict[str, Trial]:
    """Return the candidates that an experiment's rules choose, by the winners' names.

    Raises:
        KerasnasError: No candidate keeps a rule's limits; the least cost that was seen is named.
    """
    return {
        name: _winner(name, rule, results, experiment) for name, rule in experiment.winners.items()
    }


def describe_rule(rule: WinnerRule, experiment: Experiment) -> str:
    """Say what a rule asks for, as a part of a sentence."""
    if rule.rule == "knee":
        text = "knee of the front of " + " and ".join(words(name) for name in experiment.objectives)
    else:
        by = rule.by or experiment.criteria[0]
        text = f"{measures.superlative(by)} validation {words(by)}"
    asked = [f"{words(name)} {value}" for name, value in rule.where.items()]
    asked += [f"at most {most:,} {words(name)}" for name, most in rule.limits.items()]
    return f"{text} with {' and '.join(asked)}" if asked else text


def knee(points: NDArray[np.float64]) -> int:
    """Return the index of the point of a front that gives up least for all it gains.

    It lies farthest from the plane through the front's extremes: its objectives, each scaled to
    0..1 on the front, have the least sum (Das, "On characterizing the knee of the Pareto curve",
    Structural Optimization 18, 1999).

    Args:
        points: Objectives to be minimised, `(points, objectives)`, none dominated.
    """
    low, high = points.min(axis=0), points.max(axis=0)
    scaled = (points - low) / np.where(high > low, high - low, 1)
    return int(np.argmin(scaled.sum(axis=1)))


def _winner(name: str, rule: WinnerRule, results: Results, experiment: Experiment) -> Trial:
    known = [trial for trial in results.trials if _has(trial, rule.where)]
    front = pareto_front(_within(rule.limits, known), results.objectives)
    if front and rule.rule == "knee":
        return front[knee(_points(front, experiment.objectives))]
    if front:  # of candidates that score alike, only those that no other dominates are on it
        return ranking(front, results.objectives, rule.by or experiment.criteria[0])[0]
    if not any(trial.status == "completed" for trial in known):
        asked = ", ".join(f"{gene}: {value}" for gene, value in rule.where.items())
        raise KerasnasError(
            f"search.winners.{name}: no candidate with {asked} was scored: raise search.trials and "
            "run the command again, or leave this winner out"
        )
    costs = [trial.info for trial in results.ranking() if _has(trial, rule.where)]
    least = {limit: min(cost[limit] for cost in costs) for limit in rule.limits}
    raise KerasnasError(
        f"no candidate keeps the limits of search.winners.{name}: "
        + "; ".join(
            f"{limit} at most {most:,}, and the least was {least[limit]:,}"
            for limit, most in rule.limits.items()
        )
    )


def _has(trial: Trial, values: Mapping[str, Option]) -> bool:
    return all(trial.values.get(gene) == value for gene, value in values.items())


def _within(limits: Mapping[str, int], trials: Sequence[Trial]) -> list[Trial]:
    return [
        trial
        for trial in trials
        if trial.status == "completed"
        and all(trial.info[name] <= most for name, most in limits.items())
    ]


def _points(trials: Sequence[Trial], names: Sequence[str]) -> NDArray[np.float64]:
    signs = [1.0 if measures.direction(name) == "min" else -1.0 for name in names]
    rows = [[trial.metrics[name] for name in names] for trial in trials]
    return np.array(rows, np.float64) * signs
