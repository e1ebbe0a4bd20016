"""Small networks as files, made of stock layers with random weights."""

from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

from kerasnas.export.convert.stock import convert_stock
from kerasnas.export.forms import Form

INPUT = (24, 16, 1)
CLASSES = 5


def _bn(x, rng):
    layer = layers.BatchNormalization()
    y = layer(x)
    layer.set_weights([rng.uniform(low, 1.5, x.shape[-1]) for low in (0.5, -0.5, -0.5, 0.5)])
    return y


def mobile_network() -> keras.Model:
    """A standardised input, a stem, separable blocks, a residual one, poolings, dense layers."""
    keras.utils.set_random_seed(3)
    rng = np.random.default_rng(3)
    inputs = keras.Input(INPUT)
    x = layers.Normalization(
        axis=(-2, -1), mean=rng.normal(size=(16, 1)), variance=np.full((16, 1), 2.0)
    )(inputs)
    x = layers.Conv2D(8, 3, strides=2, padding="same", use_bias=False)(x)
    x = layers.ReLU(6)(_bn(x, rng))
    x = layers.DepthwiseConv2D(3, padding="same", use_bias=False)(x)
    x = layers.ReLU(6)(_bn(x, rng))
    x = layers.Conv2D(12, 1, use_bias=False)(x)
    x = layers.ReLU(6)(_bn(x, rng))
    y = layers.Conv2D(12, (3, 1), padding="same", activation="tanh")(x)
    x = layers.ReLU()(layers.Add()([x, layers.Conv2D(12, 1)(y)]))
    x = layers.Concatenate()([layers.MaxPooling2D()(x), layers.AveragePooling2D(2)(x)])
    x = layers.Activation("silu")(layers.Conv2D(16, 3, padding="valid")(x))
    x = layers.GlobalAveragePooling2D()(x)
    x = layers.Dense(9, activation="relu")(x)
    return keras.Model(inputs, layers.Dense(CLASSES, activation="softmax")(x))


def examples(count: int = 8) -> np.ndarray:
    return np.random.default_rng(0).normal(0, 2, (count, *INPUT)).astype(np.float32)


@pytest.fixture(scope="session")
def network() -> keras.Model:
    return mobile_network()


@pytest.fixture(scope="session")
def converted(tmp_path_factory: pytest.TempPathFactory) -> Callable[[keras.Model, Form], Path]:
    """A model as a file in some form, by the stock converter."""
    directory = tmp_path_factory.mktemp("files")

    def convert(model: keras.Model, form: Form) -> Path:
        path = directory / f"{model.name}_{form}.tflite"
        if not path.exists():
            calibration = [examples()] if form == "full_int8" else []
            path.write_bytes(convert_stock(model, form, calibration))
        return path

    return convert
