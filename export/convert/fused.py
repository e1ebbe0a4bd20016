"""LSTM layers as the runtime's own operator, UNIDIRECTIONAL_SEQUENCE_LSTM.

The converter makes loops of Keras 3's LSTM layers, but knows those of tf_keras by their functions'
attributes (`api_implements`) and puts one operator in the place of each direction. It is smaller
than a loop, and keeps its state: what a clip leaves behind goes on in the next, unless the
application calls `reset_all_variables()` in between (`resetVariableTensors` in Java,
`TfLiteInterpreterResetVariableTensors` in C).

Only for child processes; see `kerasnas.export.keras_model.twin`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..errors import ExportError
from ..flatbuffer.graph import TfliteFile
from ..forms import Form
from ..integer.operators import with_integer_operators
from ..integer.weights import with_int8_weights
from ..keras_model.recurrent import recurrent_layers
from ..keras_model.twin import rebuild
from .stock import Converted, convert_function, inference

if TYPE_CHECKING:
    import keras

_OPERATOR = "UNIDIRECTIONAL_SEQUENCE_LSTM"
_PARITY_EXAMPLES = 2
# Places in the operator's inputs and intermediates, from the schema's `lite/kernels/lstm.cc`.
_STATE, _MEMORY, _PRODUCT = 18, 19, 4
_MEMORY_MARGIN = 2  # of the cell state, over what calibration saw: int16 has room for it
_FINEST = 2.0**-12
"""Of the cell state, up to 8: as the operator keeps the sums in front of its gates."""
_COARSEST = 2.0**-9
"""Of the cell state, up to 64: the last that the runtime's tanh takes."""


def convert_fused(
    model: keras.Model, form: Form, calibration: np.ndarray | None = None
) -> Converted:
    """Return a `.tflite` file of a network whose LSTM layers are one operator for each direction.

    Args:
        model: One input, one output; all recurrent layers LSTM.
        form: See `kerasnas.export.convert.program`.
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
    with_integer_operators(file)
    if form == "int8_weights":
        with_int8_weights(file)
    fused = _mended(file)
    wanted = sum(2 if hasattr(layer, "backward_layer") else 1 for layer in recurrent_layers(model))
    if fused != wanted:
        raise ExportError(
            f"the converter has fused {fused} of {wanted} directions of LSTM layers: it fuses "
            "those with tanh, sigmoid and biases, without masks; leave the setting recurrent at "
            "auto"
        )
    return Converted(file.content(), len(stock))


def _mended(file: TfliteFile) -> int:
    """Let LSTM operators compute what Keras does; how many there are.

    The converter (of TensorFlow 2.21) clips cell states at 10. In integers it gives the output, the
    hidden state and the product that becomes both a scale each, as calibration saw them, where the
    runtime copies the integers from one to the others; it sees cell states at the ends of clips
    only; and it gives small ones 2^-16 or less, at which the runtime's tanh (`ApplyTanh` in
    `lite/kernels/internal`, for 0 to 6 integer bits) writes nothing.
    """
    found = 0
    for operator in file.main.t.operators:
        if file.main.name_of(operator) != _OPERATOR:
            continue
        found += 1
        operator.builtinOptions.cellClip = 0.0
        tensors = file.main.t.tensors
        output = tensors[operator.outputs[0]]
        if output.type != file.schema.TensorType.INT8:
            continue
        for index in (operator.inputs[_STATE], operator.intermediates[_PRODUCT]):
            tensors[index].quantization = output.quantization
        memory = tensors[operator.inputs[_MEMORY]].quantization
        step = float(memory.scale[0]) * _MEMORY_MARGIN
        memory.scale = np.array([min(max(step, _FINEST), _COARSEST)], np.float32)
    return found
