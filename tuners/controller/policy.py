"""The controller's policy: a distribution over the values of a table of genes.

Liu & Zhang 2020 (section IV.B) and Zoph & Le 2017: the genes are decided one after another, each
by a softmax over its values on an LSTM whose input is the embedding of the decision before. Genes
of one kind share their embedding and their softmax, as in Pham et al. 2018 (ENAS); a kind is
what has the same values and a name that differs in its digits only. A gene whose conditions do not
hold, or that has one value only, is masked: it moves no state and adds nothing to the probability.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from enum import IntEnum, unique
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ..core.errors import SearchError
from ..core.genes import Gene, Genes, Value, Values
from .network import Array, Layer, Weights, backward, forward, step

MASKED = -1
_SETTLED = 1e-12  # A temperature at which no other value than the most probable is drawn.
MOST_VALUES = 10_000  # of one gene; a softmax over more is neither learned nor quick.
Actions = npt.NDArray[np.int64]


@unique
class _Stream(IntEnum):
    """What weights are drawn from, `default_rng((seed, stream))`."""

    NETWORK = 0
    """Layers, and the embedding of the beginning."""
    FIRST_KIND = 1
    """Embedding and softmax of the first kind of genes; the other kinds follow by number."""


class Decision(NamedTuple):
    """A gene as the policy sees it."""

    gene: Gene
    options: Sequence[Value]
    places: Mapping[tuple[bool, Value], int]
    """Of each option in `options`; whether it is a Boolean tells `True` from 1."""
    kind: int
    """Number of its kind, in the order in which kinds appear."""
    first: int
    """Number of the kind's first value among the values of all kinds."""

    @property
    def of_kind(self) -> slice:
        """The kind's values among those of all kinds."""
        return slice(self.first, self.first + len(self.options))


def decisions(genes: Genes, shared: bool = True) -> tuple[Decision, ...]:
    """Return the genes of a table, in its order.

    Genes that are added to a table later change no decision before them.

    Args:
        genes: The table.
        shared: Whether genes may be of one kind; otherwise each is a kind of its own.

    Raises:
        SearchError: A gene is continuous, or has more than 10 000 values.
    """
    kinds: dict[tuple[object, ...], tuple[int, int]] = {}
    made, total = [], 0
    for index, gene in enumerate(genes):
        options = gene.options()
        if len(options) > MOST_VALUES:
            raise SearchError(
                f"gene {gene.name!r} has {len(options):,} values and the controller takes at most "
                f"{MOST_VALUES:,}: declare it with a step, or as a Choice"
            )
        places = {(isinstance(value, bool), value): at for at, value in enumerate(options)}
        kind = (re.sub(r"\d+", "", gene.name), *places) if shared else (index,)
        if kind not in kinds:
            kinds[kind] = len(kinds), total
            total += len(options)
        made.append(Decision(gene, options, places, *kinds[kind]))
    return tuple(made)


def initial(
    table: Sequence[Decision], layers: int, units: int, scale: float, seed: int
) -> dict[str, Array]:
    """Weights drawn uniformly from -scale to scale.

    Every kind has its own generator, so that genes added to a table change no weight there is.

    Returns:
        `layer<i>/kernel`, `/recurrent`, `/bias`: see `Layer`. `embedding`: `(1 + values, units)`,
        the first row for the beginning, then the values of all kinds. `softmax`: `(values, units)`
        and `softmax_bias`: `(values,)`.
    """
    rng = np.random.default_rng((seed, _Stream.NETWORK))
    weights = {}
    for index in range(layers):
        for name, rows in (("kernel", (units,)), ("recurrent", (units,)), ("bias", ())):
            shape = (*rows, 4 * units)
            weights[f"layer{index}/{name}"] = rng.uniform(-scale, scale, shape)
    embedding = [rng.uniform(-scale, scale, (1, units))]
    softmax, bias = [np.zeros((0, units))], [np.zeros(0)]
    for kind, count in {item.kind: len(item.options) for item in table}.items():
        rng = np.random.default_rng((seed, _Stream.FIRST_KIND + kind))
        embedding.append(rng.uniform(-scale, scale, (count, units)))
        softmax.append(rng.uniform(-scale, scale, (count, units)))
        bias.append(rng.uniform(-scale, scale, count))
    weights["embedding"] = np.concatenate(embedding)
    weights["softmax"] = np.concatenate(softmax)
    weights["softmax_bias"] = np.concatenate(bias)
    return weights


def sample(
    weights: Weights,
    table: Sequence[Decision],
    rng: np.random.Generator,
    count: int,
    temperature: float | Array = 1.0,
) -> list[dict[str, Value]]:
    """Values drawn from the policy, of the active genes only.

    Args:
        weights: See `initial`.
        table: The genes.
        rng: Gives `len(table) * count` numbers.
        count: How many sets of values.
        temperature: What logits are divided by: the greater, the closer to uniform. One for all,
            or `(count,)`, one for each set.
    """
    layers = _layers(weights)
    units = layers[0].recurrent.shape[0]
    outputs, cells = np.zeros((2, len(layers), count, units))
    first = weights["embedding"] @ layers[0].kernel + layers[0].bias
    temperatures = np.broadcast_to(temperature, count)[:, None]
    previous = np.zeros(count, int)
    rows: list[dict[str, Value]] = [{} for _ in range(count)]
    names: set[str] = set()
    for decision, draws in zip(table, rng.random((len(table), count)), strict=True):
        gene, options = decision.gene, decision.options
        taking: Sequence[int] = range(count)
        if gene.conditions or gene.name in names:
            taking = [
                row for row in taking if gene.name not in rows[row] and gene.active(rows[row])
            ]
        names.add(gene.name)
        places = [0] * len(taking)
        # numpy is much quicker with slices than with lists
        on = taking if len(taking) < count else slice(None)
        if len(options) > 1 and taking:
            inputs = first[previous[on]]
            for index, layer in enumerate(layers):
                if index:
                    inputs = outputs[index - 1, on] @ layer.kernel + layer.bias
                state = outputs[index, on], cells[index, on]
                outputs[index, on], cells[index, on], _ = step(layer, inputs, *state)
            logits = _logits(weights, decision, outputs[-1, on]) / temperatures[on]
            odds = _odds(logits).cumsum(axis=1)
            chosen = (odds[:, :-1] <= draws[on, None] * odds[:, -1:]).sum(axis=1)
            previous[on] = 1 + decision.first + chosen
            places = chosen.tolist()
        for row, place in zip(taking, places, strict=True):
            rows[row][gene.name] = options[place]
    return rows


def most_probable(weights: Weights, table: Sequence[Decision]) -> tuple[dict[str, Value], float]:
    """Return what the policy says with each decision's most probable value, one after another.

    Args:
        weights: See `initial`.
        table: The genes.

    Returns:
        Values of the active genes, and their probability under the policy. Others could be more
        probable as a whole: a decision is made on those before it only.
    """
    (values,) = sample(weights, table, np.random.default_rng(0), 1, _SETTLED)
    taken = np.array([actions(table, values)])
    found = policy_gradient(weights, table, taken, np.ones(1), 0.0)
    return values, math.exp(found.value)


def actions(table: Sequence[Decision], values: Values) -> list[int]:
    """Which option every gene has in `values`; `MASKED` where nothing was decided.

    That is so for inactive genes, genes of one value, genes that `values` lacks (they were met
    later), and values that are no option (a default outside a gene's steps).
    """
    seen: dict[str, Value] = {}
    made = []
    for decision in table:
        name = decision.gene.name
        at = MASKED
        if name in values and name not in seen and decision.gene.active(seen):
            seen[name] = values[name]
            if len(decision.options) > 1:
                at = decision.places.get((isinstance(seen[name], bool), seen[name]), MASKED)
        made.append(at)
    return made


class PolicyGradient(NamedTuple):
    """What `policy_gradient` gives."""

    value: float
    gradient: dict[str, Array]
    entropy: float
    """Mean over all decisions of the entropy of their distribution, in nats."""


def policy_gradient(
    weights: Weights,
    table: Sequence[Decision],
    taken: Actions,
    advantages: Array,
    entropy_bonus: float,
) -> PolicyGradient:
    """Return what REINFORCE raises, eq. 12 of Liu & Zhang, and its gradient in the weights.

    The mean over the batch of `advantage * log P(actions)` and of `entropy_bonus` times the
    entropies of the distributions that the actions were drawn from, summed over the genes.

    Args:
        weights: See `initial`.
        table: The genes.
        taken: `(batch, genes)`; see `actions`.
        advantages: `(batch,)`: rewards less the baseline.
        entropy_bonus: In units of reward a nat.
    """
    batch = len(taken)
    mask = (taken != MASKED).T
    previous = _previous(table, taken)
    inputs, tapes = weights["embedding"][previous], []
    layers = _layers(weights)
    for layer in layers:
        inputs, tape = forward(layer, inputs, mask)
        tapes.append(tape)
    gradient = {name: np.zeros_like(part) for name, part in weights.items()}
    d_outputs = np.zeros_like(inputs)
    value, entropies = 0.0, 0.0
    for t, decision in enumerate(table):
        on = np.flatnonzero(mask[t])
        if not len(on):
            continue
        outputs, chosen, own = inputs[t, on], taken[on, t], decision.of_kind
        odds = _softmax(_logits(weights, decision, outputs))
        logs = np.log(np.maximum(odds, np.finfo(float).tiny))
        entropy = -(odds * logs).sum(axis=1)
        likelihood = logs[np.arange(len(on)), chosen]
        value += float(advantages[on] @ likelihood + entropy_bonus * entropy.sum()) / batch
        entropies += float(entropy.sum())
        hit = np.zeros_like(odds)
        hit[np.arange(len(on)), chosen] = 1
        d_logits = advantages[on, None] * (hit - odds)
        d_logits -= entropy_bonus * odds * (logs + entropy[:, None])
        d_logits /= batch
        gradient["softmax"][own] += d_logits.T @ outputs
        gradient["softmax_bias"][own] += d_logits.sum(axis=0)
        d_outputs[t, on] = d_logits @ weights["softmax"][own]
    for index in reversed(range(len(layers))):
        d_outputs, parts = backward(layers[index], tapes[index], d_outputs)
        for name, part in parts._asdict().items():
            gradient[f"layer{index}/{name}"] = part
    np.add.at(gradient["embedding"], previous, d_outputs)
    return PolicyGradient(value, gradient, entropies / max(int(mask.sum()), 1))


def _layers(weights: Weights) -> list[Layer]:
    count = sum(name.endswith("/kernel") for name in weights)
    names = [[f"layer{index}/{part}" for part in Layer._fields] for index in range(count)]
    return [Layer(*(weights[name] for name in three)) for three in names]


def _logits(weights: Weights, decision: Decision, outputs: Array) -> Array:
    own = decision.of_kind
    return outputs @ weights["softmax"][own].T + weights["softmax_bias"][own]


def _softmax(logits: Array) -> Array:
    odds = _odds(logits)
    return odds / odds.sum(axis=1, keepdims=True)


def _odds(logits: Array) -> Array:
    """Return what a softmax divides by its sum."""
    return np.exp(logits - logits.max(axis=1, keepdims=True))


def _previous(table: Sequence[Decision], taken: Actions) -> Actions:
    """Return the row of the embedding of each step, `(genes, batch)`: of the last decision."""
    rows = np.zeros((len(table) + 1, len(taken)), int)
    for t, decision in enumerate(table):
        own = taken[:, t]
        rows[t + 1] = np.where(own == MASKED, rows[t], 1 + decision.first + own)
    return rows[:-1]
