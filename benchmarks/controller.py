"""The controller against random search: best value found at 300 evaluations, and its own time.

NK landscapes (Kauffman & Levin 1987), N = 20 binary genes, K = 2: every gene's contribution is a
table of eight uniform numbers, by its own value and those of two other genes drawn at random; the
value is their mean. Each seed has its own landscape, for both searches. The controller learns from
250 evaluations, 50 are drawn from what it has learned; its settings are printed. The test is
Wilcoxon's signed-rank test, one-sided, over the seeds.

    python benchmarks/controller.py [--seeds 20] [--processes 1]
"""

from __future__ import annotations

import argparse
import os
import time
from dataclasses import dataclass
from multiprocessing import Pool
from typing import Any, NamedTuple

os.environ.setdefault("OMP_NUM_THREADS", "1")  # the matrices are small, threads only get in the way

import numpy as np
from scipy.stats import wilcoxon

from kerasnas.tuners import Controller, Gene, Genes, Search
from kerasnas.tuners.core.genes import Values
from kerasnas.tuners.core.propose import Propose, uniform

N, K, BUDGET, EVALUATIONS = 20, 2, 250, 300
SETTINGS: dict[str, Any] = {"budget": BUDGET, "batch": 5, "learning_rate": 0.01, "shared": False}
MARKS = (25, 50, 100, 150, 200, 250, 300)
GENES = Genes([Gene(f"g{index}", values=(False, True)) for index in range(N)])


@dataclass(frozen=True)
class Landscape:
    """An NK landscape, tabulated.

    Attributes:
        tables: `(N, 2 ** (K + 1))`, the contributions.
        neighbours: `(N, K)`, the genes that each contribution depends on besides its own.
    """

    tables: np.ndarray
    neighbours: np.ndarray

    @classmethod
    def random(cls, seed: int) -> Landscape:
        """One drawn with this seed."""
        rng = np.random.default_rng(seed)
        others = [[other for other in range(N) if other != own] for own in range(N)]
        return cls(
            rng.random((N, 2 ** (K + 1))),
            np.array([rng.choice(choices, K, replace=False) for choices in others]),
        )

    def values(self, bits: np.ndarray) -> np.ndarray:
        """Return the values of `(points, N)` points of zeros and ones."""
        total = np.zeros(len(bits))
        for gene in range(N):
            place = bits[:, gene].astype(int)
            for neighbour in self.neighbours[gene]:
                place = 2 * place + bits[:, neighbour]
            total += self.tables[gene, place]
        return total / N

    def value(self, values: Values) -> float:
        """Return the value of one point."""
        return float(self.values(np.array([[int(values[gene.name]) for gene in GENES]]))[0])

    def best(self) -> float:
        """Return the greatest value there is, of all 2 ** 20 points."""
        points = np.arange(2**N)[:, None] >> np.arange(N) & 1
        return float(self.values(points.astype(np.int8)).max())


class Run(NamedTuple):
    """What came of one seed."""

    best: float
    controller: np.ndarray
    random: np.ndarray
    rewards: np.ndarray
    entropy: np.ndarray
    suggestions: list[float]
    updates: list[float]


def search(
    landscape: Landscape, propose: Propose, seed: int
) -> tuple[np.ndarray, Search, list[float]]:
    """Values in the order of evaluation, the search, and the processor's milliseconds an `ask`."""
    engine = Search(GENES, [("value", "max")], max_trials=EVALUATIONS, propose=propose, seed=seed)
    found, asked = [], []
    while True:
        start = time.process_time()
        trial = engine.ask()
        asked.append(1000 * (time.process_time() - start))
        if trial is None:
            return np.array(found), engine, asked[:-1]
        found.append(landscape.value(trial.values))
        engine.tell(trial.id, {"value": found[-1]})


def run(seed: int) -> Run:
    """Both searches on the landscape of this seed."""
    landscape = Landscape.random(seed)
    controller = Controller(**SETTINGS, seed=seed)
    values, engine, asked = search(landscape, controller, seed)
    rewards = np.maximum.accumulate(values)
    random = np.maximum.accumulate(search(landscape, uniform, seed)[0])
    # A suggestion that learns first is timed with its update, so the two are told apart.
    batch = controller.batch
    learns = [0 < number <= BUDGET and number % batch == 0 for number in range(EVALUATIONS)]
    plain = [ms for ms, update in zip(asked, learns, strict=True) if not update]
    updates = [ms for ms, update in zip(asked, learns, strict=True) if update]
    entropy = np.array([row.entropy for row in controller.curve(engine.history)])
    return Run(landscape.best(), rewards, random, values, entropy, plain, updates)


def main() -> None:
    """Print the settings, the curves, the test, and the times."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--processes", type=int, default=1)
    arguments = parser.parse_args()
    seeds = range(arguments.seeds)
    with Pool(arguments.processes) as pool:
        runs = pool.map(run, seeds, chunksize=1)
    print(Controller(**SETTINGS))
    print(f"{'evaluations':<42}" + "".join(f"{mark:>8}" for mark in MARKS))

    def row(name: str, cells: list[float], digits: int = 4) -> None:
        print(f"{name:<42}" + "".join(f"{cell:>8.{digits}f}" for cell in cells))

    best = float(np.mean([item.best for item in runs]))
    at = [mark - 1 for mark in MARKS]
    row("best so far, controller", np.mean([item.controller[at] for item in runs], 0).tolist())
    row("best so far, random search", np.mean([item.random[at] for item in runs], 0).tolist())
    last = [np.mean([item.rewards[mark - 25 : mark].mean() for item in runs]) for mark in MARKS]
    row("controller's mean over the last 25", last)
    curve = np.mean([item.entropy for item in runs], 0)
    steps = [min(mark // SETTINGS["batch"], len(curve)) - 1 for mark in MARKS]
    row("entropy a decision, nats (ln 2 = 0.6931)", curve[steps].tolist())
    print(f"the best there is: {best:.4f}, mean over the landscapes")

    pairs = [(item.controller[-1], item.random[-1]) for item in runs]
    ours, theirs = (list(values) for values in zip(*pairs, strict=True))
    p = wilcoxon(ours, theirs, alternative="greater").pvalue
    wins = sum(a > b for a, b in pairs)
    print(f"better on {wins} of {len(runs)} landscapes, Wilcoxon p = {p:.2g}")
    for name, times in (
        ("suggestion", [ms for item in runs for ms in item.suggestions]),
        ("suggestion with its update", [ms for item in runs for ms in item.updates]),
    ):
        middle, high = np.percentile(times, [50, 99])
        print(f"{name}: median {middle:.2f} ms of processor time, 99 % under {high:.2f} ms")


if __name__ == "__main__":
    main()
