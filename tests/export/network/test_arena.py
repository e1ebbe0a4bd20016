"""Predicted arenas against those that TensorFlow Lite Micro needs."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from random_weights import randomize

from kerasnas.export import from_keras
from kerasnas.export.convert.program import convert
from kerasnas.export.network.arena import predict_arena
from kerasnas.export.network.ops import Op


def _convolutional() -> Any:
    import keras
    from keras import layers

    inputs = x = keras.Input((24, 20, 1))
    for filters in (12, 24):
        x = layers.Conv2D(filters, 3, padding="same", use_bias=False)(x)
        x = layers.Activation("silu")(layers.BatchNormalization()(x))
        y = layers.DepthwiseConv2D(3, padding="same", activation="relu")(x)
        x = layers.MaxPooling2D()(layers.Add()([x, y]))
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, layers.Dense(6, activation="softmax")(x))


def _recurrent() -> Any:
    import keras
    from keras import layers

    inputs = keras.Input((30, 12))
    x = layers.Bidirectional(layers.GRU(16, return_sequences=True))(inputs)
    x = layers.LSTM(20)(x)
    return keras.Model(inputs, layers.Dense(6, activation="softmax")(x))


@pytest.mark.slow
@pytest.mark.parametrize(("make", "recurrent"), [(_convolutional, None), (_recurrent, "int8_loop")])
def test_the_arena_is_predicted_within_a_tenth(make: Any, recurrent: Any, tmp_path: Path):
    pytest.importorskip("tflite_micro", reason="tflite-micro has wheels for Linux on x86-64 alone")
    from kerasnas.export.micro.runtime import run_micro

    rng = np.random.default_rng(0)
    model = make()
    randomize(model, rng)
    x = rng.normal(size=(2, *model.input_shape[1:])).astype(np.float32)
    path = tmp_path / "model.tflite"
    path.write_bytes(convert(model, "full_int8", x, recurrent).content)
    needed = run_micro(path, x[:1]).arena_bytes
    assert predict_arena(from_keras(model)) == pytest.approx(needed, rel=0.1)


def test_tensors_that_do_not_live_at_once_share_memory():
    def network(layers: int) -> tuple[Op, ...]:
        ops = [Op("input", "input", (), (32, 32, 8))]
        for number in range(layers):
            before = ops[-1].name
            ops.append(Op("activation", f"a{number}", (before,), (32, 32, 8), attributes=TANH))
        return tuple(ops)

    two, ten = predict_arena(network(2)), predict_arena(network(10))
    assert two > 5 * 32 * 32 * 8, "the input is float32 and becomes int8"
    assert ten - two < 8 * 200, "more layers add their tables alone"


TANH = {"function": "tanh"}
