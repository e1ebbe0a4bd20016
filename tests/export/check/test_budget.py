import numpy as np
import pytest

from kerasnas.export.check.budget import counted_bytes
from kerasnas.export.flatbuffer.facts import FileFacts

FACTS = FileFacts(123, {}, {}, (), None, halves=600, quarters=9600)


@pytest.fixture(scope="module")
def model():
    import keras
    from keras import layers

    inputs = keras.Input((4, 4, 1))
    x = layers.Normalization(axis=-1)(inputs)
    x = layers.BatchNormalization()(layers.Conv2D(8, 3, use_bias=False, name="convolution")(x))
    x = layers.Dense(300, name="wide")(layers.Flatten()(x))
    network = keras.Model(inputs, layers.Dense(2, name="last")(x))
    for layer in network.layers:
        if layer.name in ("convolution", "wide", "last"):
            layer.set_weights([np.ones(w.shape, np.float32) for w in layer.get_weights()])
    kernel = network.get_layer("convolution").get_weights()[0]
    kernel[..., :3] = 0  # 3 of 8 filters are pruned
    network.get_layer("convolution").set_weights([kernel])
    return network


KERNELS = (45, 32 * 300, 600)  # without 27 zeros
BIASES = 302


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ("float32", 4 * (sum(KERNELS) + BIASES)),
        ("float16", 2 * (sum(KERNELS) + BIASES)),
        ("full_int8", sum(KERNELS) + 4 * BIASES),
        ("int8_weights", sum(KERNELS) + 4 * BIASES),
        ("mixed", sum(KERNELS) + 600 + 4 * BIASES),  # the last kernel is float16
        ("int4", sum(KERNELS) - 9600 // 2 + 4 * BIASES),  # the wide one has 4 bits
    ],
)
def test_dcase_counts_non_zero_parameters_in_their_widths(model, form, expected):
    assert counted_bytes("dcase2020", model, form, FACTS) == expected


def test_other_rules_count_the_file_or_trainable_parameters(model):
    assert counted_bytes("file", model, "full_int8", FACTS) == 123
    trainable = 72 + 16 + 32 * 300 + 300 + 600 + 2
    assert counted_bytes("float32_params", model, "full_int8", FACTS) == 4 * trainable
