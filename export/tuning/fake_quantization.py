"""Training that feels the rounding of an integer file; imports tensorflow-model-optimization.

Jacob et al., "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only
Inference", 2018, section 3: weights and outputs are rounded to 8 bits in the forward pass, and
gradients pass the rounding. Deviations from tensorflow-model-optimization's own scheme: every
activation function has its output rounded, ELU too; kernels of depthwise convolutions are rounded
by channel, as in the file; batch normalisation after a convolution is not folded, since it scales a
channel and its grid alike. Recurrent layers and what else is not named here stay in float, and the
file's ranges are not these but those of the calibration clips.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf
import tensorflow_model_optimization as tfmot  # type: ignore[import-untyped]
from tensorflow_model_optimization.python.core.quantization.keras.quantize_wrapper import (  # type: ignore[import-untyped]
    QuantizeWrapperV2,
)

from ..keras_model.private import readers_of

_quantization: Any = tfmot.quantization.keras
_BY_CHANNEL = {"Conv2D": "kernel", "DepthwiseConv2D": "depthwise_kernel"}
_BY_TENSOR = {"Dense": "kernel"}
_COMPUTING = ("Add", "AveragePooling2D", "GlobalAveragePooling2D", "Multiply", "Normalization")
_FUNCTIONS = ("Activation", "ELU", "LeakyReLU", "ReLU")


class Symmetric(_quantization.quantizers.Quantizer):
    """Rounds a kernel to int8 without zero points, of a scale for each channel or for all."""

    def __init__(self, by_channel: bool) -> None:
        self.by_channel = by_channel

    def build(self, tensor_shape: Any, name: str, layer: Any) -> dict[str, Any]:
        """Nothing has to be kept."""
        return {}

    def __call__(self, inputs: Any, training: Any, weights: Any, **keywords: Any) -> Any:
        """Return the kernel, rounded; channels are last, or in front of a multiplier."""
        shape = inputs.shape
        depthwise = len(shape) == 4 and shape[-1] == 1
        channels = (shape[-2] if depthwise else shape[-1]) if self.by_channel else 1
        flat = tf.reshape(inputs, (-1, channels))
        limit = tf.stop_gradient(tf.reduce_max(tf.abs(flat), axis=0)) + 1e-9
        rounded = tf.quantization.fake_quant_with_min_max_vars_per_channel(
            flat, -limit, limit, num_bits=8, narrow_range=True
        )
        return tf.reshape(rounded, shape)

    def get_config(self) -> dict[str, Any]:
        """Return what it was made with."""
        return {"by_channel": self.by_channel}


class Rounding(_quantization.QuantizeConfig):
    """What is rounded of a layer: a kernel, the output, or both."""

    def __init__(self, kernel: str | None, by_channel: bool, output: bool) -> None:
        self.kernel, self.by_channel, self.output = kernel, by_channel, output

    def get_weights_and_quantizers(self, layer: Any) -> list[Any]:
        """Return the kernel."""
        if self.kernel is None:
            return []
        return [(getattr(layer, self.kernel), Symmetric(self.by_channel))]

    def set_quantize_weights(self, layer: Any, quantize_weights: list[Any]) -> None:
        """Let the layer compute with the rounded kernel."""
        for rounded in quantize_weights:
            setattr(layer, str(self.kernel), rounded)

    def get_activations_and_quantizers(self, layer: Any) -> list[Any]:
        """None: outputs are rounded behind the activation."""
        return []

    def set_quantize_activations(self, layer: Any, quantize_activations: list[Any]) -> None:
        """None, as above."""

    def get_output_quantizers(self, layer: Any) -> list[Any]:
        """Return the output, in a range that follows what was seen."""
        if not self.output:
            return []
        return [
            _quantization.quantizers.MovingAverageQuantizer(
                num_bits=8, per_axis=False, symmetric=False, narrow_range=False
            )
        ]

    def get_config(self) -> dict[str, Any]:
        """Return what it was made with."""
        return {"kernel": self.kernel, "by_channel": self.by_channel, "output": self.output}


def with_rounding(layer: Any) -> Any:
    """Return a layer of a tf_keras model inside a wrapper that rounds; or as it is."""
    kind = type(layer).__name__
    behind = readers_of(layer)
    kernel = _BY_CHANNEL.get(kind, _BY_TENSOR.get(kind))
    if kernel is None and kind not in (*_COMPUTING, *_FUNCTIONS, "BatchNormalization"):
        return layer
    # Scores stay float, and what is folded into the next operator is never rounded.
    seen = bool(behind) and not (
        len(behind) == 1 and kind not in _FUNCTIONS and _takes_in(behind[0], kernel)
    )
    if kernel is None and not seen:
        return layer
    return QuantizeWrapperV2(layer, Rounding(kernel, kind in _BY_CHANNEL, seen))


def _takes_in(layer: Any, kernel: str | None) -> bool:
    """Whether a layer becomes part of the operator before it, which has this kernel, if any."""
    kind = type(layer).__name__
    function = getattr(getattr(layer, "activation", None), "__name__", None)
    if kind == "BatchNormalization":
        return kernel is not None
    return kind == "ReLU" or (kind == "Activation" and function in ("relu", "relu6"))
