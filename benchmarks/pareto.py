"""NSGA-II on a tabulated toy problem: ours, its peers and random search, at the same budget.

The problem has the size of NASC-net's space: twenty layers of six choices. Tables drawn from a
seed give each choice of a layer its multiply-accumulates, and each pair of choices of neighbouring
layers what it adds to an accuracy with falling returns. Every search gets the same number of
candidates and the same population; what is compared is the hypervolume of all it has seen, in
percent of the box between the best and the worst of each objective. Peers have their own default
operators; `published` is Li et al.'s Algorithm 2 (`variation: published`, `entrants: 2`).

    python benchmarks/pareto.py [--seeds 10] [--candidates 4480] [--population 64] [--only NAME]

Also prints how long sorting and crowding take against pymoo's. Optuna and pymoo are measured when
they are installed (`pip install optuna pymoo`).
"""

from __future__ import annotations

import argparse
import importlib.util
import time
from collections.abc import Callable, Iterator, Sequence
from statistics import fmean, median, stdev
from typing import Any

import numpy as np

from kerasnas.tuners import Gene, Genes, Search
from kerasnas.tuners.core.pareto import crowding, hypervolume, sort_fronts
from kerasnas.tuners.core.propose import Propose, uniform
from kerasnas.tuners.nsga2.algorithm import NSGA2

LAYERS, CHOICES = 20, 6


class Problem:
    """The tables: `score(path)` is `(loss, cost)`, both to be minimised, both within 0 to 1."""

    def __init__(self, seed: int) -> None:
        rng = np.random.default_rng((seed, LAYERS, CHOICES))
        self.costs = np.sort(rng.random((LAYERS, CHOICES)), 1)
        self.costs /= self.costs.max(1).sum()
        useful = np.sqrt(self.costs / self.costs.max(1, keepdims=True))  # falling returns
        pairs = rng.normal(0, 0.3, (LAYERS - 1, CHOICES, CHOICES))
        self.gains = useful[1:, None, :] + useful[:-1, :, None] + pairs
        self.gains -= self.gains.min((1, 2), keepdims=True)
        self.gains /= self.gains.max((1, 2)).sum()

    def score(self, path: Sequence[int]) -> tuple[float, float]:
        """Of twenty choices from 0."""
        layers = np.arange(LAYERS)
        cost = self.costs[layers, path].sum()
        return float(1 - self.gains[layers[:-1], path[:-1], path[1:]].sum()), float(cost)


Scores = list[tuple[float, float]]
Contestant = Callable[[Problem, int, int, int], Scores]
"""From problem, seed, candidates and population to all scores, in order."""


def ours(propose: Callable[[int], Propose]) -> Contestant:
    """Return a search with the oracle that `propose(population)` makes."""

    def contestant(problem: Problem, seed: int, candidates: int, population: int) -> Scores:
        genes = Genes(Gene(f"layer_{i:02d}", values=range(CHOICES)) for i in range(LAYERS))
        search = Search(
            genes,
            [("loss", "min"), ("cost", "min")],
            max_trials=candidates,
            propose=propose(population),
            seed=seed,
        )
        scores = []
        while trial := search.ask():
            scores.append(problem.score([int(value) for value in trial.values.values()]))
            search.tell(trial.id, dict(zip(("loss", "cost"), scores[-1], strict=True)))
        return scores

    return contestant


def optuna_nsga2(problem: Problem, seed: int, candidates: int, population: int) -> Scores:
    """Optuna's, its defaults but for the population."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    sampler = optuna.samplers.NSGAIISampler(population_size=population, seed=seed)
    study = optuna.create_study(sampler=sampler, directions=["minimize"] * 2)
    scores: Scores = []

    def objective(trial: optuna.Trial) -> tuple[float, float]:
        path = [trial.suggest_int(f"layer_{i:02d}", 0, CHOICES - 1) for i in range(LAYERS)]
        scores.append(problem.score(path))
        return scores[-1]

    study.optimize(objective, candidates)
    return scores


def pymoo_nsga2(problem: Problem, seed: int, candidates: int, population: int) -> Scores:
    """Pymoo's, with the operators its documentation gives for integers."""
    from pymoo.algorithms.moo import nsga2
    from pymoo.core.problem import ElementwiseProblem
    from pymoo.operators.crossover.sbx import SBX
    from pymoo.operators.mutation.pm import PM
    from pymoo.operators.repair.rounding import RoundingRepair
    from pymoo.operators.sampling.rnd import IntegerRandomSampling
    from pymoo.optimize import minimize

    scores: Scores = []

    class Toy(ElementwiseProblem):
        def _evaluate(self, x: np.ndarray, out: dict, *_: object, **__: object) -> None:
            scores.append(problem.score(x.tolist()))
            out["F"] = scores[-1]

    algorithm = nsga2.NSGA2(
        pop_size=population,
        sampling=IntegerRandomSampling(),
        crossover=SBX(prob=1.0, eta=3.0, vtype=float, repair=RoundingRepair()),
        mutation=PM(prob=1.0, eta=3.0, vtype=float, repair=RoundingRepair()),
        eliminate_duplicates=True,
    )
    toy = Toy(n_var=LAYERS, n_obj=2, xl=0, xu=CHOICES - 1, vtype=int)
    minimize(toy, algorithm, ("n_eval", candidates), seed=seed)
    return scores[:candidates]


def contestants() -> Iterator[tuple[str, Contestant]]:
    """Name and search."""
    published: dict[str, Any] = {"variation": "published", "entrants": 2}
    yield "kerasnas NSGA-II, alpha 1", ours(lambda p: NSGA2(p, exploitation=1))
    yield "kerasnas NSGA-II, alpha of equation 1", ours(NSGA2)
    yield "published, alpha 1", ours(lambda p: NSGA2(p, exploitation=1, **published))
    yield "published, alpha of equation 1", ours(lambda p: NSGA2(p, **published))
    yield "kerasnas random search", ours(lambda p: uniform)
    if importlib.util.find_spec("optuna"):
        yield "Optuna NSGA-II", optuna_nsga2
    if importlib.util.find_spec("pymoo"):
        yield "pymoo NSGA-II", pymoo_nsga2


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--candidates", type=int, default=4480)
    parser.add_argument("--population", type=int, default=64)
    parser.add_argument("--only", default="", help="contestants whose names have this in them")
    arguments = parser.parse_args()
    print(f"{'hypervolume, % of the box':<40}{'mean':>8}{'deviation':>11}   per seed")
    for name, contestant in contestants():
        if arguments.only not in name:
            continue
        volumes = [
            100 * hypervolume(
                np.array(contestant(
                    Problem(seed), seed, arguments.candidates, arguments.population
                )), [1, 1],
            )
            for seed in range(arguments.seeds)
        ]  # fmt: skip
        deviation = stdev(volumes) if len(volumes) > 1 else 0.0
        each = " ".join(f"{volume:.1f}" for volume in volumes)
        print(f"{name:<40}{fmean(volumes):>8.2f}{deviation:>11.2f}   {each}", flush=True)
    if importlib.util.find_spec("pymoo"):
        sorting()


def sorting() -> None:
    """Sorting and crowding against pymoo's, in microseconds.

    Who is first with new points takes longer: both take turns.
    """
    from pymoo.operators.survival.rank_and_crowding.metrics import calc_crowding_distance
    from pymoo.util.nds.non_dominated_sorting import NonDominatedSorting

    sort = sort_fronts, NonDominatedSorting().do
    distance = crowding, calc_crowding_distance
    rows = (("sort", 2, sort), ("sort", 3, sort), ("crowding", 2, distance))
    print(f"\n{'microseconds':<40}{'ours':>8}{'pymoo':>11}{'ratio':>8}")
    for name, width, functions in rows:
        for count in (128, 1000, 5000):
            seconds: tuple[list[float], list[float]] = ([], [])
            for repeat in range(100):
                points = np.random.default_rng(repeat).random((count, width))
                turns = list(zip(functions, seconds, strict=True))
                for function, spent in turns[:: 1 if repeat % 2 else -1]:
                    start = time.perf_counter()
                    function(points)
                    spent.append(time.perf_counter() - start)
            own, peer = (1e6 * median(spent) for spent in seconds)
            what = f"{name}, {count} points of {width} objectives"
            print(f"{what:<40}{own:>8.0f}{peer:>11.0f}{own / peer:>7.2f}x")


if __name__ == "__main__":
    main()
