"""TFLearn's `layers.core`: inputs, dense layers, dropout, shapes.

Weights begin as TFLearn's: a normal distribution of deviation 0.02, cut at two deviations.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from math import prod
from typing import TYPE_CHECKING, Any

from kerasnas.baselines.absent import names_absent_arguments
from kerasnas.errors import KerasnasError

if TYPE_CHECKING:
    import keras


Activation = str | Callable[[Any], Any]

_ACTIVATIONS = (
    *("linear", "tanh", "sigmoid", "softmax", "softplus", "softsign"),
    *("relu", "relu6", "elu", "selu"),
)


def check_name(what: str, value: Any, known: Iterable[str]) -> None:
    """Refuse a name by which TFLearn means nothing, or something else than Keras.

    Raises:
        KerasnasError: `value` is text, and none of those.
    """
    if isinstance(value, str) and value.lower() not in known:
        raise KerasnasError(
            f"unknown {what} {value!r}: give one of {', '.join(known)}, or an object of Keras"
        )


def initial(weights_init: Any) -> Any:
    """Return what Keras calls TFLearn's initialisation.

    Raises:
        KerasnasError: The name is unknown.
    """
    import keras

    names = {
        "zeros": lambda: keras.initializers.Zeros(),
        "normal": lambda: keras.initializers.RandomNormal(stddev=0.02),
        "truncated_normal": lambda: keras.initializers.TruncatedNormal(stddev=0.02),
        "uniform": lambda: keras.initializers.RandomUniform(0, 1),
        "xavier": lambda: keras.initializers.GlorotUniform(),
    }
    check_name("initialisation", weights_init, names)
    return names[weights_init.lower()]() if isinstance(weights_init, str) else weights_init


def function(activation: Activation) -> Activation:
    """Return an activation as Keras takes it.

    Raises:
        KerasnasError: The name is unknown, or Keras's function of that name is another one.
    """
    check_name("activation", activation, _ACTIVATIONS)
    return activation.lower() if isinstance(activation, str) else activation


@names_absent_arguments
def input_data(
    shape: Sequence[int | None], *, dtype: Any = "float32", name: str | None = None
) -> keras.KerasTensor:
    """Return the network's input.

    Args:
        shape: With the batch as None in front, or without it: `[None, 10, 128]` or `[10, 128]`.
        dtype: Of the values.
        name: Of the layer.

    Raises:
        KerasnasError: A graph of TensorFlow 1 is being built round the network.
    """
    import keras

    _check_eager()
    rest = tuple(shape[1:]) if shape[0] is None else tuple(shape)
    return keras.Input(rest, dtype=dtype, name=name)


def _check_eager() -> None:
    import keras

    if keras.backend.backend() != "tensorflow":
        return
    import tensorflow as tf

    if not tf.executing_eagerly():
        raise KerasnasError(
            "the network is built inside tf.Graph().as_default(), or without eager execution: "
            "leave `with tf.Graph().as_default():`, tf.Session and "
            "tf.compat.v1.disable_eager_execution() out of the script; Keras 3 needs no graph"
        )


@names_absent_arguments
def fully_connected(
    incoming: keras.KerasTensor,
    n_units: int,
    activation: Activation = "linear",
    bias: bool = True,
    weights_init: Any = "truncated_normal",
    bias_init: Any = "zeros",
    regularizer: str | None = None,
    weight_decay: float = 0.001,
    trainable: bool = True,
    *,
    name: str | None = None,
) -> keras.KerasTensor:
    """Dense layer: `(clips, ...)` is flattened, and becomes `(clips, n_units)`.

    Args:
        incoming: Two axes or more.
        n_units: Number of outputs.
        activation: By name, or a function of Keras.
        bias: Whether a bias is added.
        weights_init: `zeros`, `normal`, `truncated_normal` (deviation 0.02), `uniform` (0 to 1),
            `xavier`, or an initialiser of Keras.
        bias_init: Likewise.
        regularizer: `L1` or `L2`; none by default.
        weight_decay: Its strength: L1 adds weight_decay |w|, L2 weight_decay w² / 2, as
            TensorFlow 1 defined it.
        trainable: Whether training changes the weights.
        name: Of the layer.
    """
    import keras

    penalties = {
        None: lambda: None,
        "L1": lambda: keras.regularizers.L1(weight_decay),
        "L2": lambda: keras.regularizers.L2(weight_decay / 2),
    }
    if regularizer not in penalties:
        raise KerasnasError(f"unknown regularizer {regularizer!r}: give 'L1', 'L2' or None")
    x = flatten(incoming) if len(incoming.shape) > 2 else incoming
    return keras.layers.Dense(
        n_units,
        function(activation),
        use_bias=bias,
        kernel_initializer=initial(weights_init),
        bias_initializer=initial(bias_init),
        kernel_regularizer=penalties[regularizer](),
        trainable=trainable,
        name=name,
    )(x)


def dropout(
    incoming: keras.KerasTensor, keep_prob: float, *, name: str | None = None
) -> keras.KerasTensor:
    """Keep every input with the chance `keep_prob` while training, scaled by 1 / keep_prob.

    TFLearn counts what is kept, Keras what is dropped: 0.8 here is `keras.layers.Dropout(0.2)`.

    Raises:
        KerasnasError: It is no chance above 0.
    """
    import keras

    if not 0 < keep_prob <= 1:
        raise KerasnasError(
            f"keep_prob is {keep_prob}: it is the share that is kept, above 0 and at most 1"
        )
    return keras.layers.Dropout(1 - keep_prob, name=name)(incoming)


@names_absent_arguments
def single_unit(
    incoming: keras.KerasTensor,
    activation: Activation = "linear",
    bias: bool = True,
    trainable: bool = True,
    *,
    name: str | None = None,
) -> keras.KerasTensor:
    """Return one weight times one value a clip, plus a bias: `(clips, 1)`.

    Both begin with one draw each of the standard normal distribution.

    Args:
        incoming: `(clips,)`, or one value a clip of any shape.
        activation: By name, or a function of Keras.
        bias: Whether a bias is added.
        trainable: Whether training changes weight and bias.
        name: Of the layer.

    Raises:
        KerasnasError: A clip has several values.
    """
    import keras

    if prod(incoming.shape[1:]) != 1:
        raise KerasnasError(
            f"single_unit was given the shape {tuple(incoming.shape)}: it takes one value a clip; "
            "use fully_connected(incoming, 1)"
        )
    layer = keras.layers.Dense(
        1,
        function(activation),
        use_bias=bias,
        kernel_initializer=keras.initializers.RandomNormal(stddev=1.0),
        bias_initializer=keras.initializers.RandomNormal(stddev=1.0),
        trainable=trainable,
        name=name,
    )
    return layer(keras.layers.Reshape((1,))(incoming))


def flatten(incoming: keras.KerasTensor, name: str | None = None) -> keras.KerasTensor:
    """`(clips, ...)` as `(clips, values)`."""
    return reshape(incoming, [-1, prod(incoming.shape[1:])], name)


def reshape(
    incoming: keras.KerasTensor, new_shape: Sequence[int], name: str | None = None
) -> keras.KerasTensor:
    """Another shape; `new_shape` begins with -1 for the clips."""
    import keras

    if new_shape[0] != -1:
        raise KerasnasError(f"new_shape is {new_shape}: it must begin with -1, for the clips")
    return keras.layers.Reshape(tuple(new_shape[1:]), name=name)(incoming)


def activation(
    incoming: keras.KerasTensor, activation: Activation = "linear", name: str | None = None
) -> keras.KerasTensor:
    """Return an activation by its name, or a function of Keras."""
    import keras

    return keras.layers.Activation(function(activation), name=name)(incoming)
