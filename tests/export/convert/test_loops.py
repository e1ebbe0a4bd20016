"""Whole networks in integers: what is cut out and written by hand, and the converter's rest."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kerasnas.export import ExportError, load
from kerasnas.export.check.networks import TfliteNetwork
from kerasnas.export.convert.program import convert
from kerasnas.export.flatbuffer.facts import read_facts

pytestmark = pytest.mark.slow


def _attention(x: Any, tags: int, axis: int) -> Any:
    """Tags weighted over frames: sums of products with a softmax, divided by its sums."""
    from keras import layers, ops

    scores, attention = (layers.Dense(n, activation="sigmoid")(x) for n in (tags, 1))
    places = layers.Softmax(axis=axis)(layers.Dense(tags)(x))
    weighted = layers.Multiply()([scores, attention, places])
    return ops.divide(ops.sum(weighted, axis=1), ops.sum(places, axis=1))


def _crnn() -> Any:
    """Two kinds of recurrent layers, a dropout between them, one inside a model of its own."""
    import keras
    from keras import layers

    inner_inputs = keras.Input((20, 32))
    inner = layers.Bidirectional(layers.GRU(12, return_sequences=True))(inner_inputs)
    inner = keras.Model(inner_inputs, inner)
    inputs = keras.Input((20, 8, 1))
    x = layers.Conv2D(4, 3, padding="same", activation="elu")(inputs)
    x = inner(layers.Reshape((20, 32))(x))
    x = layers.LSTM(16, return_sequences=True)(layers.Dropout(0.1)(x))
    return keras.Model(inputs, _attention(x, 5, 1))


def _tags_of_frames() -> Any:
    """A softmax over tags at every frame, most of whose shares are below an int8 step."""
    import keras
    from keras import layers

    inputs = keras.Input((60, 6))
    x = layers.GRU(16, return_sequences=True)(inputs)
    return keras.Model(inputs, _attention(x, 6, -1))


def _features_weighted() -> Any:
    """Attention on features in front of a recurrent layer, whose last state is the output."""
    import keras
    from keras import layers

    inputs = keras.Input((20, 6))
    x = layers.Dense(8)(inputs)
    x = layers.Multiply()([x, layers.Softmax(axis=1)(layers.Dense(8)(inputs))])
    return keras.Model(inputs, layers.GRU(4)(x))


def _open(content: bytes, path: Path) -> TfliteNetwork:
    path.write_bytes(content)
    network = load(path)
    assert isinstance(network, TfliteNetwork)
    return network


@pytest.mark.parametrize(
    ("make", "loops"), [(_crnn, 3), (_tags_of_frames, 1), (_features_weighted, 1)]
)
def test_a_network_is_integer_throughout_and_keeps_no_state(make, loops: int, tmp_path: Path):
    import keras

    keras.utils.set_random_seed(4)
    model = make()
    rng = np.random.default_rng(4)
    for weight in model.weights:
        if weight.name == "kernel":
            weight.assign(weight * 2)  # outputs that differ between examples
    clip = rng.normal(size=(24, *np.ones(len(model.input_shape) - 1, int)))
    x = (clip + rng.normal(size=(24, *model.input_shape[1:]))).astype(np.float32)
    expected = model.predict(x, verbose=0)
    content = convert(model, "full_int8", x[:16], "int8_loop").content
    network = _open(content, tmp_path / "model.tflite")
    scores = network.predict(x)
    error = np.sqrt(np.mean((scores - expected) ** 2))
    assert error < 0.1 * expected.std(axis=0).mean()
    facts = read_facts(network.path)
    assert facts.float_operators == {}
    assert facts.foreign_operators == ()
    assert facts.operators["WHILE:1"] == loops
    assert facts.minimum_runtime in ("2.4.0", "2.9.0")
    again = network.predict(x[[0, 1, 0]])
    np.testing.assert_array_equal(again[0], again[2])
    assert convert(model, "full_int8", x[:16], "int8_loop").content == content


def test_a_softmax_that_gives_the_scores_is_left_to_the_converter(tmp_path: Path):
    import keras
    from keras import layers

    inputs = keras.Input((8, 4))
    x = layers.GlobalAveragePooling1D()(layers.Dense(6, activation="relu")(inputs))
    model = keras.Model(inputs, layers.Dense(3, activation="softmax")(x))
    x = np.random.default_rng(0).normal(size=(8, 8, 4)).astype(np.float32)
    network = _open(convert(model, "full_int8", x).content, tmp_path / "model.tflite")
    assert read_facts(network.path).operators["SOFTMAX:2"] == 1
    np.testing.assert_allclose(network.predict(x), model.predict(x, verbose=0), atol=0.02)


def test_elu_is_integer_too(tmp_path: Path):
    import keras
    from keras import layers

    inputs = keras.Input((8, 8, 1))
    x = layers.ELU()(layers.Conv2D(4, 3)(inputs))
    y = layers.ELU()(layers.Conv2D(4, 3, padding="same")(x))
    x = layers.GlobalAveragePooling2D()(layers.Add()([x, y]))
    model = keras.Model(inputs, layers.Dense(3, activation="softmax")(x))
    x = np.random.default_rng(0).normal(size=(8, 8, 8, 1)).astype(np.float32)
    network = _open(convert(model, "full_int8", x).content, tmp_path / "model.tflite")
    facts = read_facts(network.path)
    assert facts.float_operators == {}
    assert facts.operators["ELU:1"] == 2
    np.testing.assert_allclose(network.predict(x), model.predict(x, verbose=0), atol=0.02)


def test_layer_and_group_normalisation_are_integer_too(tmp_path: Path):
    import keras
    from keras import layers

    inputs = keras.Input((8, 6))
    x = layers.GroupNormalization(2)(layers.LayerNormalization()(layers.Dense(8)(inputs)))
    x = layers.GlobalMaxPooling1D()(x)
    model = keras.Model(inputs, layers.Dense(1, activation="sigmoid")(x))
    x = np.random.default_rng(0).normal(size=(16, 8, 6)).astype(np.float32)
    network = _open(convert(model, "full_int8", x).content, tmp_path / "model.tflite")
    assert read_facts(network.path).float_operators == {}
    np.testing.assert_allclose(network.predict(x), model.predict(x, verbose=0), atol=0.02)


def test_an_embedding_of_numbers_given_as_floats_is_integer_too(tmp_path: Path):
    import keras
    from keras import layers

    inputs = keras.Input((12,))
    x = layers.GlobalAveragePooling1D()(layers.Embedding(20, 6)(inputs))
    model = keras.Model(inputs, layers.Dense(3, activation="softmax")(x))
    x = np.random.default_rng(0).integers(20, size=(16, 12)).astype(np.float32)
    network = _open(convert(model, "full_int8", x).content, tmp_path / "model.tflite")
    assert read_facts(network.path).float_operators == {}
    np.testing.assert_allclose(network.predict(x), model.predict(x, verbose=0), atol=0.02)


def _encoder_and_decoder() -> Any:
    """States of one layer begin another, of both directions."""
    import keras
    from keras import layers

    inputs = keras.Input((12, 5))
    x, *states = layers.Bidirectional(layers.LSTM(6, return_sequences=True, return_state=True))(
        inputs
    )
    x = layers.Bidirectional(layers.LSTM(6), merge_mode="sum")(x, initial_state=states)
    return keras.Model(inputs, layers.Dense(3, activation="softmax")(x))


def _masked() -> Any:
    import keras
    from keras import layers

    inputs = keras.Input((12, 5))
    x = layers.GRU(6, return_sequences=True)(layers.Masking()(inputs))
    x = layers.Bidirectional(layers.LSTM(6))(layers.Dense(5)(x))
    return keras.Model(inputs, layers.Dense(3, activation="softmax")(x))


def _masked_with_states() -> Any:
    """States of a masked layer begin others, one of which is given the same mask."""
    import keras
    from keras import layers, ops

    inputs = keras.Input((12, 5))
    mask = ops.any(ops.not_equal(inputs, 0), axis=-1)
    x, *states = layers.LSTM(6, return_sequences=True, return_state=True)(inputs, mask=mask)
    y = layers.LSTM(6)(x, initial_state=states, mask=mask)
    # A mask that only comes with the frames does not reach a layer with first states.
    x = layers.Concatenate()([y, layers.LSTM(6)(x, initial_state=states)])
    return keras.Model(inputs, layers.Dense(3, activation="softmax")(x))


def _at_each_step() -> Any:
    import keras
    from keras import layers

    inputs = keras.Input((3, 8, 4))
    x = layers.TimeDistributed(layers.GRU(6))(inputs)
    x = layers.SimpleRNN(6, return_sequences=True)(x)
    x = layers.GRU(6, recurrent_activation="hard_sigmoid")(x)
    return keras.Model(inputs, layers.Dense(3, activation="softmax")(x))


@pytest.mark.parametrize(
    ("make", "loops"),
    [(_encoder_and_decoder, 4), (_masked, 3), (_masked_with_states, 3), (_at_each_step, 5)],
)
def test_states_masks_and_layers_in_layers_are_integer(make, loops: int, tmp_path: Path):
    import keras

    keras.utils.set_random_seed(4)
    model = make()
    rng = np.random.default_rng(4)
    for weight in model.weights:
        if weight.name == "kernel":
            weight.assign(weight * 2)
    x = rng.normal(size=(24, *model.input_shape[1:])).astype(np.float32)
    for number, example in enumerate(x if make in (_masked, _masked_with_states) else ()):
        example[12 - number % 7 :] = 0
    expected = model.predict(x, verbose=0)
    content = convert(model, "full_int8", x[:16], "int8_loop").content
    network = _open(content, tmp_path / "model.tflite")
    error = np.sqrt(np.mean((network.predict(x) - expected) ** 2))
    assert error < 0.15 * expected.std(axis=0).mean()
    facts = read_facts(network.path)
    assert facts.float_operators == {}
    assert facts.operators["WHILE:1"] == loops


@pytest.mark.parametrize("change", ["activation", "cell"])
def test_a_recurrent_layer_without_a_loop_is_named(change: str):
    import keras
    from keras import layers

    inputs = keras.Input((8, 4))
    layer = layers.GRU(3, activation="elu" if change == "activation" else "tanh", name="memory")
    if change == "cell":
        layer = layers.RNN(layers.GRUCell(3), name="memory")
    model = keras.Model(inputs, layers.Dense(2)(layer(inputs)))
    examples = np.ones((2, *inputs.shape[1:]), np.float32)
    with pytest.raises(ExportError, match="'memory' has no loop of integers"):
        convert(model, "full_int8", examples, "int8_loop")


@pytest.mark.parametrize(
    ("form", "recurrent", "limit"),
    [("float16", "while", 0.01), ("full_int8", "int8_loop", 0.1), ("float16", "unroll", 0.01)],
)
def test_recurrent_dropout_is_left_behind(form: Any, recurrent: Any, limit: float, tmp_path: Path):
    import keras
    from keras import layers

    keras.utils.set_random_seed(6)
    inputs = keras.Input((10, 4))
    x = layers.GRU(6, dropout=0.2, recurrent_dropout=0.3, return_sequences=True)(inputs)
    x = layers.Bidirectional(layers.LSTM(5, dropout=0.2))(x)
    model = keras.Model(inputs, layers.Dense(2, activation="softmax")(x))
    x = np.random.default_rng(0).normal(size=(16, 10, 4)).astype(np.float32)
    network = _open(convert(model, form, x, recurrent).content, tmp_path / "model.tflite")
    np.testing.assert_allclose(network.predict(x), model.predict(x, verbose=0), atol=limit)
    assert model.layers[1].dropout == 0.2, "the given model keeps its own"


@pytest.mark.parametrize("kind", ["causal", "masking", "softmax"])
def test_masks_of_attention_leave_the_logits_their_steps(kind: str, tmp_path: Path):
    import keras
    from keras import layers

    keras.utils.set_random_seed(5)
    inputs = keras.Input((12, 8))
    if kind == "softmax":
        scores = layers.Dot((2, 2))([layers.Dense(8)(inputs), layers.Dense(8)(inputs)])
        weights = layers.Softmax()(scores, mask=np.tri(12, dtype=bool)[None])
        x = layers.Dot((2, 1))([weights, layers.Dense(8)(inputs)])
    else:
        x = layers.Masking()(inputs) if kind == "masking" else inputs
        attention = layers.MultiHeadAttention(2, 8)
        x = attention(x, x, use_causal_mask=kind == "causal")
    x = layers.Flatten()(layers.Add()([layers.Dense(8)(inputs), x]))
    model = keras.Model(inputs, layers.Dense(4, activation="softmax")(x))
    for weight in model.weights:
        if weight.name == "kernel":
            weight.assign(weight * 2)
    x = np.random.default_rng(0).normal(size=(32, 12, 8)).astype(np.float32)
    for number, example in enumerate(x):
        example[12 - number % 5 :] = 0
    expected = model.predict(x, verbose=0)
    network = _open(convert(model, "full_int8", x[:16]).content, tmp_path / "model.tflite")
    scores = network.predict(x)
    assert np.mean(scores.argmax(axis=1) == expected.argmax(axis=1)) >= 0.9
    error = np.sqrt(np.mean((scores - expected) ** 2))
    assert error < 0.2 * expected.std(axis=0).mean()
