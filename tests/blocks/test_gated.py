"""What the blocks of gated convolutional networks compute, against the sources' formulas."""

import keras
import numpy as np

from kerasnas.blocks.architecture import Architecture
from kerasnas.blocks.gated import ConvolutionMaxPool, GatedConvolution, GatedRecurrent

RNG = np.random.default_rng(6)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def test_a_gated_convolution_is_one_convolution_split_in_two() -> None:
    model = Architecture((6, 5, 3), (GatedConvolution(4),)).build()
    names = ("00_gated_convolution.linear", "00_gated_convolution.gate")
    whole = keras.layers.Conv2D(8, (2, 2), padding="same")
    whole.build((None, 6, 5, 3))
    kernel, bias = RNG.normal(size=(2, 2, 3, 8)), RNG.normal(size=8)
    whole.set_weights([kernel, bias])
    for name, part in zip(names, (slice(0, 4), slice(4, 8)), strict=True):
        model.get_layer(name).set_weights([kernel[..., part], bias[part]])
    x = RNG.normal(size=(2, 6, 5, 3)).astype(np.float32)
    y = np.asarray(whole(x)) / np.sqrt(1 + 1e-3)  # untrained batch normalisation
    np.testing.assert_allclose(model(x), y[..., :4] * sigmoid(y[..., 4:]), rtol=1e-4, atol=1e-6)


def test_gated_recurrent_layers_are_multiplied() -> None:
    model = Architecture((7, 3), (GatedRecurrent(2),)).build()
    x = RNG.normal(size=(2, 7, 3)).astype(np.float32)
    linear = np.asarray(model.get_layer("00_gated_recurrent.linear")(x))
    gate = np.asarray(model.get_layer("00_gated_recurrent.gate")(x))
    np.testing.assert_allclose(model(x), linear * sigmoid(gate), rtol=1e-5, atol=1e-7)
    assert model.output_shape == (None, 7, 4)


def test_a_pooled_convolution_is_rectified() -> None:
    model = Architecture((10, 4, 3), (ConvolutionMaxPool(5, pool_size=(10, 1)),)).build()
    y = np.asarray(model(RNG.normal(size=(3, 10, 4, 3)).astype(np.float32)))
    assert y.shape == (3, 1, 4, 5) and y.min() >= 0 and y.max() > 0
