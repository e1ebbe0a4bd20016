"""LSTM layers as the runtime's own operator, UNIDIRECTIONAL_SEQUENCE_LSTM.

The converter makes loops of Keras 3's LSTM layers, but knows those of tf_keras by their functions'
attributes (`api_implements`) and puts one operator in the place of each direction. It is smaller
than a loop, and keeps its state: what a clip leaves behind goes on in the next, unless the
application calls `reset_all_variables()` in between (`resetVariableTensors` in Java,
`TfLiteInterpreterResetVariableTensors` in C).

Only for child processes; see `kerasnas.export.twin`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from kerasnas.export.elu import with_integer_elu
from kerasnas.export.errors import ExportError
from kerasnas.export.forms import Form
from kerasnas.export.recurrent import recurrent_layers
from kerasnas.export.stock import Converted, convert_function, inference
from kerasnas.export.tflite_graph import TfliteFile
from kerasnas.export.twin import rebuild

if TYPE_CHECKING:
    import keras

_OPERATOR = "UNIDIRECTIONAL_SEQUENCE_LSTM"
_PARITY_EXAMPLES = 2


def convert_fused(
    model: keras.Model, form: Form, calibration: np.ndarray | None = None
) -> Converted:
    """A `.tflite` file of a network whose LSTM layers are one operator for each direction.

    Args:
        model: One input, one output; all recurrent layers LSTM.
        form: See `kerasnas.export.convert`.
        calibration: For `full_int8`, `(examples, *input shape)`.

    Raises:
        ExportError: A layer has no counterpart in tf_keras, or the converter refuses the network or
            does not fuse a layer.
    """
    import tensorflow as tf

    twin = rebuild(model)
    examples = np.random.default_rng(0).normal(size=(_PARITY_EXAMPLES, *model.inputs[0].shape[1:]))
    twin.check(examples.astype(np.float32))
    holder = tf.Module()
    holder.weights = list(twin.model.variables)
    inputs = () if calibration is None else (calibration,)
    stock = convert_function(inference(twin.model), form, inputs, holder)
    file = TfliteFile(stock)
    with_integer_elu(file)
    fused = sum(file.main.name_of(operator) == _OPERATOR for operator in file.main.t.operators)
    wanted = sum(2 if hasattr(layer, "backward_layer") else 1 for layer in recurrent_layers(model))
    if fused != wanted:
        raise ExportError(
            f"the converter has fused {fused} of {wanted} directions of LSTM layers: it fuses "
            "those with tanh, sigmoid and biases, without masks and recurrent dropout; leave "
            "export.recurrent at auto"
        )
    return Converted(file.content(), len(stock))
