"""Batch normalisation, swish and Adam by fused kernels, while a model trains on TensorFlow.

Keras 3 normalises by separate elementwise operators, and TensorFlow computes swish and its
gradient by several more; on a CPU these passes over memory take most of a training step. Only the
layers' class is exchanged, and given back at the end: weights, names and what is saved stay those
of stock layers. Keras's Adam, too, passes a dozen times over all weights; no file holds optimisers
of this module. Other backends train the stock layers by the stock optimisers.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import keras

from kerasnas.export.keras_model.private import adam_state

_BATCH_NORMALIZATION = keras.layers.BatchNormalization


class _FusedBatchNormalization(keras.layers.BatchNormalization):
    """Same values as its base, for `(batch, frames, bins, channels)` in float32."""

    def call(self, inputs: Any, training: Any = None, mask: Any = None) -> Any:
        import tensorflow as tf

        if not training:
            return tf.compat.v1.nn.fused_batch_norm(
                inputs,
                self.gamma.value,
                self.beta.value,
                self.moving_mean.value,
                self.moving_variance.value,
                epsilon=self.epsilon,
                is_training=False,
            )[0]
        outputs, mean, variance = tf.compat.v1.nn.fused_batch_norm(
            inputs, self.gamma.value, self.beta.value, epsilon=self.epsilon, is_training=True
        )
        # The kernel divides the variance by count - 1, Keras by count.
        count = tf.cast(tf.size(inputs) // inputs.shape[-1], variance.dtype)
        variance = variance * (count - 1) / count
        for moving, batch in ((self.moving_mean, mean), (self.moving_variance, variance)):
            moving.assign(moving * self.momentum + batch * (1 - self.momentum))
        return outputs


class _FusedSwish(keras.layers.Activation):
    """Same values as `Activation("silu")`."""

    def call(self, x: Any) -> Any:
        return _swish()(x)


@cache
def _swish() -> Any:
    """Swish in one pass over memory, and its gradient in one: XLA compiles these two only.

    (A whole step is slower under XLA: on a CPU its convolutions are.)
    """
    import tensorflow as tf

    @tf.function(jit_compile=True)
    def forward(x: Any) -> Any:
        return x * tf.sigmoid(x)

    @tf.function(jit_compile=True)
    def backward(x: Any, gradient: Any) -> Any:
        sigmoid = tf.sigmoid(x)
        return gradient * (sigmoid * (1 + x * (1 - sigmoid)))

    @tf.custom_gradient
    def swish(x: Any) -> Any:
        return forward(x), lambda gradient: backward(x, gradient)

    return swish


class _FusedStep:
    """The update of `keras.optimizers.Adam`, whose states it keeps, in one pass over memory.

    TensorFlow's kernel is that of Kingma & Ba, "Adam: a method for stochastic optimization", ICLR
    2015, end of section 2, as Keras's operators are; results differ by rounding (it rounds
    1 - beta_2 to float32: second moments are 1.3e-5 of themselves lower).
    """

    def update_step(self: Any, gradient: Any, variable: Any, learning_rate: Any) -> None:
        import tensorflow as tf

        momentum, velocity = adam_state(self, variable)
        step = tf.cast(self.iterations + 1, variable.dtype)
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=momentum.value.handle,
            v=velocity.value.handle,
            beta1_power=self.beta_1**step,
            beta2_power=self.beta_2**step,
            lr=tf.cast(learning_rate, variable.dtype),
            beta1=self.beta_1,
            beta2=self.beta_2,
            epsilon=self.epsilon,
            grad=gradient,
        )


class FusedAdam(_FusedStep, keras.optimizers.Adam):
    """`keras.optimizers.Adam` without `amsgrad`, on TensorFlow."""


class FusedAdamW(_FusedStep, keras.optimizers.AdamW):
    """`keras.optimizers.AdamW` without `amsgrad`, on TensorFlow."""


@contextmanager
def fused_kernels(model: keras.Model, momentum: float, swish: bool = True) -> Iterator[None]:
    """Let `model` train with fused kernels, and its moving statistics with `momentum`.

    What is traced inside keeps the exchanged layers: train through another model on these layers.

    Args:
        model: Flat and functional.
        momentum: Of the moving statistics.
        swish: Whether swish is fused, too. TensorFlow cannot differentiate it inside a branch.
    """
    normalizations = [layer for layer in model.layers if type(layer) is _BATCH_NORMALIZATION]
    momenta = [layer.momentum for layer in normalizations]
    kernels = {layer: _kernel(layer, swish) for layer in model.layers}
    fused = {layer: kernel for layer, kernel in kernels.items() if kernel is not None}
    try:
        for layer in normalizations:
            layer.momentum = momentum
        for layer, kernel in fused.items():
            layer.__class__ = kernel
        yield
    finally:
        for layer, kernel in fused.items():
            layer.__class__ = kernel.__base__
        for layer, old in zip(normalizations, momenta, strict=True):
            layer.momentum = old


def _kernel(layer: Any, swish: bool) -> type | None:
    """Return the class that computes a layer faster; None when the layer stays as it is."""
    if keras.backend.backend() != "tensorflow" or layer.compute_dtype != "float32":
        return None
    if type(layer) is keras.layers.Activation and layer.activation is keras.activations.silu:
        return _FusedSwish if swish else None
    if type(layer) is _BATCH_NORMALIZATION and (
        len(layer.input.shape) == 4
        and layer.axis in (-1, 3)
        and layer.center
        and layer.scale
        and not layer.synchronized
    ):
        return _FusedBatchNormalization
    return None
