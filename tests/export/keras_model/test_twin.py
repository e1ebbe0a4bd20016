from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from random_weights import randomize

from kerasnas.export import ExportError
from kerasnas.export.keras_model.twin import rebuild

pytestmark = pytest.mark.slow  # importing tf_keras takes seconds

SHAPE = (12, 9, 1)


def _convolutional(x: Any) -> Any:
    from keras import layers

    normalization = layers.Normalization(axis=(-2, -1))
    normalization.adapt(np.random.default_rng(0).normal(2, 3, (20, *SHAPE)))
    x = layers.Conv2D(8, 3, padding="same", use_bias=False)(normalization(x))
    x = layers.Activation("silu")(layers.BatchNormalization()(x))
    y = layers.DepthwiseConv2D(3, padding="same", use_bias=False)(x)
    y = layers.LeakyReLU()(layers.ReLU(6)(layers.ELU()(layers.BatchNormalization()(y))))
    x = layers.SeparableConv2D(6, 3, padding="same", activation="elu")(layers.Add()([x, y]))
    x = layers.Multiply()([x, layers.Conv2D(6, 1, activation="sigmoid")(x)])
    x = layers.Concatenate()([x[..., 3:], x[..., :3]])
    x = layers.MaxPooling2D((2, 1), padding="same")(layers.Permute((2, 1, 3))(x))
    x = layers.Dropout(0.1)(layers.AveragePooling2D((1, 2))(x))
    both = [layers.GlobalAveragePooling2D()(x), layers.Flatten()(x)]
    return layers.Dense(3, activation="softmax")(layers.Concatenate()(both))


def _recurrent(x: Any) -> Any:
    import keras
    from keras import layers

    x = layers.Reshape((12, 9))(x)
    x = layers.Bidirectional(layers.GRU(8, return_sequences=True))(x)
    x = layers.GRU(7, reset_after=False, return_sequences=True)(x)
    x = layers.LSTM(6, return_sequences=True)(x)
    x = layers.Bidirectional(layers.LSTM(5, return_sequences=True))(x)
    weights = layers.Softmax(axis=1)(layers.Dense(3)(x))
    scores = layers.Dense(3, activation="sigmoid")(x) * weights
    return keras.ops.divide(keras.ops.sum(scores, axis=1), keras.ops.sum(weights, axis=1))


def _nested(x: Any) -> Any:
    import keras
    from keras import layers

    inner = keras.Input(SHAPE)
    body = keras.Model(inner, layers.Conv2D(3, 3)(inner))
    return layers.Dense(2)(layers.GlobalAveragePooling2D()(body(x)))


def _model(body: Callable[[Any], Any]) -> Any:
    import keras

    inputs = keras.Input(SHAPE)
    model = keras.Model(inputs, body(inputs))
    randomize(model, np.random.default_rng(1))
    return model


def _examples() -> np.ndarray:
    return np.random.default_rng(2).normal(2, 3, (4, *SHAPE)).astype(np.float32)


@pytest.mark.parametrize("body", [_convolutional, _recurrent, _nested])
def test_a_twin_computes_what_the_model_computes(body: Callable[[Any], Any]):
    model, x = _model(body), _examples()
    twin = rebuild(model)
    twin.check(x)
    expected = np.asarray(model(x))
    assert np.ptp(expected, axis=0).max() > 1e-3  # it does depend on the example
    np.testing.assert_allclose(np.asarray(twin.model(x)), expected, atol=1e-6)


def test_every_weight_has_its_counterpart_but_those_of_input_normalisation():
    model = _model(_convolutional)
    copied = [weight for layer, _ in rebuild(model).layers for weight in layer.weights]
    missing = {w.path for w in model.weights} - {w.path for w in copied}
    assert {path.rpartition("/")[2] for path in missing} == {"mean", "variance", "count"}


def test_the_first_layer_that_differs_is_named():
    from keras import layers

    def body(x: Any) -> Any:
        x = layers.Conv2D(2, 3, name="first")(x)
        x = layers.Conv2D(2, 3, name="second")(x)
        return layers.Dense(2, name="third")(layers.GlobalAveragePooling2D()(x))

    twin = rebuild(_model(body))
    (kernel, bias) = twin.layers[1][1].get_weights()
    twin.layers[1][1].set_weights([kernel + 0.01, bias])
    with pytest.raises(ExportError, match="'second' computes something else in tf_keras"):
        twin.check(_examples())


def test_a_layer_that_tf_keras_does_not_have_is_named():
    from keras import layers

    def body(x: Any) -> Any:
        return layers.Flatten()(layers.RMSNormalization(name="root")(x))

    with pytest.raises(ExportError, match=r"'root' \(RMSNormalization\) has no counterpart"):
        rebuild(_model(body))
