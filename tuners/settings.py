"""Which oracle a search has, as settings: `settings.propose()` is its `Propose`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Annotated, Literal, Self, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from .controller.algorithm import Controller
from .core.errors import SearchError
from .core.propose import Propose, uniform
from .grid import Grid
from .nsga2.algorithm import NSGA2, Variation

_UPDATES = 4
"""Fewer updates leave a controller's proposals as good as random."""


class _Settings(BaseModel, ABC):
    model_config = ConfigDict(extra="forbid", frozen=True)

    @abstractmethod
    def propose(self) -> Propose:
        """Return the oracle."""

    def is_random(self, trials: int) -> bool:
        """Whether a search of so many trials ends before the oracle uses what it has seen."""
        return False

    def fitted(self, trials: int) -> Self:
        """Return settings that use what was seen within so many trials.

        Only defaults are changed: what the user has chosen stays, and so does what no change helps.
        """
        return self

    @model_validator(mode="after")
    def _check(self) -> Self:
        """Return the oracle knows which of its arguments are wrong."""
        try:
            self.propose()
        except SearchError as error:
            raise ValueError(str(error)) from error
        return self


class RandomSettings(_Settings):
    """Every choice equally probable; candidates outside the window are drawn again."""

    name: Literal["size_constrained_random"] = "size_constrained_random"

    def propose(self) -> Propose:
        """Return the oracle."""
        return uniform


class NSGA2Settings(_Settings):
    """NSGA-II with an exploration share (see `tuners/nsga2/`)."""

    name: Literal["nsga2"] = "nsga2"
    population: int = Field(
        NSGA2.population, description="candidates of a generation, and its parents"
    )
    exploitation: float | tuple[float, float] = Field(
        NSGA2.exploitation,
        description="share of a generation made by exchange and mutation; [start, span]: 0 before "
        "generation start, then (generation - start) / span",
    )
    mutations: int = Field(NSGA2.mutations, description="genes that are changed, at most")
    variation: Variation = Field(
        NSGA2.variation,
        description="how a child is made of two parents; published: exchange, then mutation of the "
        "same child (Li et al. 2020, Algorithm 2); alternating: one or the other, which finds "
        "better fronts",
    )
    entrants: int = Field(
        NSGA2.entrants, description="members of a tournament, of which one is a parent; paper: 2"
    )
    synchronous: bool = Field(
        NSGA2.synchronous,
        description="wait for all of a generation before the next one is made of it",
    )

    def propose(self) -> Propose:
        """Return the oracle."""
        return NSGA2(**self.model_dump(exclude={"name"}))

    def is_random(self, trials: int) -> bool:
        """Whether no trial is a child of earlier ones."""
        oracle = NSGA2(**self.model_dump(exclude={"name"}))
        size = oracle.population
        firsts = (
            generation * size + size - round(oracle.share(generation) * size)
            for generation in range(-(-trials // size))
            if round(oracle.share(generation) * size)
        )
        return not any(first < trials for first in firsts)

    def fitted(self, trials: int) -> Self:
        """Return settings with four generations, most of whose later trials are children."""
        if self.exploitation != NSGA2.exploitation or not self.is_random(trials):
            return self
        size = self.population if trials >= 2 * self.population else max(2, trials // 4)
        changed = self.model_copy(update={"population": size, "exploitation": 0.8})
        return self if changed.is_random(trials) else changed


class ControllerSettings(_Settings):
    """Reinforcement learning with a recurrent controller (see `tuners/controller/`)."""

    name: Literal["controller"] = "controller"
    budget: int = Field(
        Controller.budget,
        description="trials to learn from; further ones are drawn from what was learned",
    )
    exploration: float = Field(
        Controller.exploration, description="chance of a random candidate at first, falling to 0"
    )
    settled: int = Field(
        Controller.settled, description="last trials of the budget without exploration"
    )
    batch: int = Field(Controller.batch, description="rewards an update")
    learning_rate: float = Field(Controller.learning_rate, description="of Adam")
    baseline_decay: float = Field(
        Controller.baseline_decay,
        description="of the moving average that rewards are compared with",
    )
    entropy_bonus: float = Field(
        Controller.entropy_bonus, description="added reward for a nat of entropy"
    )
    gradient_norm: float = Field(
        Controller.gradient_norm, description="longer gradients are scaled down to it"
    )
    layers: int = Field(Controller.layers, description="of LSTM")
    units: int = Field(Controller.units, description="of each layer and embedding")
    scale: float = Field(Controller.scale, description="weights start uniform from -scale to scale")
    shared: bool = Field(
        Controller.shared,
        description="genes of one kind share a softmax; false: each learns its own, sooner",
    )
    seed: int = Field(Controller.seed, description="of the weights")

    def propose(self) -> Propose:
        """Return the oracle."""
        return Controller(**self.model_dump(exclude={"name"}))

    def is_random(self, trials: int) -> bool:
        """Whether the controller learns hardly anything: from fewer than four updates."""
        return (min(trials - 1, self.budget) // self.batch) < _UPDATES

    def fitted(self, trials: int) -> Self:
        """Return settings with about seven updates, at a rate that makes them count."""
        known = ("budget", "settled", "batch", "learning_rate", "shared")
        if any(getattr(self, name) != getattr(Controller, name) for name in known):
            return self
        if not self.is_random(trials):
            return self
        changed = self.model_copy(
            update={
                "budget": trials,
                "settled": trials // 3,
                "batch": max(1, trials // 7),
                "learning_rate": 0.01,
                "shared": False,
            }
        )
        return self if changed.is_random(trials) else changed


class GridSettings(_Settings):
    """Every combination of values, one after another."""

    name: Literal["grid"] = "grid"

    def propose(self) -> Propose:
        """Return the oracle."""
        return Grid()


def _named(value: object) -> object:
    """Return a bare name stands for that oracle with its defaults."""
    return {"name": value} if isinstance(value, str) else value


AnyOracle = RandomSettings | NSGA2Settings | ControllerSettings | GridSettings
"""Their settings, which an experiment tells apart by `name`."""

ORACLES: tuple[type[_Settings], ...] = get_args(AnyOracle)
"""The same, one after another."""

OracleSettings = Annotated[
    AnyOracle,
    Field(discriminator="name"),
    BeforeValidator(_named),
]
