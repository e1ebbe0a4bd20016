"""What a search and its recipes take: in work, in epochs of a quarter of the time, in minutes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import islice

import numpy as np

from kerasnas.blocks.architecture import Architecture
from kerasnas.errors import KerasnasError, counted
from kerasnas.experiment import Experiment
from kerasnas.flow.stages.limits import Sizes
from kerasnas.flow.stages.start import genes_of, rehearse
from kerasnas.flow.task.session import Session
from kerasnas.flow.task.task import Task
from kerasnas.runs.records import Recipes
from kerasnas.streams import Stream
from kerasnas.training.presets import OVERHEAD, SPEED
from kerasnas.tuners.core.history import History
from kerasnas.tuners.core.propose import Window, uniform
from kerasnas.tuners.runners.environment import available_cores

_DRAWN, _KEPT = 400, 24  # candidates among which a small one is chosen
_QUARTER = 1 / 4


@dataclass(frozen=True)
class Work:
    """What a search and its recipes take, in multiply-accumulates.

    Attributes:
        network: The network by which recipes are tried.
        epoch: Work of an epoch of it.
        rest: Work of all candidates and winners.
        seconds: Time for all of the search, `search.hours`; None: as long as it takes.
    """

    network: Architecture
    epoch: float
    rest: float
    seconds: float | None = None

    def epochs(self, recipes: int, most: int) -> int:
        """Return how many epochs each of so many recipes can have in a quarter of all time."""
        share = _QUARTER / (1 - _QUARTER) * self.rest
        if self.seconds is not None:
            share = min(share, _QUARTER * self.seconds * SPEED)
        return max(1, min(most, math.floor(share / (recipes * self.epoch))))


def work_of(task: Task) -> Work:
    """Return what a search takes, by the multiply-accumulates of candidates drawn at random.

    Raises:
        TunerError: No candidate lies in the window.
    """
    experiment = task.experiment
    search, training = experiment.search, experiment.training
    networks = sorted(_drawn(task), key=lambda network: network.cost().macs)
    small = networks[len(networks) // 4]
    mean = float(np.mean([network.cost().macs + OVERHEAD for network in networks]))
    train, rest = len(task.split.train), len(task.split.validation)
    folds = 1 if search.folds is None else len(task.candidate_parts())
    candidates = 1 if search.supernet is not None else search.trials * folds
    candidate = candidates * training.candidate.epochs * train
    final = len(experiment.winners) * training.final.epochs * (train + rest)
    epoch = train * (small.cost().macs + OVERHEAD)
    seconds = None if search.hours is None else 3600 * search.hours
    return Work(small, epoch, mean * (candidate + final), seconds)


def _drawn(task: Task) -> list[Architecture]:
    """Return some candidates of the search, drawn at random."""
    search, genes = task.experiment.search, genes_of(task)
    if search.architecture is not None:
        return [task.architecture({name: options[0] for name, options in search.tune.items()})]
    rng = np.random.default_rng((task.experiment.seed, Stream.RECIPES))
    window = Window(Sizes(task), search.window.minimum, search.window.maximum)
    proposed = islice(uniform(genes, History(), rng, 0), _DRAWN)
    inside = (values for values in proposed if window.contains(window.cost(values)))
    found = [task.architecture(values) for values in islice(inside, _KEPT)]
    if not found:
        rehearse(task)  # says why, or finds one after more draws than these
        raise KerasnasError(
            f"search.recipes: none of {_DRAWN} candidates lies in search.window: widen it, or set "
            "search.recipes: off"
        )
    return found


def without_time_of(experiment: Experiment, record: Recipes) -> Experiment:
    """Return an experiment with the hours that the comparison has left, three quarters at least."""
    search = experiment.search
    if search.hours is None:
        return experiment
    at_a_time = min(_workers(experiment), len(record.tried))
    spent = sum(each.seconds or 0.0 for each in record.tried) / at_a_time / 3600
    left = search.hours - min(spent, _QUARTER * search.hours)
    return experiment.model_copy(update={"search": search.model_copy(update={"hours": left})})


def estimate(session: Session) -> str | None:
    """Return how long the search will take, in words; None where nothing was measured for it.

    Args:
        session: Whose recipes have been compared.
    """
    record = session.intact(Recipes, session.paths.recipes)
    known = [each.seconds for each in record.tried if each.seconds] if record else []
    if record is None or not known:
        return None
    search, work = session.experiment.search, work_of(session.task)
    speed = len(known) * record.epochs * work.epoch / sum(known)
    seconds = work.rest / speed / _workers(session.experiment)
    if search.hours is not None:
        seconds = min(seconds, 3600 * search.hours)
    minutes = max(1, round(seconds / 60))
    return (
        f"about {minutes} min to go for {counted(search.trials, 'candidate')} and the winners "
        "(an estimate from the recipes' trainings)"
    )


def _workers(experiment: Experiment) -> int:
    """Return how many trainings run side by side."""
    search = experiment.search
    return search.workers or max(1, available_cores() // (search.threads or 1))
