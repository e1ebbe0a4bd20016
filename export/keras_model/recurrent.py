"""Recurrent layers as plain data: their weights, what they compute in float, and their ranges.

Cells are those of Keras: Cho et al., 2014 (GRU), with `reset_after` as in cuDNN, and Hochreiter &
Schmidhuber, 1997, with forget gates (LSTM).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

import numpy as np

from ..arrays import Floats
from .private import flat_layers


@dataclass(frozen=True)
class Cell:
    """One direction of a GRU or LSTM layer.

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
    """

    kind: Literal["gru", "lstm"]
    kernel: Floats
    recurrent_kernel: Floats
    bias: Floats
    recurrent_bias: Floats | None = None
    backward: bool = False
    sequences: bool = False
    aligned: bool = False

    @property
    def units(self) -> int:
        """Length of the state."""
        return len(self.recurrent_kernel)


class Range(NamedTuple):
    """Least and greatest value, zero included."""

    low: float
    high: float

    @classmethod
    def of(cls, *arrays: Floats) -> Range:
        """Return the range of all values in some arrays."""
        low = min(float(array.min()) for array in arrays)
        return cls(min(low, 0.0), max(max(float(array.max()) for array in arrays), 0.0))


class Trace(NamedTuple):
    """What a cell computed in float on some examples.

    Attributes:
        output: `(examples, frames, units)`, or `(examples, units)`.
        ranges: Of `inputs` (the input's product), `states` (the state's product), `candidates` (the
            same for a GRU's candidate without `reset_after`), `memory` (an LSTM's cell state) and
            `output`.
    """

    output: Floats
    ranges: dict[str, Range]


def trace(cell: Cell, x: Floats) -> Trace:
    """Run a cell in float over examples `(examples, frames, channels)`."""
    inputs = x @ cell.kernel + cell.bias
    frames = range(x.shape[1])
    order = list(reversed(frames)) if cell.backward else list(frames)
    state = np.zeros((len(x), cell.units), np.float32)
    memory = np.zeros_like(state)
    seen: dict[str, list[Floats]] = {"memory": [], "output": []}
    step = _lstm_step if cell.kind == "lstm" else _gru_step
    for frame in order:
        state, memory = step(cell, inputs[:, frame], state, memory, seen)
        seen["output"].append(state)
        seen["memory"].append(memory)
    ranges = {name: Range.of(*arrays) for name, arrays in seen.items()}
    ranges["inputs"] = Range.of(inputs)
    if not cell.sequences:
        return Trace(state, ranges)
    steps = reversed(seen["output"]) if cell.backward and cell.aligned else seen["output"]
    return Trace(np.stack(list(steps), axis=1), ranges)


def _gru_step(
    cell: Cell, inputs: Floats, state: Floats, memory: Floats, seen: dict[str, list[Floats]]
) -> tuple[Floats, Floats]:
    units = cell.units
    if cell.recurrent_bias is not None:
        products = state @ cell.recurrent_kernel + cell.recurrent_bias
        gates = _sigmoid(inputs[:, : 2 * units] + products[:, : 2 * units])
        update, reset = gates[:, :units], gates[:, units:]
        candidate = np.tanh(inputs[:, 2 * units :] + reset * products[:, 2 * units :])
    else:
        products = state @ cell.recurrent_kernel[:, : 2 * units]
        gates = _sigmoid(inputs[:, : 2 * units] + products)
        update, reset = gates[:, :units], gates[:, units:]
        inner: Any = (reset * state) @ cell.recurrent_kernel[:, 2 * units :]
        seen.setdefault("candidates", []).append(inner)
        candidate = np.tanh(inputs[:, 2 * units :] + inner)
    seen.setdefault("states", []).append(products)
    return candidate + update * (state - candidate), memory


def _lstm_step(
    cell: Cell, inputs: Floats, state: Floats, memory: Floats, seen: dict[str, list[Floats]]
) -> tuple[Floats, Floats]:
    products = state @ cell.recurrent_kernel
    seen.setdefault("states", []).append(products)
    let_in, forget, candidate, output = np.split(inputs + products, 4, axis=1)
    memory = _sigmoid(forget) * memory + _sigmoid(let_in) * np.tanh(candidate)
    return _sigmoid(output) * np.tanh(memory), memory


def _sigmoid(x: Floats) -> Floats:
    return 0.5 + 0.5 * np.tanh(0.5 * x)


def cells(layer: Any) -> tuple[Cell, ...] | None:
    """Return the cells of a Keras layer, forward and backward; None for what has no plain ones.

    Plain are `GRU`, `LSTM` and `Bidirectional` of them with their usual activations, stateless,
    giving outputs alone.
    """
    from keras import layers

    if isinstance(layer, layers.Bidirectional):
        both = [cells(inner) for inner in (layer.forward_layer, layer.backward_layer)]
        if layer.stateful or None in both:
            return None
        return tuple(replace(cell, aligned=True) for (cell,) in both if cell)  # type: ignore[misc]
    if type(layer) not in (layers.GRU, layers.LSTM):
        return None
    names = layer.activation.__name__, layer.recurrent_activation.__name__
    if names != ("tanh", "sigmoid") or layer.stateful or layer.return_state:
        return None
    kernel, recurrent, *rest = (np.array(weight) for weight in layer.cell.weights)
    bias: Any = rest[0] if rest else np.zeros(kernel.shape[1], np.float32)
    kind: Literal["gru", "lstm"] = "gru" if type(layer) is layers.GRU else "lstm"
    recurrent_bias = None
    if kind == "gru" and layer.reset_after:
        bias, recurrent_bias = bias if rest else (bias, bias)
    backward, sequences = layer.go_backwards, layer.return_sequences
    return (Cell(kind, kernel, recurrent, bias, recurrent_bias, backward, sequences),)


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
