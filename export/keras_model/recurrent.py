"""Recurrent layers as plain data: their weights, what they compute in float, and their ranges.

Cells are those of Keras: Cho et al., 2014 (GRU), with `reset_after` as in cuDNN, Hochreiter &
Schmidhuber, 1997, with forget gates (LSTM), and Elman, 1990 (SimpleRNN).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

import numpy as np

from ..arrays import Floats
from .private import flat_layers

Activation = Literal["tanh", "sigmoid", "relu"]
Gate = Literal["sigmoid", "hard_sigmoid"]
_ACTIVATIONS = ("tanh", "sigmoid", "relu")
_GATES = ("sigmoid", "hard_sigmoid")


@dataclass(frozen=True)
class Cell:
    """One direction of a GRU, LSTM or SimpleRNN layer.

    Attributes:
        kind: Which cell.
        kernel: `(channels, gates * units)`; gates in Keras' order, z, r, h or i, f, c, o.
        recurrent_kernel: `(units, gates * units)`.
        bias: Added to the input's product, `(gates * units,)`.
        recurrent_bias: Added to the state's product, `(gates * units,)`; only a GRU with
            `reset_after`, whose reset gate is applied behind the state's product, has one.
        backward: Whether it reads the last frame first.
        sequences: Whether it gives the state of every frame, `(frames, units)`, or the last one's.
        aligned: Whether a backward cell's output `t` belongs to the input's frame `t`, as inside
            `Bidirectional`, or to its step `t`.
        activation: Of the candidate, and of an LSTM's cell state.
        gate: What gates are computed by.
        states: Whether it gives its last state, too, and an LSTM its cell state.
        zeros: Whether it gives zeros for frames that a mask leaves out, or the state before them.
    """

    kind: Literal["gru", "lstm", "rnn"]
    kernel: Floats
    recurrent_kernel: Floats
    bias: Floats
    recurrent_bias: Floats | None = None
    backward: bool = False
    sequences: bool = False
    aligned: bool = False
    activation: Activation = "tanh"
    gate: Gate = "sigmoid"
    states: bool = False
    zeros: bool = False

    @property
    def units(self) -> int:
        """Length of the state."""
        return len(self.recurrent_kernel)

    @property
    def carries(self) -> int:
        """How many states go from step to step, `(units,)` each."""
        return 2 if self.kind == "lstm" else 1


class Range(NamedTuple):
    """Least and greatest value, zero included."""

    low: float
    high: float

    @classmethod
    def of(cls, *arrays: Floats) -> Range:
        """Return the range of all values in some arrays."""
        low = min(float(array.min()) for array in arrays)
        return cls(min(low, 0.0), max(max(float(array.max()) for array in arrays), 0.0))

    @property
    def most(self) -> float:
        """The greatest absolute value."""
        return max(-self.low, self.high)


class Trace(NamedTuple):
    """What a cell computed in float on some examples.

    Attributes:
        output: `(examples, frames, units)`, or `(examples, units)`.
        ranges: Of `inputs` (the input's product), `states` (the state's product), `products` (the
            same for a GRU's candidate without `reset_after`), `sums` (of both, in front of
            activations), `candidates` (behind them), `memory` (an LSTM's cell state) and `output`.
        last: The last states, `(examples, units)` each: that, and an LSTM's cell state.
    """

    output: Floats
    ranges: dict[str, Range]
    last: tuple[Floats, ...]


def trace(cell: Cell, x: Floats, first: tuple[Floats, ...] = (), mask: Any = None) -> Trace:
    """Run a cell in float over examples.

    Args:
        cell: The cell.
        x: `(examples, frames, channels)`.
        first: First states, `(examples, units)` each; zeros by default.
        mask: `(examples, frames)`, 1 for frames that are read and 0 for those that are left out,
            where the state stays; None to read all.
    """
    inputs = x @ cell.kernel + cell.bias
    frames = range(x.shape[1])
    order = list(reversed(frames)) if cell.backward else list(frames)
    zeros = np.zeros((len(x), cell.units), np.float32)
    state = first[0] if first else zeros
    memory = first[1] if len(first) > 1 else zeros
    read = np.ones(x.shape[:2], bool) if mask is None else np.asarray(mask, bool)
    seen: dict[str, list[Floats]] = {"memory": [memory], "output": [state]}
    steps: list[Floats] = []
    shown = zeros  # before the first frame that is read, not the first state
    step = {"lstm": _lstm_step, "gru": _gru_step, "rnn": _rnn_step}[cell.kind]
    for frame in order:
        after = step(cell, inputs[:, frame], state, memory, seen)
        kept = read[:, frame, None]
        state = np.where(kept, after[0], state)
        memory = np.where(kept, after[1], memory)
        shown = np.where(kept, state, 0 if cell.zeros else shown)
        steps.append(shown)
        seen["output"].append(state)
        seen["memory"].append(memory)
    ranges = {name: Range.of(*arrays) for name, arrays in seen.items()}
    ranges["inputs"] = Range.of(inputs)
    last = (state, memory)[: cell.carries]
    if not cell.sequences:
        return Trace(shown, ranges, last)
    ordered = reversed(steps) if cell.backward and cell.aligned else steps
    return Trace(np.stack(list(ordered), axis=1), ranges, last)


def _gru_step(
    cell: Cell, inputs: Floats, state: Floats, memory: Floats, seen: dict[str, list[Floats]]
) -> tuple[Floats, Floats]:
    units = cell.units
    if cell.recurrent_bias is not None:
        products = state @ cell.recurrent_kernel + cell.recurrent_bias
        gates = _gate(cell, inputs[:, : 2 * units] + products[:, : 2 * units])
        update, reset = gates[:, :units], gates[:, units:]
        sums = inputs[:, 2 * units :] + reset * products[:, 2 * units :]
    else:
        products = state @ cell.recurrent_kernel[:, : 2 * units]
        gates = _gate(cell, inputs[:, : 2 * units] + products)
        update, reset = gates[:, :units], gates[:, units:]
        inner: Any = (reset * state) @ cell.recurrent_kernel[:, 2 * units :]
        seen.setdefault("products", []).append(inner)
        sums = inputs[:, 2 * units :] + inner
    candidate = _activate(cell, sums, seen)
    seen.setdefault("states", []).append(products)
    return candidate + update * (state - candidate), memory


def _lstm_step(
    cell: Cell, inputs: Floats, state: Floats, memory: Floats, seen: dict[str, list[Floats]]
) -> tuple[Floats, Floats]:
    products = state @ cell.recurrent_kernel
    seen.setdefault("states", []).append(products)
    let_in, forget, candidate, output = np.split(inputs + products, 4, axis=1)
    candidate = _activate(cell, candidate, seen)
    memory = _gate(cell, forget) * memory + _gate(cell, let_in) * candidate
    return _gate(cell, output) * _function(cell.activation, memory), memory


def _rnn_step(
    cell: Cell, inputs: Floats, state: Floats, memory: Floats, seen: dict[str, list[Floats]]
) -> tuple[Floats, Floats]:
    products = state @ cell.recurrent_kernel
    seen.setdefault("states", []).append(products)
    return _activate(cell, inputs + products, seen), memory


def _activate(cell: Cell, sums: Floats, seen: dict[str, list[Floats]]) -> Floats:
    candidate = _function(cell.activation, sums)
    seen.setdefault("sums", []).append(sums)
    seen.setdefault("candidates", []).append(candidate)
    return candidate


def _gate(cell: Cell, x: Floats) -> Floats:
    if cell.gate == "hard_sigmoid":
        return np.clip(x / 6 + 0.5, 0, 1)
    return _function("sigmoid", x)


def _function(name: Activation, x: Floats) -> Floats:
    if name == "tanh":
        return np.tanh(x)
    if name == "relu":
        return np.maximum(x, 0)
    return 0.5 + 0.5 * np.tanh(0.5 * x)


def cells(layer: Any) -> tuple[Cell, ...] | None:
    """Return the cells of a Keras layer, forward and backward; None for what has no plain ones.

    Plain are `GRU`, `LSTM`, `SimpleRNN` and `Bidirectional` of them, stateless, with the
    activations tanh, sigmoid and relu, and gates of sigmoid and hard_sigmoid.
    """
    from keras import layers

    if isinstance(layer, layers.Bidirectional):
        both = [cells(inner) for inner in (layer.forward_layer, layer.backward_layer)]
        if layer.stateful or None in both:
            return None
        return tuple(replace(cell, aligned=True) for (cell,) in both if cell)  # type: ignore[misc]
    if type(layer) not in (layers.GRU, layers.LSTM, layers.SimpleRNN) or layer.stateful:
        return None
    plain = type(layer) is layers.SimpleRNN
    activation = _name(layer.activation)
    gate = "sigmoid" if plain else _name(layer.recurrent_activation)
    if activation not in _ACTIVATIONS or gate not in _GATES:
        return None
    if layer.zero_output_for_mask and not layer.return_sequences:
        return None
    kernel, recurrent, *rest = (np.array(weight) for weight in layer.cell.weights)
    bias: Any = rest[0] if rest else np.zeros(kernel.shape[1], np.float32)
    kind = "rnn" if plain else "gru" if type(layer) is layers.GRU else "lstm"
    recurrent_bias = None
    if kind == "gru" and layer.reset_after:
        bias, recurrent_bias = bias if rest else (bias, bias)
    return (
        Cell(
            kind,  # type: ignore[arg-type]
            kernel,
            recurrent,
            bias,
            recurrent_bias,
            layer.go_backwards,
            layer.return_sequences,
            activation=activation,  # type: ignore[arg-type]
            gate=gate,  # type: ignore[arg-type]
            states=layer.return_state,
            zeros=layer.zero_output_for_mask,
        ),
    )


def _name(function: Any) -> str:
    return str(getattr(function, "__name__", function))


def recurrent_layers(model: Any) -> list[Any]:
    """Return the recurrent layers of a model, also those in models inside it."""
    from keras import layers

    found = [
        layer
        for layer in flat_layers(model)
        if isinstance(layer, layers.RNN | layers.Bidirectional)
    ]
    wrapped = {
        id(inner)
        for layer in found
        if isinstance(layer, layers.Bidirectional)
        for inner in (layer.forward_layer, layer.backward_layer)
    }
    return [layer for layer in found if id(layer) not in wrapped]


def without_recurrent_dropout(model: Any) -> Any:
    """Return a model whose recurrent cells have no dropout, as in inference; itself if none has.

    Their masks are drawn in inference, too, though not used, and the converter has no operator for
    the state of the random generator.
    """
    import keras

    if not any(_has_dropout(layer) for layer in flat_layers(model)):
        return model
    copy = keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    for layer in flat_layers(copy):
        if _has_dropout(layer):
            layer.dropout = layer.recurrent_dropout = 0.0
    return copy


def _has_dropout(layer: Any) -> bool:
    if not hasattr(layer, "get_dropout_mask"):  # only recurrent cells have such masks
        return False
    return bool(layer.dropout or layer.recurrent_dropout)


def unrolled(model: Any) -> Any:
    """Return a copy of a model whose recurrent layers have every step written out."""
    import keras

    copy = keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    for layer in recurrent_layers(copy):
        both = isinstance(layer, keras.layers.Bidirectional)
        for inner in (layer.forward_layer, layer.backward_layer) if both else (layer,):
            inner.unroll = True
    return copy
