"""Reinforcement learning: a recurrent controller that proposes values and learns from the rewards.

Liu & Zhang, "Reinforcement learning based neural architecture search for audio tagging", IJCNN
2020, sections IV.B, IV.C and V.B: an LSTM of 2 x 32 units, weights uniform in +-0.08, Adam 1e-3,
REINFORCE with an exponential moving average of the rewards as its baseline (eq. 12), 250
architectures, an exploration rate that falls to 0 for the last 50 of them. What the paper does not
give (batch, decay of the baseline, first exploration rate, gradient norm) is an argument here.

Deviations. No values are tried twice, so samples are drawn until one is new; from a controller that
says the same over and over they are drawn at a rising temperature. Trials may end in any order: the
rewards are taken in the order in which they came, under the policy of the moment. Values drawn at
random or given by the user are learned from like any other, as in the paper, without importance
weights. A trial that failed or broke a constraint gives no reward.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from ..core.errors import SearchError
from ..core.genes import Genes, Value, key
from ..core.history import History
from ..core.objective import Objective
from ..core.propose import uniform
from ..core.trial import Trial
from .network import Adam, Array, adam, clipped
from .policy import Decision, actions, decisions, initial, most_probable, policy_gradient, sample

BATCH, LARGEST_BATCH = 8, 64  # Samples drawn at once: twice as many each time.
PATIENCE = 8  # Samples tried before, after which the temperature doubles,
DOUBLINGS = 40  # at most so often: uniform for all that a softmax can tell apart.


class Update(NamedTuple):
    """What the controller saw and did at one update."""

    number: int
    """From 1."""
    trials: int
    """Rewards that it has learned from, those of this update included."""
    reward: float
    """Mean over the batch; the first objective, negated where it is minimised."""
    baseline: float
    """What the rewards were compared with."""
    entropy: float
    """Mean over the batch's decisions, before the update, in nats; ln n is uniform over n."""
    exploration: float
    """Mean over the batch of the chance that a trial was drawn uniformly at random."""


class State(NamedTuple):
    """What the controller has learned from a number of trials."""

    genes: Genes
    objective: Objective
    table: tuple[Decision, ...]
    weights: dict[str, Array]
    moments: Adam
    baseline: float
    trials: tuple[Trial, ...]
    curve: tuple[Update, ...]


@dataclass(frozen=True)
class Controller:
    """Proposes what an LSTM has learned to expect good results of; a `Propose`.

    ```python
    search = Search(genes, [("accuracy", "max")], max_trials=350, propose=Controller(budget=250))
    ```
    The trials numbered from `budget` are drawn from the trained controller, without exploration,
    and it learns nothing from them: the paper draws 100. Its state is a fold over the trials in the
    order in which they ended, so a search that is resumed goes on as an undisturbed one.

    Attributes:
        budget: Trials to learn from; the paper's 250.
        exploration: The chance, at the first trial, of values drawn uniformly at random. It falls
            evenly to 0.
        settled: The last trials of the budget, which are drawn without exploration; the paper's 50.
        batch: Rewards an update (m in the paper). What is left over is not learned from.
        learning_rate: Of Adam; the paper's 1e-3.
        baseline_decay: How much of the moving average stays when a reward comes.
        entropy_bonus: Added reward for each nat of the distributions' entropy.
        gradient_norm: A gradient that is longer is scaled down to this.
        layers: Of LSTM; the paper's 2.
        units: Of each layer and embedding; the paper's 32.
        scale: Weights start uniform from -scale to scale; the paper's 0.08.
        shared: Genes of one kind share their embedding and their softmax. The position in the
            sequence is then all that tells them apart, which takes long to learn; False gives every
            gene its own.
        seed: Of the weights. What is drawn depends on the search's seed.

    Raises:
        SearchError: An argument is out of its range; when it is called, a gene is continuous.
    """

    budget: int = 250
    exploration: float = 0.5
    settled: int = 50
    batch: int = 10
    learning_rate: float = 1e-3
    baseline_decay: float = 0.95
    entropy_bonus: float = 0.0
    gradient_norm: float = 5.0
    layers: int = 2
    units: int = 32
    scale: float = 0.08
    shared: bool = True
    seed: int = 0
    _last: list[State] = field(default_factory=list, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        for name in ("budget", "batch", "layers", "units"):
            if getattr(self, name) < 1:
                raise SearchError(f"{name} must be at least 1, not {getattr(self, name)!r}")
        for name in ("learning_rate", "gradient_norm", "scale"):
            if not getattr(self, name) > 0:
                raise SearchError(f"{name} must be more than 0, not {getattr(self, name)!r}")
        for name in ("settled", "entropy_bonus", "seed"):
            if not getattr(self, name) >= 0:
                raise SearchError(f"{name} must be at least 0, not {getattr(self, name)!r}")
        for name in ("exploration", "baseline_decay"):
            if not 0 <= getattr(self, name) <= 1:
                raise SearchError(f"{name} must be from 0 to 1, not {getattr(self, name)!r}")

    def __call__(
        self, genes: Genes, history: History, rng: np.random.Generator, number: int
    ) -> Iterator[dict[str, Value]]:
        """Candidates, without end; see `propose.Propose`."""
        state = self.state(genes, history)
        if rng.random() < self.exploration_at(number):
            yield from uniform(genes, history, rng, number)
        count, known, drawn = BATCH, 0, 0
        while True:
            # Of those drawn together, as many are expected to be known as of those before.
            expected = known + np.arange(count) * known / max(drawn, 1)
            temperature = 2.0 ** np.minimum(expected / PATIENCE, DOUBLINGS)
            for values in sample(state.weights, state.table, rng, count, temperature):
                known += key(values) in history.keys
                yield values
            drawn += count
            count = min(2 * count, LARGEST_BATCH)

    def exploration_at(self, number: int) -> float:
        """Return the chance that the trial of this number is drawn uniformly at random."""
        falling = self.budget - self.settled
        return self.exploration * max(0.0, 1 - number / falling) if falling > 0 else 0.0

    def curve(self, history: History) -> tuple[Update, ...]:
        """Reward, entropy and exploration at every update so far."""
        return self.state(history.genes, history).curve if history.genes else ()

    def most_probable(self, history: History) -> tuple[dict[str, Value], float] | None:
        """Return the values that the controller finds most probable so far, and how probable.

        Values are decided one after another, each the most probable after those before it. They
        may have been tried, or lie outside the window. None before the first update.
        """
        if not history.genes:
            return None
        state = self.state(history.genes, history)
        return most_probable(state.weights, state.table) if state.curve else None

    def state(self, genes: Genes, history: History) -> State:
        """Return what has been learned from a history. The last state is kept, to go on from."""
        trials = self._trials(history)
        state = next(iter(self._last), None)
        if (
            state is None
            or state.genes != genes
            or state.objective != history.objectives[0]
            or state.trials != trials[: len(state.trials)]
        ):
            state = self._beginning(genes, history.objectives[0])
        while len(trials) - len(state.trials) >= self.batch:
            state = self._update(state, trials[len(state.trials) :][: self.batch])
        self._last[:] = [state]
        return state

    def _trials(self, history: History) -> tuple[Trial, ...]:
        """Those that gave a reward to learn from, in the order in which they ended."""
        ended = (history.trials[id] for id in history.ended)
        return tuple(
            trial
            for trial in ended
            if trial.status == "completed" and trial.violation <= 0 and trial.number < self.budget
        )

    def _beginning(self, genes: Genes, objective: Objective) -> State:
        table = decisions(genes, self.shared)
        weights = initial(table, self.layers, self.units, self.scale, self.seed)
        zeros = {name: np.zeros_like(part) for name, part in weights.items()}
        return State(genes, objective, table, weights, Adam(zeros, zeros), 0.0, (), ())

    def _update(self, state: State, trials: tuple[Trial, ...]) -> State:
        name, direction = state.objective
        sign = 1.0 if direction == "max" else -1.0
        rewards = sign * np.array([trial.metrics[name] for trial in trials], float)
        mean = float(rewards.mean())
        baseline = state.baseline if state.curve else mean
        found = policy_gradient(
            state.weights,
            state.table,
            np.array([actions(state.table, trial.values) for trial in trials]),
            rewards - baseline,
            self.entropy_bonus,
        )
        down = {name: -part for name, part in found.gradient.items()}
        weights, moments = adam(
            state.weights, clipped(down, self.gradient_norm), state.moments, self.learning_rate
        )
        row = Update(
            number=len(state.curve) + 1,
            trials=len(state.trials) + len(trials),
            reward=mean,
            baseline=baseline,
            entropy=found.entropy,
            exploration=float(np.mean([self.exploration_at(trial.number) for trial in trials])),
        )
        for reward in rewards.tolist():
            baseline = self.baseline_decay * baseline + (1 - self.baseline_decay) * reward
        return state._replace(
            weights=weights,
            moments=moments,
            baseline=baseline,
            trials=state.trials + trials,
            curve=(*state.curve, row),
        )
