"""Adam's fused step against Keras's own optimisers: weights and states, step by step."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from kerasnas.training.fit import optimizer_of
from kerasnas.training.fused import FusedAdam, FusedAdamW
from kerasnas.training.recipe import Recipe

FUSED = {"adam": FusedAdam, "adamw": FusedAdamW}
STOCK = {"adam": keras.optimizers.Adam, "adamw": keras.optimizers.AdamW}
CLIPPING = {"global_clipnorm": {"clip_norm": 20.0}, "clipvalue": {"clip_value": 2.0}}


def trained(optimizer: keras.optimizers.Optimizer) -> list[np.ndarray]:
    """Weights and states after twenty steps by gradients that grow, then shrink."""
    weights = [
        keras.Variable(np.linspace(-1, 1, 6, dtype=np.float32).reshape(3, 2), name="kernel"),
        keras.Variable(np.full(2, 0.5, np.float32), name="bias"),
    ]
    optimizer.build(weights)

    @tf.function
    def step(kernel: tf.Tensor, bias: tf.Tensor) -> None:
        optimizer.apply([kernel, bias], weights)

    for number in range(20):
        optimizer.learning_rate = 0.1 / (1 + number)
        size = 3.0 ** min(number, 12 - number)
        kernel = np.sin(np.arange(6) * (number + 1)).reshape(3, 2) * size
        step(tf.constant(kernel, tf.float32), tf.constant(kernel[0] - 1, tf.float32))
    return [np.asarray(variable) for variable in (*weights, *optimizer.variables)]


@pytest.mark.parametrize("name", list(FUSED))
@pytest.mark.parametrize("clipping", list(CLIPPING))
def test_twenty_steps_are_those_of_keras(name: str, clipping: str) -> None:
    decay = {"weight_decay": 0.1} if name == "adamw" else {}
    fused = optimizer_of(Recipe(optimizer=name, **decay, **CLIPPING[clipping]))
    assert type(fused) is FUSED[name]
    (value,) = CLIPPING[clipping].values()
    stock = STOCK[name](**{clipping: value}, **decay)
    if decay:
        stock.exclude_from_weight_decay(var_names=["bias"])
    for ours, theirs in zip(trained(fused), trained(stock), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=2e-5, atol=1e-6)
