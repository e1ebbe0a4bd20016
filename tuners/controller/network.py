"""The controller's arithmetic: LSTM layers with their own gradients, clipping, and Adam.

Pure functions on arrays. Gates stand in Keras' order (input, forget, cell, output), so that weights
can be held against `keras.layers.LSTM`, which the tests do. Sources: Hochreiter & Schmidhuber 1997
with the forget gate of Gers et al. 2000; Kingma & Ba 2015, algorithm 1.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Weights = Mapping[str, Array]


class Layer(NamedTuple):
    """Weights of one LSTM layer of `units` units, or their gradients."""

    kernel: Array
    """`(inputs, 4 * units)`"""
    recurrent: Array
    """`(units, 4 * units)`"""
    bias: Array
    """`(4 * units,)`"""


class Tape(NamedTuple):
    """What `backward` needs of a `forward`."""

    inputs: Array
    """`(steps, batch, inputs)`"""
    mask: npt.NDArray[np.bool_]
    """`(steps, batch)`"""
    gates: Array
    """`(steps, batch, 4 * units)`"""
    cells: Array
    """`(steps + 1, batch, units)`, zeros first"""
    outputs: Array
    """`(steps + 1, batch, units)`, zeros first"""


def step(layer: Layer, inputs: Array, output: Array, cell: Array) -> tuple[Array, Array, Array]:
    """One time step.

    Args:
        layer: The weights.
        inputs: `(batch, 4 * units)`: the step's inputs times the kernel, plus the bias.
        output: `(batch, units)`, of the step before.
        cell: `(batch, units)`, of the step before.

    Returns:
        Output and cell, `(batch, units)` each, and the gates, `(batch, 4 * units)`.
    """
    scale, shift = _squashing(output.shape[1])
    gates = output @ layer.recurrent
    gates += inputs
    gates *= scale
    np.tanh(gates, out=gates)
    gates *= scale
    gates += shift
    entry, forget, update, exit_ = _four(gates)
    cell = forget * cell + entry * update
    return exit_ * np.tanh(cell), cell, gates


def forward(layer: Layer, inputs: Array, mask: npt.NDArray[np.bool_]) -> tuple[Array, Tape]:
    """Return a whole sequence, from a state of zeros.

    Args:
        layer: The weights.
        inputs: `(steps, batch, inputs)`.
        mask: `(steps, batch)`; where it is false the state stays as it is.

    Returns:
        Outputs `(steps, batch, units)`, and the tape.
    """
    steps, batch, _ = inputs.shape
    units = layer.recurrent.shape[0]
    projected = inputs @ layer.kernel + layer.bias
    gates = np.zeros((steps, batch, 4 * units))
    cells, outputs = np.zeros((2, steps + 1, batch, units))
    for t in range(steps):
        output, cell, gates[t] = step(layer, projected[t], outputs[t], cells[t])
        on = mask[t, :, None]
        outputs[t + 1] = np.where(on, output, outputs[t])
        cells[t + 1] = np.where(on, cell, cells[t])
    return outputs[1:], Tape(inputs, mask, gates, cells, outputs)


def backward(layer: Layer, tape: Tape, d_outputs: Array) -> tuple[Array, Layer]:
    """Gradients through a `forward`.

    Args:
        layer: The weights it was run with.
        tape: Its tape.
        d_outputs: `(steps, batch, units)`: the gradient of a scalar in its outputs.

    Returns:
        The gradient in its inputs, `(steps, batch, inputs)`, and in its weights.
    """
    steps, batch, units = d_outputs.shape
    d_sums = np.zeros((steps, batch, 4 * units))
    d_output = np.zeros((batch, units))
    d_cell = np.zeros((batch, units))
    for t in reversed(range(steps)):
        on = tape.mask[t, :, None]
        d_output = d_output + d_outputs[t]
        entry, forget, update, exit_ = _four(tape.gates[t])
        squashed = np.tanh(tape.cells[t + 1])
        d_inner = d_cell + d_output * exit_ * (1 - squashed**2)
        d_sums[t] = on * np.concatenate(
            [
                d_inner * update * entry * (1 - entry),
                d_inner * tape.cells[t] * forget * (1 - forget),
                d_inner * entry * (1 - update**2),
                d_output * squashed * exit_ * (1 - exit_),
            ],
            axis=1,
        )
        d_output = np.where(on, d_sums[t] @ layer.recurrent.T, d_output)
        d_cell = np.where(on, d_inner * forget, d_cell)
    rows = d_sums.reshape(steps * batch, -1)
    gradient = Layer(
        kernel=tape.inputs.reshape(steps * batch, -1).T @ rows,
        recurrent=tape.outputs[:-1].reshape(steps * batch, -1).T @ rows,
        bias=rows.sum(axis=0),
    )
    return d_sums @ layer.kernel.T, gradient


def clipped(gradient: Weights, norm: float) -> dict[str, Array]:
    """Return the gradient, scaled so that the Euclidean norm over all of it is at most `norm`."""
    length = math.sqrt(sum(float(np.vdot(part, part)) for part in gradient.values()))
    factor = min(1.0, norm / length) if length else 1.0
    return {name: part * factor for name, part in gradient.items()}


class Adam(NamedTuple):
    """Moments of the gradients so far, by the name of the weight."""

    first: Weights
    second: Weights
    steps: int = 0


def adam(
    weights: Weights, gradient: Weights, state: Adam, learning_rate: float
) -> tuple[dict[str, Array], Adam]:
    """One step that lowers the objective (beta 0.9 and 0.999, epsilon 1e-8, as in the paper).

    Returns:
        New weights and moments; what was given stays as it is.
    """
    steps = state.steps + 1
    first = {name: 0.9 * state.first[name] + 0.1 * part for name, part in gradient.items()}
    second = {name: 0.999 * state.second[name] + 0.001 * part**2 for name, part in gradient.items()}
    rate = learning_rate / (1 - 0.9**steps)
    stretch = 1 / (1 - 0.999**steps)
    moved = {
        name: weights[name] - rate * first[name] / (np.sqrt(second[name] * stretch) + 1e-8)
        for name in gradient
    }
    return moved, Adam(first, second, steps)


@functools.cache
def _squashing(units: int) -> tuple[Array, Array]:
    """Return what makes one tanh of all gates: sigmoid(z) = tanh(z / 2) / 2 + 1 / 2."""
    scale = np.full(4 * units, 0.5)
    scale[2 * units : 3 * units] = 1.0
    return scale, 1 - scale


def _four(gates: Array) -> tuple[Array, Array, Array, Array]:
    units = gates.shape[1] // 4
    return (
        gates[:, :units],
        gates[:, units : 2 * units],
        gates[:, 2 * units : 3 * units],
        gates[:, 3 * units :],
    )
