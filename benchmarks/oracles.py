"""What a suggestion costs, saved, when there are many trials already: ours and its peers.

Twenty genes of six choices and two objectives, the results made up: only the oracles' own time is
seen. `suggest` is the time to get the next values and have them on disk where the oracle saves at
all; `result` the time to record what came of them (ours waits for the disk there, `fsync`).
The median of 50 trials after each number of trials, in milliseconds; the ratio is that of
`suggest` to ours after the most trials.

    python benchmarks/oracles.py [--sizes 100 1000 5000] [--directory DIR] [--only NAME]

Optuna and pymoo are measured when they are installed (`pip install optuna pymoo`).
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any

GENES, CHOICES, MEASURED = 20, 6, 50

Step = Callable[[], Callable[[], Any]]
"""Makes one suggestion, and returns what records its result."""


def metrics(number: int) -> dict[str, float]:
    """Varied, or every trial is in one front and sorting is all that is measured."""
    return {"accuracy": -float(number % 17), "cost": float(number % 23)}


def nsga2(directory: Path) -> Step:
    """Our NSGA-II; every suggestion has parents, so none is as cheap as a random one."""
    from kerasnas.tuners import NSGA2

    return search(directory, NSGA2(exploitation=1))


def search(directory: Path, propose: Any = None) -> Step:
    """Return the core of our oracles, with its journal and a size window, for random search."""
    from kerasnas.tuners import Genes, Search, Window
    from kerasnas.tuners.core.propose import uniform

    genes = [
        {"class_name": "Choice", "config": {"name": f"g{i}", "values": list(range(CHOICES))}}
        for i in range(GENES)
    ]
    engine = Search(
        Genes.from_config(genes),
        [("accuracy", "max"), ("cost", "min")],
        max_trials=None,
        propose=propose or uniform,
        window=Window(lambda values: values["g0"], 0, CHOICES),
        directory=directory,
    )

    def step() -> Callable[[], Any]:
        trial = engine.ask()
        assert trial is not None
        return lambda: engine.tell(trial.id, metrics(trial.number))

    return step


def hyperparameters() -> Any:
    """Return the space as KerasTuner's."""
    import keras_tuner

    hp = keras_tuner.HyperParameters()
    for index in range(GENES):
        hp.Choice(f"g{index}", list(range(CHOICES)))
    return hp


def oracle(directory: Path, made: Any) -> Step:
    """Return a KerasTuner oracle, with its table silenced."""
    made._set_project_dir(str(directory), "project")
    made.verbose = 0

    def step() -> Callable[[], Any]:
        trial = made.create_trial("tuner0")

        def record() -> None:
            made.update_trial(trial.trial_id, metrics(int(trial.trial_id)))
            trial.status = "COMPLETED"
            made.end_trial(trial)
            made.save()  # as KerasTuner's tuner does

        return record

    return step


def our_oracle(directory: Path, name: str, **settings: Any) -> Step:
    """One of our oracles as a KerasTuner user sees it."""
    from kerasnas import tuners

    made = getattr(tuners, name)(
        ("accuracy", "max"),
        None,
        cost=lambda values: values["g0"],
        maximum=CHOICES,
        objectives=[("cost", "min")],
        hyperparameters=hyperparameters(),
        **settings,
    )
    return oracle(directory, made)


def our_random(directory: Path) -> Step:
    """Our random search for KerasTuner."""
    return our_oracle(directory, "SizeConstrainedRandomOracle")


def our_nsga2(directory: Path) -> Step:
    """Our NSGA-II for KerasTuner; every suggestion has parents."""
    return our_oracle(directory, "NSGA2Oracle", exploitation=1)


def keras_tuner_random(directory: Path) -> Step:
    """KerasTuner's random search."""
    import keras_tuner

    made = keras_tuner.oracles.RandomSearchOracle(
        keras_tuner.Objective("accuracy", "max"), 10**6, seed=1, hyperparameters=hyperparameters()
    )
    return oracle(directory, made)


def optuna_study(directory: Path, journal: bool) -> Step:
    """Optuna's NSGA-II."""
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    storage = JournalStorage(JournalFileBackend(str(directory / "journal"))) if journal else None
    study = optuna.create_study(
        storage=storage,
        sampler=optuna.samplers.NSGAIISampler(seed=1),
        directions=["maximize", "minimize"],
    )

    def step() -> Callable[[], Any]:
        trial = study.ask()
        for index in range(GENES):
            trial.suggest_categorical(f"g{index}", range(CHOICES))
        values = list(metrics(trial.number).values())
        return lambda: study.tell(trial, values)

    return step


def pymoo_candidates(directory: Path) -> Step:
    """Pymoo's NSGA-II, a population of 50 at a time; it keeps nothing on disk."""
    import numpy as np
    from pymoo.algorithms.moo.nsga2 import NSGA2
    from pymoo.core.problem import Problem
    from pymoo.operators.crossover.sbx import SBX
    from pymoo.operators.mutation.pm import PM
    from pymoo.operators.repair.rounding import RoundingRepair
    from pymoo.operators.sampling.rnd import IntegerRandomSampling

    problem = Problem(n_var=GENES, n_obj=2, xl=0, xu=CHOICES - 1, vtype=int)
    algorithm = NSGA2(
        pop_size=MEASURED,
        sampling=IntegerRandomSampling(),
        crossover=SBX(vtype=float, repair=RoundingRepair()),
        mutation=PM(vtype=float, repair=RoundingRepair()),
    )
    algorithm.setup(problem, termination=("n_gen", 10**6), seed=1, verbose=False)
    rng = np.random.default_rng(1)

    def step() -> Callable[[], Any]:
        offspring = algorithm.ask()

        def record() -> None:
            offspring.set("F", rng.random((len(offspring), 2)))
            for individual in offspring:
                individual.evaluated.update(("F", "G", "H"))
            algorithm.tell(infills=offspring)

        return record

    return step


def contestants() -> Iterator[tuple[str, Callable[[Path], Step], int, int]]:
    """Name, maker, how many candidates one step stands for, and trials that take too long."""
    endless = 10**9
    yield "kerasnas random (core)", search, 1, endless
    yield "kerasnas random (KerasTuner oracle)", our_random, 1, endless
    yield "kerasnas NSGA-II (core)", nsga2, 1, endless
    yield "kerasnas NSGA-II (KerasTuner oracle)", our_nsga2, 1, endless
    yield "KerasTuner random, quiet", keras_tuner_random, 1, endless
    if importlib.util.find_spec("optuna"):
        yield "Optuna NSGA-II, memory", lambda path: optuna_study(path, False), 1, endless
        yield "Optuna NSGA-II, journal file", lambda path: optuna_study(path, True), 1, 1001
    if importlib.util.find_spec("pymoo"):
        yield "pymoo NSGA-II, memory", pymoo_candidates, MEASURED, endless


def measure(step: Step, sizes: list[int], batch: int) -> list[tuple[float, float]]:
    """Milliseconds of `(suggest, result)` for one candidate after each number of trials."""
    rows, done = [], 0
    for size in sizes:
        while done < size:
            step()()
            done += batch
        suggested, recorded = [], []
        for _ in range(max(MEASURED // batch, 3)):
            start = time.perf_counter()
            record = step()
            middle = time.perf_counter()
            record()
            recorded.append(1000 * (time.perf_counter() - middle) / batch)
            suggested.append(1000 * (middle - start) / batch)
            done += batch
        rows.append((median(suggested), median(recorded)))
    return rows


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[100, 1000, 5000])
    parser.add_argument("--directory", type=Path, default=None)
    parser.add_argument("--only", default="", help="contestants whose names have this in them")
    arguments = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    head = "".join(f"{f'after {size:,}':>24}" for size in arguments.sizes)
    print(f"{'ms a candidate: suggest / result':<37}{head}{'ratio':>10}")
    ours: list[tuple[float, float]] = []
    for name, make, batch, too_many in contestants():
        if arguments.only not in name:
            continue
        sizes = [size for size in arguments.sizes if size < too_many]
        with tempfile.TemporaryDirectory(dir=arguments.directory) as directory:
            rows = measure(make(Path(directory)), sizes, batch)
        ours = ours or rows
        cells = "".join(f"{f'{a:.2f} / {b:.2f}':>24}" for a, b in rows)
        cells += f"{'-':>24}" * (len(arguments.sizes) - len(sizes))
        ratio = rows[-1][0] / ours[len(rows) - 1][0]
        print(f"{name:<37}{cells}{ratio:>9.1f}x", flush=True)


if __name__ == "__main__":
    main()
