"""Whether a supernet ranks networks as they rank when each is trained from scratch.

Candidates from all strata of the supernet's scores are trained on the training clips and scored on
the validation clips, as the supernet was. Kendall's rank correlation, its variant b for ties, is
reported with a bootstrap interval over the candidates (percentiles; Efron & Tibshirani, "An
introduction to the bootstrap", 1993, section 13.3).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from kerasnas.errors import counted
from kerasnas.flow.task.session import Session
from kerasnas.flow.task.winners import describe
from kerasnas.flow.workers.pool import FinalTraining, train_missing
from kerasnas.runs.records import Agreement, Evaluation, RankCorrelation, RankedPath
from kerasnas.runs.trials import Trial, Trials
from kerasnas.runs.values import Figures
from kerasnas.streams import Stream
from kerasnas.training.recipe import Recipe

_RESAMPLES = 2000
_Item = TypeVar("_Item")


def kendall(first: Sequence[float], second: Sequence[float], seed: int = 0) -> RankCorrelation:
    """Return how alike two scores rank the same things; NaN where all values are tied.

    Args:
        first: A score of each.
        second: Another one, in the same order.
        seed: Of the resampling.
    """
    scores = np.array([first, second], np.float64)
    count = scores.shape[1]
    drawn = np.random.default_rng(seed).integers(0, count, (_RESAMPLES, count))
    taus = _tau_b(scores[:, drawn])
    taus = taus[np.isfinite(taus)]
    low, high = np.percentile(taus, (2.5, 97.5)) if len(taus) else (np.nan, np.nan)
    return RankCorrelation(float(_tau_b(scores[:, None])[0]), float(low), float(high))


def _tau_b(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of two scores `(2, samples, things)` in every sample; NaN where all values are tied."""
    one, other = np.triu_indices(scores.shape[2], 1)
    first, second = np.sign(scores[:, :, one] - scores[:, :, other])
    untied = np.sqrt((first != 0).sum(axis=1) * (second != 0).sum(axis=1))
    agreeing = (first * second).sum(axis=1)
    return np.divide(agreeing, untied, out=np.full(len(untied), np.nan), where=untied > 0)


def stratified(ranked: Sequence[_Item], count: int, rng: np.random.Generator) -> list[_Item]:
    """One item of each of `count` stretches of a ranking, which are equally long within one."""
    stretches = np.array_split(np.arange(len(ranked)), count)
    return [ranked[int(rng.choice(stretch))] for stretch in stretches]


def measure(session: Session) -> None:
    """Train candidates from scratch and write `agreement.json`; what is there is not done again.

    Where fewer candidates were scored than are asked for, nothing is done but to say so.

    Raises:
        KerasnasError: A training failed.
    """
    experiment = session.experiment
    assert experiment.search.supernet is not None
    settings = experiment.search.supernet.agreement
    if settings is None:
        return
    ranked = Trials.read(session.run).completed
    if len(ranked) < settings.paths:
        session.console.print(
            f"Ranks are not compared: search.supernet.agreement.paths asks for {settings.paths} "
            f"candidates, and {len(ranked)} were scored."
        )
        return
    rng = np.random.default_rng((experiment.seed, Stream.AGREEMENT))
    trials = stratified(ranked, settings.paths, rng)
    recipe = settings.recipe(experiment.training.final)
    jobs: dict[str, FinalTraining] = {}
    for trial in trials:
        architecture = session.task.architecture(trial.values)
        described = describe(
            experiment, architecture, {}, seed=experiment.seed, scored_on="validation"
        )
        described = replace(described, recipe=recipe.model_dump(mode="json"))
        jobs[f"trial {trial.number}"] = session.paths.from_scratch(trial.id), described
    session.console.print(
        f"Comparing ranks with {counted(len(jobs), 'candidate')}, trained from scratch."
    )
    train_missing(session, "agreement", jobs, recipe.epochs)
    alone = [Evaluation.read(training.evaluation).metrics for training, _ in jobs.values()]
    found = _agreement(experiment.criteria, trials, alone, recipe, experiment.seed)
    found.write(session.paths.agreement)


def _agreement(
    criteria: Sequence[str],
    trials: Sequence[Trial],
    alone: Sequence[Figures],
    recipe: Recipe,
    seed: int,
) -> Agreement:
    names = list(dict.fromkeys((*criteria, "loss")))
    ranks = {}
    for name in names:
        supernet = [float(trial.metrics[name] or 0.0) for trial in trials]
        stand_alone = [np.nan if (v := scores[name]) is None else v for scores in alone]
        ranks[name] = kendall(supernet, stand_alone, seed)
    paths = [
        RankedPath(
            trial.number,
            {name: trial.metrics[name] for name in names},
            {name: scores[name] for name in names},
        )
        for trial, scores in zip(trials, alone, strict=True)
    ]
    return Agreement(recipe.epochs, ranks, tuple(paths))
