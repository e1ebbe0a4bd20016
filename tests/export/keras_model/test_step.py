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
    with pytest.raises(ExportError, match=r"takes frames of \(9, 1\), not \(8, 1\)"):
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
        ((flat, layers.Dense(2), layers.GlobalAveragePooling1D()), "'global_average_pooling1d"),
        ((flat, layers.MaxPooling1D(2), layers.GRU(2)), "'max_pooling1d.*needs more than one"),
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
