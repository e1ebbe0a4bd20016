"""Layers under TFLearn's names: shapes, defaults, and what a dropout argument drops."""

import keras
import numpy as np
import pytest

import kerasnas.baselines as tflearn
from kerasnas.errors import KerasnasError


def model_of(output) -> keras.Model:
    return keras.Model(keras.utils.get_source_inputs(output)[0], output)


def drop_rates(output) -> list[float]:
    layers = model_of(output).layers
    return [round(x.rate, 6) for x in layers if isinstance(x, keras.layers.Dropout)]


def test_dropout_keeps_the_share_that_is_given() -> None:
    keras.utils.set_random_seed(1)
    ones = np.ones((100, 500), np.float32)
    model = model_of(tflearn.dropout(tflearn.input_data([None, 500]), 0.8))
    out = np.asarray(model(ones, training=True))
    # Of 50 000 inputs, 0.8 are kept, give or take seven standard deviations of 0.0018.
    assert abs((out != 0).mean() - 0.8) < 0.0125
    np.testing.assert_allclose(out[out != 0], 1 / 0.8, rtol=1e-6)
    np.testing.assert_array_equal(model(ones), ones)


def test_an_lstms_dropout_keeps_the_shares_of_inputs_and_outputs() -> None:
    x = tflearn.input_data([None, 10, 128])
    assert drop_rates(tflearn.lstm(x, 4, dropout=0.8)) == [0.2, 0.2]
    assert drop_rates(tflearn.lstm(x, 4, dropout=(0.9, 0.4))) == [0.1, 0.6]
    assert drop_rates(tflearn.lstm(x, 4)) == []
    (lstm,) = (y for y in model_of(tflearn.lstm(x, 4, dropout=0.8)).layers if "lstm" in y.name)
    assert lstm.dropout == lstm.recurrent_dropout == 0  # the state is never dropped


def test_an_lstms_outputs_are_dropped_anew_in_every_frame() -> None:
    keras.utils.set_random_seed(1)
    x = tflearn.input_data([None, 50, 3])
    model = model_of(tflearn.lstm(x, 40, dropout=(1.0, 0.8), return_seq=True))
    out = np.asarray(model(np.ones((20, 50, 3), np.float32), training=True))
    assert abs((out != 0).mean() - 0.8) < 0.02
    assert len({tuple(frame != 0) for frame in out[0]}) > 40


@pytest.mark.parametrize("share", [0, -0.2, 1.2])
def test_a_share_that_is_none_is_refused(share: float) -> None:
    with pytest.raises(KerasnasError, match="share that is kept"):
        tflearn.dropout(tflearn.input_data([None, 5]), share)


def test_shapes_are_tflearns() -> None:
    x = tflearn.input_data([None, 10, 128])
    assert x.shape == tflearn.input_data([10, 128]).shape == (None, 10, 128)
    for layer in (tflearn.lstm, tflearn.gru, tflearn.simple_rnn):
        assert layer(x, 6).shape == (None, 6)
        assert layer(x, 6, return_seq=True).shape == (None, 10, 6)
    assert tflearn.fully_connected(x, 7).shape == (None, 7)
    assert tflearn.embedding(tflearn.input_data([None, 9]), 100, 5).shape == (None, 9, 5)
    assert tflearn.flatten(x).shape == (None, 1280)
    assert tflearn.reshape(x, [-1, 20, 64]).shape == (None, 20, 64)
    with pytest.raises(KerasnasError, match=r"\(None, 6\).*return_seq=True"):
        tflearn.lstm(tflearn.lstm(x, 6), 6)


def test_tflearns_defaults_of_a_dense_layer() -> None:
    keras.utils.set_random_seed(1)
    layer = model_of(tflearn.fully_connected(tflearn.input_data([None, 300]), 300)).layers[-1]
    kernel, bias = layer.get_weights()
    assert layer.activation is keras.activations.linear and not bias.any()
    # A normal distribution cut at two deviations has 0.88 of its deviation.
    assert np.abs(kernel).max() <= 0.04 and abs(kernel.std() - 0.0176) < 0.001


def test_gates_begin_with_tflearns_biases() -> None:
    x = tflearn.input_data([None, 4, 3])
    lstm = model_of(tflearn.lstm(x, 2, forget_bias=0.5)).layers[-1]
    np.testing.assert_array_equal(lstm.get_weights()[2], [0, 0, 0.5, 0.5, 0, 0, 0, 0])
    gru = model_of(tflearn.gru(x, 2)).layers[-1]
    np.testing.assert_array_equal(gru.get_weights()[2], [1, 1, 1, 1, 0, 0])
    assert not gru.reset_after


def test_weights_may_be_initialised_otherwise() -> None:
    x = tflearn.input_data([None, 4, 3])
    lstm = model_of(tflearn.lstm(x, 2, weights_init="zeros")).layers[-1]
    assert not np.any(lstm.get_weights()[0]) and not np.any(lstm.get_weights()[1])
    again = model_of(tflearn.gru(x, 2, weights_init="truncated_normal", name="mine"))
    assert np.abs(again.get_layer("mine").get_weights()[0]).max() <= 0.04


def test_names_by_which_keras_means_something_else_keep_tflearns_meaning() -> None:
    x = tflearn.input_data([None, 300])
    layer = model_of(tflearn.fully_connected(x, 300, weights_init="normal")).layers[-1]
    assert abs(layer.get_weights()[0].std() - 0.02) < 0.001  # Keras: 0.05
    with pytest.raises(KerasnasError, match="activation 'leaky_relu'.*relu6"):
        tflearn.fully_connected(x, 3, "leaky_relu")  # slopes: TFLearn 0.1, Keras 0.2
    with pytest.raises(KerasnasError, match="initialisation 'he_normal'.*object of Keras"):
        tflearn.fully_connected(x, 3, weights_init="he_normal")
    with pytest.raises(TypeError, match="positional"):
        tflearn.lstm(tflearn.input_data([None, 4, 3]), 2, "tanh", "sigmoid", 0.8, True)  # bias


@pytest.mark.parametrize("cell", ["BasicLSTMCell", "GRUCell", "BasicRNNCell"])
def test_both_directions_end_at_the_last_frame(cell: str) -> None:
    x = tflearn.input_data([None, 5, 3])
    make = getattr(tflearn, cell)
    sequence = tflearn.bidirectional_rnn(x, make(4), make(4), return_seq=True)
    assert sequence.shape == (None, 5, 8)
    last = model_of(tflearn.bidirectional_rnn(x, make(4), make(4)))
    assert last.output_shape == (None, 8)
    clip = np.random.default_rng(0).normal(size=(1, 5, 3)).astype(np.float32)
    other = clip.copy()
    other[0, 0] += 1  # the first frame: the backward cell has not come to it
    a, b = np.asarray(last(clip))[0], np.asarray(last(other))[0]
    assert (a[:4] != b[:4]).any()
    np.testing.assert_array_equal(a[4:], b[4:])


def test_cells_of_different_units_are_refused() -> None:
    x = tflearn.input_data([None, 5, 3])
    with pytest.raises(KerasnasError, match="has 4 units.*5"):
        tflearn.bidirectional_rnn(x, tflearn.GRUCell(4), tflearn.GRUCell(5))


def test_data_utilities_pad_and_cut_at_the_end() -> None:
    padded = tflearn.data_utils.pad_sequences([[1, 2], [3, 4, 5, 6]], maxlen=3)
    assert padded.tolist() == [[1, 2, 0], [3, 4, 5]]
    clip = np.full((4, 2), 0.5, np.float32)
    assert tflearn.data_utils.pad_sequences([clip], 10, "float32").sum() == 4
    assert tflearn.data_utils.to_categorical([1], 4).tolist() == [[0, 1, 0, 0]]
    # Without a number of classes TFLearn 0.5 gives a column to each value that occurs.
    assert tflearn.data_utils.to_categorical([7, 2, 7]).tolist() == [[0, 1], [1, 0], [0, 1]]
    with pytest.raises(KerasnasError, match="go from 1 to 4, and nb_classes is 4"):
        tflearn.data_utils.to_categorical([1, 4], 4)


def test_merging_joins_adds_and_reduces() -> None:
    x = tflearn.input_data([None, 4, 3])
    joined = tflearn.merge([x, x], "concat", axis=2)
    assert joined.shape == (None, 4, 6)
    clip = np.random.default_rng(0).normal(size=(2, 4, 3)).astype(np.float32)
    for mode, expected in (
        ("elemwise_sum", 2 * clip),
        ("elemwise_mul", clip**2),
        ("sum", 2 * clip.sum(axis=1)),
        ("mean", clip.mean(axis=1)),
        ("max", clip.max(axis=1)),
    ):
        merged = model_of(tflearn.merge([x, x], mode))
        np.testing.assert_allclose(merged(clip), expected, rtol=1e-5, err_msg=mode)
    with pytest.raises(KerasnasError, match="unknown mode 'cat'.*concat"):
        tflearn.merge([x, x], "cat")
    with pytest.raises(KerasnasError, match="given 1 tensors"):
        tflearn.merge([x], "concat")


def test_a_single_unit_fits_a_line() -> None:
    """TFLearn's own first example: a linear regression with R2."""
    keras.utils.set_random_seed(2)
    net = tflearn.single_unit(tflearn.input_data([None]))
    rate = tflearn.SGD(learning_rate=0.2)
    net = tflearn.regression(net, optimizer=rate, loss="mean_square", metric="R2")
    model = tflearn.DNN(net)
    x = np.linspace(-1, 1, 40)
    model.fit(x, 3 * x - 1, n_epoch=40, batch_size=8)
    np.testing.assert_allclose(model.predict([0.5])[0], [0.5], atol=0.01)
    assert model.evaluate(x, 3 * x - 1)[0] > 0.99
    with pytest.raises(KerasnasError, match=r"fully_connected\(incoming, 1\)"):
        tflearn.single_unit(tflearn.input_data([None, 2]))


def test_arguments_that_are_absent_name_their_counterpart() -> None:
    x = tflearn.input_data([None, 4, 3])
    assert tflearn.lstm(x, 2, dynamic=False, restore=True, scope=None).shape == (None, 2)
    with pytest.raises(KerasnasError, match=r"lstm has no argument dynamic: .*Masking\(\)"):
        tflearn.lstm(x, 2, dynamic=True)
    with pytest.raises(KerasnasError, match="fully_connected has no argument reuse: .*Keras"):
        tflearn.fully_connected(x, 2, reuse=True)
    with pytest.raises(TypeError, match="no_such"):
        tflearn.lstm(x, 2, no_such=1)


def test_masking_in_front_is_the_counterpart_of_dynamic() -> None:
    x = tflearn.input_data([None, 6, 3])
    model = model_of(tflearn.lstm(keras.layers.Masking()(x), 4))
    clip = np.random.default_rng(0).normal(size=(1, 6, 3)).astype(np.float32)
    clip[:, 4:] = 0
    other = np.concatenate([clip[:, :4], np.zeros((1, 2, 3), np.float32)], axis=1)
    short = model_of(tflearn.lstm(tflearn.input_data([None, 4, 3]), 4))
    short.set_weights(model.get_weights())
    np.testing.assert_allclose(model(other), short(clip[:, :4]), rtol=1e-5)


def test_convolutions_are_out_of_scope_by_name() -> None:
    with pytest.raises(AttributeError, match=r"no conv_2d: use keras.layers.Conv2D: .*scope"):
        _ = tflearn.conv_2d
    with pytest.raises(ImportError, match=r"no max_pool_2d: use keras.layers.MaxPooling2D"):
        from kerasnas.baselines.layers.conv import max_pool_2d  # noqa: F401
    with pytest.raises(ImportError, match="has no conv_2d: use keras.layers.Conv2D: conv"):
        tflearn.layers.conv.conv_2d  # noqa: B018
    with pytest.raises(AttributeError, match="layers has no conv_2d: use keras.layers.Conv2D"):
        tflearn.layers.conv_2d  # noqa: B018


def test_a_graph_round_the_script_is_refused_with_the_remedy() -> None:
    import tensorflow as tf

    tflearn.config.init_graph(num_cores=4, gpu_memory_fraction=0.5)
    with (
        tf.Graph().as_default(),
        pytest.raises(KerasnasError, match=r"tf.Graph\(\).*out of the script"),
    ):
        tflearn.input_data([None, 10, 128])
