"""Which oracle a search has, as settings: `settings.propose()` is its `Propose`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from .propose import Propose, uniform


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class RandomSettings(_Settings):
    """Every choice equally probable; candidates outside the window are drawn again."""

    name: Literal["size_constrained_random"] = "size_constrained_random"

    def propose(self) -> Propose:
        """The oracle."""
        return uniform


class NSGA2Settings(_Settings):
    """NSGA-II with an exploration share (see `tuners/nsga2.py`)."""

    name: Literal["nsga2"] = "nsga2"
    population: int = Field(64, ge=2, description="candidates of a generation, and its parents")
    exploitation: float | tuple[float, float] = Field(
        (15, 68.75),
        description="share of a generation made by exchange and mutation; [start, span]: 0 before "
        "generation start, then (generation - start) / span",
    )
    mutations: int = Field(4, ge=1, description="genes that are changed, at most")
    synchronous: bool = Field(
        False, description="wait for all of a generation before the next one is made of it"
    )

    def propose(self) -> Propose:
        """The oracle."""
        from .nsga2 import NSGA2

        return NSGA2(**self.model_dump(exclude={"name"}))


class ControllerSettings(_Settings):
    """Reinforcement learning with a recurrent controller (see `tuners/controller.py`)."""

    name: Literal["controller"] = "controller"
    budget: int = Field(
        250, ge=1, description="trials to learn from; further ones are drawn from what was learned"
    )
    exploration: float = Field(
        0.5, ge=0, le=1, description="chance of a random candidate at first, falling to 0"
    )
    settled: int = Field(50, ge=0, description="last trials of the budget without exploration")
    batch: int = Field(10, ge=1, description="rewards an update")
    learning_rate: float = Field(1e-3, gt=0, description="of Adam")
    baseline_decay: float = Field(
        0.95, ge=0, le=1, description="of the moving average that rewards are compared with"
    )
    entropy_bonus: float = Field(0.0, ge=0, description="added reward for a nat of entropy")
    gradient_norm: float = Field(5.0, gt=0, description="longer gradients are scaled down to it")
    layers: int = Field(2, ge=1, description="of LSTM")
    units: int = Field(32, ge=1, description="of each layer and embedding")
    scale: float = Field(0.08, gt=0, description="weights start uniform from -scale to scale")
    shared: bool = Field(
        True, description="genes of one kind share a softmax; false: each learns its own, sooner"
    )
    seed: int = Field(0, ge=0, description="of the weights")

    def propose(self) -> Propose:
        """The oracle."""
        from .controller import Controller

        return Controller(**self.model_dump(exclude={"name"}))


class GridSettings(_Settings):
    """Every combination of values, one after another."""

    name: Literal["grid"] = "grid"

    def propose(self) -> Propose:
        """The oracle."""
        from .grid import Grid

        return Grid()


def _named(value: object) -> object:
    """A bare name stands for that oracle with its defaults."""
    return {"name": value} if isinstance(value, str) else value


OracleSettings = Annotated[
    RandomSettings | NSGA2Settings | ControllerSettings | GridSettings,
    Field(discriminator="name"),
    BeforeValidator(_named),
]
