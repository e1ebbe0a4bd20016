"""LSTM layers, clipping and Adam, against Keras, finite differences and arithmetic by hand."""

import math

import numpy as np
import pytest

from kerasnas.tuners.controller.network import Adam, Layer, adam, backward, clipped, forward

STEPS, BATCH, INPUTS, UNITS = 7, 3, 4, 5


def random_layer(seed):
    rng = np.random.default_rng(seed)
    return Layer(
        rng.normal(size=(INPUTS, 4 * UNITS)),
        rng.normal(size=(UNITS, 4 * UNITS)),
        rng.normal(size=4 * UNITS),
    )


def example(seed=3):
    rng = np.random.default_rng(seed)
    inputs = rng.normal(size=(STEPS, BATCH, INPUTS))
    mask = rng.random((STEPS, BATCH)) < 0.7
    slopes = rng.normal(size=(STEPS, BATCH, UNITS))
    return random_layer(seed), inputs, mask, slopes


@pytest.mark.slow
def test_outputs_and_gradients_are_those_of_keras():
    import tensorflow as tf

    layer, inputs, mask, slopes = example()
    theirs = tf.keras.layers.LSTM(UNITS, return_sequences=True, dtype="float64")
    theirs.build((BATCH, STEPS, INPUTS))
    theirs.set_weights(list(layer))
    x = tf.constant(inputs.transpose(1, 0, 2))
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = theirs(x, mask=tf.constant(mask.T))
        total = tf.reduce_sum(y * slopes.transpose(1, 0, 2))
    expected = tape.gradient(total, [x, *theirs.trainable_weights])

    outputs, ours = forward(layer, inputs, mask)
    d_inputs, gradient = backward(layer, ours, slopes)
    np.testing.assert_allclose(outputs.transpose(1, 0, 2), y, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(d_inputs.transpose(1, 0, 2), expected[0], rtol=1e-9, atol=1e-11)
    for found, wanted in zip(gradient, expected[1:], strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-9, atol=1e-11)


def test_gradients_are_those_of_finite_differences():
    layer, inputs, mask, slopes = example()
    d_inputs, gradient = backward(layer, forward(layer, inputs, mask)[1], slopes)
    found = [d_inputs, *gradient]
    given = [inputs, *layer]
    rng = np.random.default_rng(0)
    for place, part in enumerate(given):
        for flat in rng.choice(part.size, 15, replace=False):
            index, values = np.unravel_index(flat, part.shape), []
            for change in (1e-6, -1e-6):
                moved = [array.copy() for array in given]
                moved[place][index] += change
                values.append((forward(Layer(*moved[1:]), moved[0], mask)[0] * slopes).sum())
            slope = (values[0] - values[1]) / 2e-6
            assert found[place][index] == pytest.approx(slope, rel=1e-5, abs=1e-7)


def test_a_masked_step_changes_nothing():
    layer, inputs, _, slopes = example()
    mask = np.ones((STEPS, BATCH), bool)
    mask[2] = mask[5] = False
    outputs, tape = forward(layer, inputs, mask)
    assert np.array_equal(outputs[2], outputs[1])
    kept = [0, 1, 3, 4, 6]
    short, _ = forward(layer, inputs[kept], mask[kept])
    assert np.array_equal(outputs[kept], short)
    d_inputs, _ = backward(layer, tape, slopes)
    assert not d_inputs[[2, 5]].any()


def test_clipping_keeps_the_direction():
    gradient = {"a": np.array([3.0, 0.0]), "b": np.array([[4.0]])}
    cut = clipped(gradient, 2.5)
    assert (cut["a"].tolist(), cut["b"].tolist()) == ([1.5, 0.0], [[2.0]])
    assert clipped(gradient, 6.0)["a"].tolist() == [3.0, 0.0]
    assert clipped({"a": np.zeros(2)}, 1.0)["a"].tolist() == [0.0, 0.0]


def test_adam_is_that_of_its_paper():
    """Algorithm 1 of Kingma & Ba by hand for one weight; and nothing given is changed."""
    weights, zeros = {"w": np.array([1.0])}, {"w": np.zeros(1)}
    state, expected, first, second = Adam(zeros, zeros), 1.0, 0.0, 0.0
    moved = weights
    for step, slope in enumerate([2.0, -1.0, 0.5], 1):
        moved, state = adam(moved, {"w": np.array([slope])}, state, 0.1)
        first, second = 0.9 * first + 0.1 * slope, 0.999 * second + 0.001 * slope**2
        mean, spread = first / (1 - 0.9**step), second / (1 - 0.999**step)
        expected -= 0.1 * mean / (math.sqrt(spread) + 1e-8)
        assert moved["w"][0] == pytest.approx(expected, rel=1e-12)
    assert state.steps == 3
    assert (weights["w"][0], zeros["w"][0]) == (1.0, 0.0)
