from pathlib import Path
from typing import Any

import numpy as np
import pytest
from random_weights import randomize

from kerasnas.export import ExportError, ExportSettings, export, load
from kerasnas.export.check.networks import StepNetwork
from kerasnas.export.keras_model.step import step_calibration, stepwise

FRAMES, BINS = 12, 9


def _network(*middle: Any) -> Any:
    import keras
    from keras import layers

    keras.utils.set_random_seed(4)
    x = inputs = keras.Input((FRAMES, BINS, 1))
    for layer in middle:
        x = layer(x)
    model = keras.Model(inputs, layers.Dense(3, activation="softmax")(x))
    randomize(model, np.random.default_rng(2))
    return model


def _framewise() -> Any:
    from keras import layers

    return _network(
        layers.Normalization(axis=(-2, -1)),
        layers.Conv2D(4, (1, 3), strides=(1, 2), padding="same"),
        layers.BatchNormalization(),
        layers.Activation("relu"),
        layers.Reshape((FRAMES, 20)),
        layers.Dropout(0.1),
        layers.GRU(6, return_sequences=True),
        layers.Dense(7, activation="tanh"),
        layers.LSTM(5),
    )


def _clips(count: int) -> np.ndarray:
    rng = np.random.default_rng(7)
    return rng.normal(size=(count, FRAMES, BINS, 1)).astype(np.float32)


def test_the_last_frames_scores_are_the_networks():
    model = _framewise()
    step = stepwise(model)
    assert [tuple(x.shape[1:]) for x in step.inputs] == [(1, BINS, 1), (6,), (5,), (5,)]
    x = _clips(4)
    states = [np.zeros((4, size), np.float32) for size in (6, 5, 5)]
    for frame in range(FRAMES):
        outputs = step([x[:, frame : frame + 1], *states])
        scores, *states = (np.asarray(output) for output in outputs)
    np.testing.assert_allclose(scores, model(x), atol=1e-5)


def test_calibration_follows_the_states_through_the_clips():
    x = _clips(3)
    step = stepwise(_framewise())
    frames, *states = step_calibration(step, x)
    assert frames.shape == (3 * FRAMES, 1, BINS, 1)
    np.testing.assert_array_equal(frames[:3], x[:, :1])
    assert all(not state[:3].any() and state[3:].any(axis=1).all() for state in states)


@pytest.mark.slow
def test_files_of_one_frame_agree_with_the_network(tmp_path: Path):
    x = _clips(16)
    model = _framewise()
    report = export(
        model,
        tmp_path,
        calibration=x,
        test_x=x,
        test_y=np.eye(3, dtype=np.float32)[np.asarray(model(x)).argmax(axis=1)],
        classes=("a", "b", "c"),
        settings=ExportSettings(
            recurrent="step", latency_runs=1, repeat=False, on_fail="report", accuracy_drop=0.5
        ),
    ).report
    for name, form, limit in (("float16", "float16", 0.01), ("int8", "full_int8", 0.1)):
        entry = report["files"][name]
        assert (entry["form"], entry["recurrent"]) == (form, "step")
        network = load(tmp_path / entry["file"])
        assert isinstance(network, StepNetwork)
        assert network.input_shape == (-1, BINS, 1)
        np.testing.assert_allclose(network.predict(x), model(x), atol=limit)
        # Shorter sound gives what the network would say of it.
        assert np.ptp(network.predict(x[:, :5]) - network.predict(x), axis=0).max() > 0.01
    assert report["files"]["int8"]["float_operators"] == {}
    with pytest.raises(
        ExportError, match=r"takes frames of \(9, 1\), 1 at a time, not 12 of \(8, 1\)"
    ):
        network.predict(x[:, :, :8])


def _refused() -> list[Any]:
    from keras import layers

    flat = layers.Reshape((FRAMES, BINS))
    return [
        (
            (layers.Conv2D(2, 3), layers.Reshape((10, 14)), layers.GRU(2)),
            "'conv2d.*needs more than",
        ),
        ((flat, layers.Bidirectional(layers.GRU(2))), "'bidirectional.*needs more than one frame"),
        ((flat, layers.GRU(2, go_backwards=True)), "'gru.*must read frames forwards"),
        ((flat, layers.GRU(2, return_sequences=True), layers.Flatten()), "'flatten.*more than one"),
        ((flat, layers.MaxPooling1D(3, 2), layers.GRU(2)), "'max_pooling1d.*reads 3, 2 apart"),
        ((flat, layers.MaxPooling1D(5, padding="same"), layers.GRU(2)), "'max_pooling1d.*same"),
        ((flat, layers.Conv1D(2, 3, padding="same"), layers.GRU(2)), "'conv1d.*needs more than"),
        ((flat, layers.ZeroPadding1D((2, 1)), layers.GRU(2)), "pads 1 frames behind the last"),
        ((flat, layers.BatchNormalization(axis=1), layers.GRU(2)), "'batch_normalization"),
    ]


def test_what_needs_several_frames_is_refused_by_name():
    for middle, message in _refused():
        with pytest.raises(ExportError, match=message):
            stepwise(_network(*middle))


def test_a_network_without_states_has_no_steps():
    from keras import layers

    with pytest.raises(ExportError, match="the layer 'flatten"):
        stepwise(_network(layers.Flatten()))
    with pytest.raises(ExportError, match="gives scores of frames"):
        stepwise(_network(layers.Reshape((FRAMES, BINS)), layers.GRU(2, return_sequences=True)))


def test_what_joins_frames_with_a_whole_clip_is_refused_by_name():
    import keras
    from keras import layers

    x = inputs = keras.Input((FRAMES, BINS, 1))
    squeezed = layers.Dense(1)(layers.GlobalAveragePooling2D(keepdims=True)(x))
    x = layers.GlobalAveragePooling2D()(layers.Multiply(name="excited")([x, squeezed]))
    model = keras.Model(inputs, layers.Dense(3)(x))
    with pytest.raises(ExportError, match="'excited' joins frames with a whole clip's"):
        stepwise(model)


def _padded(length: int, stride: int, width: int = 1) -> Any:
    from keras import layers

    return layers.ZeroPadding2D(((length - stride, 0), (width // 2, width // 2)))


def _causal() -> Any:
    """Six frames a step: strides of two and three, a residual connection, channels in branches."""
    import keras
    from keras import layers

    keras.utils.set_random_seed(4)
    x = inputs = keras.Input((FRAMES + 3, BINS, 1))
    x = layers.Normalization(axis=(-2, -1))(x)
    x = layers.Conv2D(4, (5, 3), strides=(2, 2))(_padded(5, 2, 3)(x))
    x = layers.Activation("relu")(layers.BatchNormalization()(x))
    y = layers.DepthwiseConv2D((3, 1))(_padded(3, 1)(layers.Conv2D(4, 1)(x)))
    x = layers.Add()([x, layers.Conv2D(4, (1, 3), padding="same")(y)])
    x = layers.MaxPooling2D((3, 1))(x[..., 1:])
    x = layers.Conv2D(5, (2, 2), activation="relu")(_padded(2, 1)(x))
    x = layers.GlobalAveragePooling2D()(x)
    model = keras.Model(inputs, layers.Dense(3, activation="softmax")(x))
    randomize(model, np.random.default_rng(2))
    return model


def _answers(step: Any, x: np.ndarray) -> list[np.ndarray]:
    """Scores after every step of a network of one step."""
    states = [np.zeros((len(x), *state.shape[1:]), np.float32) for state in step.inputs[1:]]
    length, answers = step.inputs[0].shape[1], []
    for end in range(length, x.shape[1] + 1, length):
        scores, *states = (np.asarray(y) for y in step([x[:, end - length : end], *states]))
        answers.append(scores)
    return answers


def test_causal_convolutions_give_the_networks_scores_step_by_step():
    import keras

    model = _causal()
    step = stepwise(model)
    shapes = [tuple(x.shape[1:]) for x in step.inputs]
    # What the kernels see again, and the mean over the clip's two steps.
    assert shapes == [(6, BINS, 1), (3, BINS, 1), (2, 5, 4), (1, 5, 3), (1, 5)]
    x = np.random.default_rng(7).normal(size=(2, 5 * 6, BINS, 1)).astype(np.float32)
    answers = _answers(step, x)
    # After the last frame of a clip: the network's, of which three frames are no whole step.
    np.testing.assert_allclose(answers[1], model(x[:, : FRAMES + 3]), atol=1e-5)
    # Of longer sound: the same layers over all of it, and the mean of the last two steps.
    longer = keras.models.clone_model(model, input_tensors=keras.Input(x.shape[1:]))
    longer.set_weights(model.get_weights())
    longer.layers[1].finalize_state()  # of the normalisation
    pooled = next(each for each in longer.layers if "global" in each.name)
    frames = keras.Model(longer.inputs[0], pooled.input)(x).numpy().mean(axis=2)
    dense = longer.layers[-1]
    for index in range(1, 5):
        expected = dense(frames[:, index - 1 : index + 1].mean(axis=1))
        np.testing.assert_allclose(answers[index], expected, atol=1e-5)
    # What was not heard yet is zero.
    np.testing.assert_allclose(answers[0], dense(frames[:, 0] / 2), atol=1e-5)


def test_convolutions_of_frames_and_a_maximum_go_step_by_step():
    from keras import layers

    model = _network(
        layers.Reshape((FRAMES, BINS)),
        layers.Conv1D(4, 3, dilation_rate=2, padding="causal", activation="relu"),
        layers.AveragePooling1D(2),
        layers.GRU(3, return_sequences=True),
        layers.MaxPooling1D(2),
        layers.GlobalMaxPooling1D(keepdims=True),
        layers.Flatten(),
    )
    step = stepwise(model)
    shapes = [tuple(x.shape[1:]) for x in step.inputs]
    assert shapes == [(4, BINS, 1), (4, BINS), (3,), (2, 3)]
    x = _clips(3)
    np.testing.assert_allclose(_answers(step, x)[-1], model(x), atol=1e-5)


@pytest.mark.slow
def test_files_of_causal_convolutions_agree_with_the_network(tmp_path: Path):
    model = _causal()
    x = np.random.default_rng(7).normal(size=(16, FRAMES + 3, BINS, 1)).astype(np.float32)
    report = export(
        model,
        tmp_path,
        calibration=x,
        test_x=x,
        classes=("a", "b", "c"),
        settings=ExportSettings(recurrent="step", latency_runs=1, repeat=False, on_fail="report"),
    ).report
    for name, form, limit in (("float16", "float16", 0.01), ("int8", "full_int8", 0.04)):
        entry = report["files"][name]
        assert (entry["form"], entry["recurrent"]) == (form, "step")
        network = load(tmp_path / entry["file"])
        assert isinstance(network, StepNetwork)
        assert (network.input_shape, network.frames) == ((-1, BINS, 1), 6)
        np.testing.assert_allclose(network.predict(x), model(x), atol=limit)
    assert report["files"]["int8"]["float_operators"] == {}
    with pytest.raises(ExportError, match=r"takes frames of \(9, 1\), 6 at a time, not 5 of"):
        network.predict(x[:, :5])
