"""`TFLiteConverter` on a Keras model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from ..arrays import Floats
from ..errors import ExportError
from ..forms import CALIBRATED, Form
from .masks import with_near_masks
from .mixed import with_floats

if TYPE_CHECKING:
    import keras

INPUT_NAME = "features"


class Converted(NamedTuple):
    """A converted network.

    Attributes:
        content: Of the file.
        stock_bytes: Of the file that `TFLiteConverter` made of the same network, from which it was
            rewritten; None where the converter has no such file.
    """

    content: bytes
    stock_bytes: int | None


def convert_stock(
    model: keras.Model, form: Form, calibration: Sequence[Floats] = (), floats: int = 0
) -> bytes:
    """Return `TFLiteConverter`'s file of a functional model, with a batch of one.

    Args:
        model: Inputs of known shapes.
        form: See `kerasnas.export.convert.program`.
        calibration: For forms of integers: for each input, `(examples, *its shape)`.
        floats: Of the form `mixed`, how many operators are left in float.

    Raises:
        ExportError: The converter has no such operators.
    """
    from tensorflow.python.framework.convert_to_constants import (
        convert_variables_to_constants_v2,
    )

    function = convert_variables_to_constants_v2(inference(model))
    if form in CALIBRATED:
        function = with_near_masks(function, calibration)
    return convert_function(function, form, calibration, floats=floats)


def convert_function(
    function: Any,
    form: Form,
    calibration: Sequence[Floats] = (),
    holder: Any = None,
    floats: int = 0,
) -> bytes:
    """Return `TFLiteConverter`'s file of a concrete function.

    Args:
        function: Of inputs with known shapes.
        form: See `kerasnas.export.convert.program`.
        calibration: As for `convert_stock`.
        holder: The `tf.Module` that has the function's variables, where it has any.
        floats: As for `convert_stock`.

    Raises:
        ExportError: The converter has no such operators.
    """
    import tensorflow as tf

    converter = tf.lite.TFLiteConverter.from_concrete_functions([function], holder)
    if form != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        # Runtimes before 2.17 accept dense layers with a scale a channel, by their version number,
        # and compute them wrongly (tflite-micro 2602 tells of it): one scale a tensor.
        converter._experimental_disable_per_channel_quantization_for_dense_layers = True
    if form == "float16":
        converter.target_spec.supported_types = [tf.float16]
    elif form in CALIBRATED:
        sets = tf.lite.OpsSet
        converter.representative_dataset = lambda: _batches(calibration)
        converter.target_spec.supported_ops = [
            sets.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8
            if form == "int16"
            else sets.TFLITE_BUILTINS_INT8
        ]
    converter._experimental_calibrate_only = form == "mixed"  # floats, with ranges
    try:
        content = bytes(converter.convert())
        return with_floats(content, calibration, floats) if form == "mixed" else content
    except ExportError:
        raise
    except Exception as error:  # the converter's own types are private
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        reason = next((line for line in lines if "error:" in line), lines[0] if lines else "")
        raise ExportError(f"the converter refuses it: {reason}") from error


def _batches(calibration: Sequence[Floats]) -> Iterator[list[Floats]]:
    for examples in zip(*calibration, strict=True):
        yield [example[None] for example in examples]


def inference(model: Any) -> Any:
    """Return a model of either Keras in inference, as a concrete function of a batch of one."""
    import tensorflow as tf

    inputs = [INPUT_NAME, *(f"{INPUT_NAME}{index}" for index in range(1, len(model.inputs)))]
    signature = [
        tf.TensorSpec((1, *tensor.shape[1:]), tf.float32, name=name)
        for name, tensor in zip(inputs, model.inputs, strict=True)
    ]
    function = tf.function(
        lambda *features: model(features[0] if len(features) == 1 else features, training=False),
        input_signature=signature,
        autograph=False,
    )
    return function.get_concrete_function()
