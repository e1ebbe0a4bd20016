"""TFLearn's `layers.recurrent`.

As there, a dropout argument gives the shares that are KEPT of a layer's inputs and of its outputs,
anew in every frame; the state is never dropped. Weights begin as TensorFlow 1's: Glorot's uniform
distribution for inputs and state together, the LSTM's forget gate with the bias 1, the GRU's two
gates with the bias 1. The GRU resets the state before the product.
"""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from kerasnas.baselines.absent import names_absent_arguments
from kerasnas.baselines.layers import core
from kerasnas.errors import KerasnasError

if TYPE_CHECKING:
    import keras

Keep = float | tuple[float, float] | None


@dataclass(frozen=True)
class _Cell:
    num_units: int
    _: KW_ONLY
    activation: core.Activation = "tanh"
    weights_init: Any = None

    def layer(self, inputs: int, return_seq: bool, backwards: bool = False) -> Any:
        """Return the Keras layer that runs the cell over frames of so many inputs."""
        import keras

        title, gates, arguments = self._keras()
        limit = np.sqrt(6 / (inputs + self.num_units + gates * self.num_units))
        uniform = keras.initializers.RandomUniform(-limit, limit)
        start = (
            uniform if self.weights_init in (None, "xavier") else core.initial(self.weights_init)
        )
        return getattr(keras.layers, title)(
            self.num_units,
            activation=core.function(self.activation),
            kernel_initializer=start,
            recurrent_initializer=start.clone() if start is uniform else start,
            return_sequences=return_seq,
            go_backwards=backwards,
            **arguments,
        )

    def _keras(self) -> tuple[str, int, dict[str, Any]]:
        """Name of the layer, size of the first product in units, and further arguments."""
        raise NotImplementedError

    def start(self, layer: Any) -> None:
        """Give the built layer the biases that it begins with."""


@dataclass(frozen=True)
class BasicRNNCell(_Cell):
    """The state is `activation(W x + U state + b)`."""

    def _keras(self) -> tuple[str, int, dict[str, Any]]:
        return "SimpleRNN", 1, {}


@dataclass(frozen=True)
class BasicLSTMCell(_Cell):
    """Long short-term memory, whose forget gate begins with the bias `forget_bias`."""

    inner_activation: core.Activation = "sigmoid"
    forget_bias: float = 1.0

    def _keras(self) -> tuple[str, int, dict[str, Any]]:
        return "LSTM", 4, {"recurrent_activation": core.function(self.inner_activation)}

    def start(self, layer: Any) -> None:
        """Set the forget gate's bias, the second of four in Keras."""
        bias = np.zeros((4, self.num_units), np.float32)
        bias[1] = self.forget_bias
        layer.cell.bias.assign(bias.reshape(-1))


@dataclass(frozen=True)
class GRUCell(_Cell):
    """Gated recurrent units."""

    inner_activation: core.Activation = "sigmoid"

    def _keras(self) -> tuple[str, int, dict[str, Any]]:
        gates = core.function(self.inner_activation)
        return "GRU", 2, {"recurrent_activation": gates, "reset_after": False}

    def start(self, layer: Any) -> None:
        """Set the biases of the two gates, the first of three in Keras."""
        bias = np.ones((3, self.num_units), np.float32)
        bias[2] = 0
        layer.cell.bias.assign(bias.reshape(-1))


@names_absent_arguments
def simple_rnn(
    incoming: keras.KerasTensor,
    n_units: int,
    activation: core.Activation = "sigmoid",
    dropout: Keep = None,
    *,
    weights_init: Any = None,
    return_seq: bool = False,
    name: str | None = None,
) -> keras.KerasTensor:
    """Plain recurrent layer; arguments and shapes as of `lstm`."""
    cell = BasicRNNCell(n_units, activation=activation, weights_init=weights_init)
    return _run(incoming, cell, dropout, return_seq, name)


@names_absent_arguments
def lstm(
    incoming: keras.KerasTensor,
    n_units: int,
    activation: core.Activation = "tanh",
    inner_activation: core.Activation = "sigmoid",
    dropout: Keep = None,
    *,
    weights_init: Any = None,
    forget_bias: float = 1.0,
    return_seq: bool = False,
    name: str | None = None,
) -> keras.KerasTensor:
    """Long short-term memory over the frames.

    Args:
        incoming: `(clips, frames, values)`.
        n_units: Number of units.
        activation: Of the cell's input and output.
        inner_activation: Of the gates.
        dropout: The share KEPT of inputs and of outputs, or a pair of both; None drops nothing.
        weights_init: As of `fully_connected`; None and `xavier` are the module's default.
        forget_bias: That the forget gate begins with.
        return_seq: Whether all frames are returned.
        name: Of the layer.

    Returns:
        `(clips, n_units)`, or `(clips, frames, n_units)` with `return_seq`.

    Raises:
        KerasnasError: The dropout is no share above 0, or the input has no frames.
    """
    cell = BasicLSTMCell(
        n_units,
        activation=activation,
        weights_init=weights_init,
        inner_activation=inner_activation,
        forget_bias=forget_bias,
    )
    return _run(incoming, cell, dropout, return_seq, name)


@names_absent_arguments
def gru(
    incoming: keras.KerasTensor,
    n_units: int,
    activation: core.Activation = "tanh",
    inner_activation: core.Activation = "sigmoid",
    dropout: Keep = None,
    *,
    weights_init: Any = None,
    return_seq: bool = False,
    name: str | None = None,
) -> keras.KerasTensor:
    """Gated recurrent units; arguments and shapes as of `lstm`."""
    cell = GRUCell(
        n_units,
        activation=activation,
        weights_init=weights_init,
        inner_activation=inner_activation,
    )
    return _run(incoming, cell, dropout, return_seq, name)


@names_absent_arguments
def bidirectional_rnn(
    incoming: keras.KerasTensor,
    rnncell_fw: _Cell,
    rnncell_bw: _Cell,
    return_seq: bool = False,
    *,
    name: str | None = None,
) -> keras.KerasTensor:
    """Two cells over the frames, one from each end; their outputs side by side.

    Without `return_seq` the output is the last frame's, as in TFLearn: the backward cell has read
    that frame only (Keras gives the backward cell's state after all frames).

    Args:
        incoming: `(clips, frames, values)`, of a fixed number of frames unless `return_seq`.
        rnncell_fw: A `BasicLSTMCell`, `GRUCell` or `BasicRNNCell`.
        rnncell_bw: Another of as many units.
        return_seq: Whether all frames are returned.
        name: Of the layer.

    Raises:
        KerasnasError: The cells differ in units, or the input has no frames.
    """
    import keras

    if rnncell_fw.num_units != rnncell_bw.num_units:
        raise KerasnasError(
            f"the forward cell has {rnncell_fw.num_units} units, the backward cell "
            f"{rnncell_bw.num_units}: give both as many"
        )
    inputs = _values(incoming)
    layer = keras.layers.Bidirectional(
        rnncell_fw.layer(inputs, return_seq=True),
        backward_layer=rnncell_bw.layer(inputs, return_seq=True, backwards=True),
        name=name,
    )
    x = layer(incoming)
    rnncell_fw.start(layer.forward_layer)
    rnncell_bw.start(layer.backward_layer)
    if return_seq:
        return x
    return core.flatten(keras.layers.Cropping1D((incoming.shape[1] - 1, 0))(x))


def _run(
    incoming: keras.KerasTensor, cell: _Cell, dropout: Keep, return_seq: bool, name: str | None
) -> keras.KerasTensor:
    keep_inputs, keep_outputs = dropout if isinstance(dropout, tuple | list) else (dropout, dropout)
    layer = cell.layer(_values(incoming), return_seq)
    if name is not None:
        layer.name = name
    x = incoming if keep_inputs is None else core.dropout(incoming, keep_inputs)
    x = layer(x)
    cell.start(layer)
    return x if keep_outputs is None else core.dropout(x, keep_outputs)


def _values(incoming: keras.KerasTensor) -> int:
    if len(incoming.shape) != 3:
        raise KerasnasError(
            f"a recurrent layer was given the shape {tuple(incoming.shape)}: it reads (clips, "
            "frames, values); set return_seq=True on the recurrent layer before it"
        )
    return int(incoming.shape[2])
