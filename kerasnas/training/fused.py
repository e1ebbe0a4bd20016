"""Batch normalisation by TensorFlow's fused kernel, while a model trains.

Keras 3 normalises by separate elementwise operators, which on a CPU take most of a training step.
Only the layers' class is exchanged, and given back at the end: weights, names and what is saved
stay those of stock layers. Other backends train the stock layers.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras


class _Fused(keras.layers.BatchNormalization):
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


@contextmanager
def fused_batch_normalization(model: keras.Model, momentum: float) -> Iterator[None]:
    """Let `model` train with the fused kernel, and its moving statistics with `momentum`.

    What is traced inside keeps the exchanged layers: train through another model on these layers.
    """
    stock = keras.layers.BatchNormalization
    layers = [layer for layer in model.layers if type(layer) is stock]
    momenta = [layer.momentum for layer in layers]
    try:
        for layer in layers:
            layer.momentum = momentum
            if _can_fuse(layer):
                layer.__class__ = _Fused
        yield
    finally:
        for layer, old in zip(layers, momenta, strict=True):
            layer.__class__ = stock
            layer.momentum = old


def _can_fuse(layer: Any) -> bool:
    return (
        keras.backend.backend() == "tensorflow"
        and len(layer.input.shape) == 4
        and layer.axis in (-1, 3)
        and layer.center
        and layer.scale
        and layer.compute_dtype == "float32"
        and not layer.synchronized
    )
