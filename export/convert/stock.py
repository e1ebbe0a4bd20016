"""`TFLiteConverter` on a Keras model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from ..arrays import Floats
from ..errors import ExportError
from ..forms import INTEGERS, Form
from .masks import with_near_masks

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


def convert_stock(model: keras.Model, form: Form, calibration: Sequence[Floats] = ()) -> bytes:
    """Return `TFLiteConverter`'s file of a functional model, with a batch of one.

    Args:
        model: Inputs of known shapes.
        form: See `kerasnas.export.convert.program`.
        calibration: For forms of integers: for each input, `(examples, *its shape)`.

    Raises:
        ExportError: The converter has no such operators.
    """
    from tensorflow.python.framework.convert_to_constants import (
        convert_variables_to_constants_v2,
    )

    function = convert_variables_to_constants_v2(inference(model))
    if form in INTEGERS:
        function = with_near_masks(function, calibration)
    return convert_function(function, form, calibration)


def convert_function(
    function: Any,
    form: Form,
    calibration: Sequence[Floats] = (),
    holder: Any = None,
) -> bytes:
    """Return `TFLiteConverter`'s file of a concrete function.

    Args:
        function: Of inputs with known shapes.
        form: See `kerasnas.export.convert.program`.
        calibration: As for `convert_stock`.
        holder: The `tf.Module` that has the function's variables, where it has any.

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
    elif form in INTEGERS:
        sets = tf.lite.OpsSet
        converter.representative_dataset = lambda: _batches(calibration)
        converter.target_spec.supported_ops = [
            sets.TFLITE_BUILTINS_INT8
            if form == "full_int8"
            else sets.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8
        ]
    try:
        return bytes(converter.convert())
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
