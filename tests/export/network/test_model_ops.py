from typing import Any

import pytest

from kerasnas.export import ExportError, from_keras
from kerasnas.export.keras_model.private import name_operation

from ..conftest import clips, untrained


def _keras() -> tuple[Any, Any]:
    import keras

    return keras, keras.layers


def test_parameters_and_macs_of_a_small_network_counted_by_hand():
    keras, layers = _keras()
    inputs = keras.Input((10, 8, 2), name="input")
    x = layers.Conv2D(4, 3, strides=2, padding="same", use_bias=False, name="conv")(inputs)
    x = layers.BatchNormalization(name="bn")(x)
    x = layers.DepthwiseConv2D((5, 3), padding="same", name="depthwise")(x)
    x = layers.SeparableConv2D(6, 3, padding="valid", activation="relu", name="separable")(x)
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    outputs = layers.Dense(3, activation="softmax", name="dense")(x)
    model = keras.Model(inputs, outputs)
    ops = {op.name: op for op in from_keras(model)}
    assert {name: op.macs for name, op in ops.items() if op.macs} == {
        "conv": 5 * 4 * 3 * 3 * 2 * 4,
        "depthwise": 5 * 4 * 5 * 3 * 4,
        "separable.depthwise": 3 * 2 * 3 * 3 * 4,
        "separable": 3 * 2 * 4 * 6,
        "dense": 6 * 3,
    }
    assert {name: op.parameters for name, op in ops.items() if op.weights} == {
        "conv": 72,
        "bn": 16,
        "depthwise": 60 + 4,
        "separable.depthwise": 36,
        "separable": 24 + 6,
        "dense": 18 + 3,
    }
    assert ops["separable.relu"].inputs == ("separable",)
    assert ops["separable.relu"].attributes == {"function": "relu"}
    assert ops["dense"].inputs == ("pool",)
    assert ops["bn"].output_shape == (5, 4, 4)


def test_the_sums_are_kerass_own():
    model = untrained(clips(4, 1)[0])
    ops = from_keras(model)
    assert sum(op.parameters for op in ops) == model.count_params()
    trainable = sum(w.size for op in ops for w in op.weights if w.trainable)
    assert trainable == sum(w.numpy().size for w in model.trainable_weights)
    assert ops[-1].output_shape == (3,)
    assert [op.name for op in ops if op.kind == "input"] == list(ops[1].inputs)


def test_a_layer_called_twice_has_its_weights_once():
    keras, layers = _keras()
    inputs = keras.Input((6,))
    shared = layers.Dense(6, name="shared")
    outputs = layers.Dense(2)(layers.Add()([shared(inputs), shared(shared(inputs))]))
    model = keras.Model(inputs, outputs)
    ops = from_keras(model)
    assert sum(op.parameters for op in ops) == model.count_params() == 6 * 6 + 6 + 6 * 2 + 2
    assert sum(op.macs for op in ops) == 3 * 36 + 12
    assert len({op.name for op in ops}) == len(ops)


def test_a_sequential_model_and_arithmetic_on_tensors():
    keras, layers = _keras()
    sequential = keras.Sequential([keras.Input((4,)), layers.Dense(3), layers.ReLU(6)])
    assert [op.kind for op in from_keras(sequential)] == ["input", "dense", "activation"]
    assert from_keras(sequential)[-1].attributes == {"function": "relu6"}
    inputs = keras.Input((4,))
    model = keras.Model(inputs, layers.Dense(4)(inputs) + inputs)
    assert [op.kind for op in from_keras(model)] == ["input", "dense", "add"]


def test_a_part_of_a_larger_model_is_counted_alone():
    keras, layers = _keras()
    inputs = keras.Input((4,))
    middle = layers.Dense(3)(inputs)
    whole = keras.Model(inputs, layers.Dense(2)(middle))
    part = keras.Model(inputs, middle)
    assert sum(op.parameters for op in from_keras(part)) == part.count_params() == 15
    assert sum(op.parameters for op in from_keras(whole)) == whole.count_params() == 23


def test_a_recurrent_network_counted_by_hand():
    keras, layers = _keras()
    inputs = keras.Input((10, 4, 2), name="input")
    x = layers.Reshape((10, 8), name="merge")(inputs)
    both = layers.Bidirectional(layers.GRU(3, return_sequences=True), name="both")(x)
    x = layers.LSTM(5, return_sequences=True, name="memory")(both)
    weights = layers.Softmax(axis=1, name="weights")(layers.Dense(2, name="loc")(x))
    top = keras.ops.sum(layers.Multiply(name="product")([weights, x[:, :, :2]]), axis=1)
    name_operation(top, "top")
    outputs = keras.ops.divide(top, keras.ops.sum(weights, axis=1))
    name_operation(outputs, "quotient")
    model = keras.Model(inputs, outputs)
    ops = {op.name: op for op in from_keras(model)}
    # Kernels and recurrent kernels at every one of ten frames, in each direction.
    assert ops["both"].macs == 2 * 10 * (8 * 9 + 3 * 9)
    assert ops["memory"].macs == 10 * (6 * 20 + 5 * 20)
    assert sum(op.parameters for op in ops.values()) == model.count_params()
    assert ops["both"].kind == "gru"
    assert ops["both"].attributes == {
        "units": 3,
        "bidirectional": True,
        "return_sequences": True,
        "reset_after": True,
    }
    assert ops["memory"].attributes == {
        "units": 5,
        "bidirectional": False,
        "return_sequences": True,
    }
    kinds = [ops[name].kind for name in ("merge", "weights", "product", "top", "quotient")]
    assert kinds == [
        "reshape",
        "softmax_over_frames",
        "multiply",
        "sum_over_frames",
        "divide",
    ]
    assert ops["top"].output_shape == (2,)


def test_what_cannot_be_counted_is_named():
    keras, layers = _keras()

    class Subclassed(keras.Model):
        def call(self, x):
            return x

    with pytest.raises(ExportError, match=r"Subclassed is not known: .*keras.Model\(inputs"):
        from_keras(Subclassed())
    inputs = keras.Input((5, 4))
    model = keras.Model(inputs, layers.SimpleRNN(3, name="memory")(inputs))
    with pytest.raises(ExportError, match="layer 'memory'"):
        from_keras(model)
