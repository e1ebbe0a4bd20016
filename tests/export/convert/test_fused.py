"""LSTM layers as one operator that keeps its state: opt-in, labelled, reset where we score it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from random_weights import randomize

from kerasnas.export import ExportSettings, export, load
from kerasnas.export.check.interpreter import is_stateless
from kerasnas.export.convert.program import convert
from kerasnas.export.flatbuffer.facts import read_facts
from kerasnas.flow.stages.exported import Exported
from kerasnas.runs.records import Export

pytestmark = pytest.mark.slow  # importing tf_keras takes seconds

FRAMES, BINS, CLASSES = 6, 8, ("low", "middle", "high")


@pytest.fixture(scope="module")
def model() -> Any:
    import keras
    from keras import layers

    keras.utils.set_random_seed(1)
    inputs = keras.Input((FRAMES, BINS))
    x = layers.LSTM(12, return_sequences=True)(inputs)
    x = layers.Bidirectional(layers.LSTM(6))(x)
    model = keras.Model(inputs, layers.Dense(len(CLASSES), activation="softmax")(x))
    randomize(model, np.random.default_rng(1))
    return model


@pytest.fixture(scope="module")
def clips() -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.normal(size=(12, FRAMES, BINS)).astype(np.float32)


@pytest.mark.parametrize(
    ("form", "loop"),
    [
        pytest.param("float16", "while", marks=pytest.mark.nightly),
        ("full_int8", "int8_loop"),
    ],
)
def test_a_fused_file_is_smaller_than_a_loop_and_right_after_a_reset(
    model: Any, clips: np.ndarray, form: Any, loop: Any, tmp_path: Path
):
    path, other = tmp_path / "fused.tflite", tmp_path / "loop.tflite"
    path.write_bytes(convert(model, form, clips, "fused_lstm").content)
    other.write_bytes(convert(model, form, clips, loop).content)
    assert path.stat().st_size < other.stat().st_size
    facts = read_facts(path)
    operators = {name.partition(":")[0]: count for name, count in facts.operators.items()}
    assert operators["UNIDIRECTIONAL_SEQUENCE_LSTM"] == 3
    assert facts.keeps_state and not read_facts(other).keeps_state
    assert facts.foreign_operators == ()
    if form == "full_int8":
        assert facts.float_operators == {}
    network = load(path)
    # Two int8 steps of 1/256; with the converter's own scales it was 0.1.
    tolerance = 0.008 if form == "full_int8" else 0.005
    np.testing.assert_allclose(network.predict(clips), model(clips), atol=tolerance)
    first, _, again = network.predict(clips[[0, 1, 0]])
    np.testing.assert_array_equal(first, again)
    # Integers may round what a clip leaves behind away, but not behind every clip.
    assert not all(is_stateless(network, clips[0], clip) for clip in clips[1:])
    assert is_stateless(load(other), clips[0], clips[1])


def test_layer_normalisation_between_lstm_layers_is_integer_too(clips: np.ndarray, tmp_path: Path):
    import keras
    from keras import layers

    keras.utils.set_random_seed(3)
    inputs = keras.Input((FRAMES, BINS))
    x = layers.LayerNormalization()(layers.LSTM(12, return_sequences=True)(inputs))
    model = keras.Model(inputs, layers.Dense(3, activation="softmax")(layers.LSTM(6)(x)))
    path = tmp_path / "fused.tflite"
    path.write_bytes(convert(model, "full_int8", clips, "fused_lstm").content)
    assert read_facts(path).float_operators == {}
    np.testing.assert_allclose(load(path).predict(clips), model(clips), atol=0.02)


def test_a_cell_state_may_grow_as_in_keras(tmp_path: Path):
    """Twenty frames up and ten down: a state that is clipped at 10 would be back at 0."""
    import keras
    from keras import layers

    units = 4
    inputs = keras.Input((30, 1))
    lstm = layers.LSTM(units)
    model = keras.Model(inputs, layers.Dense(2)(lstm(inputs)))
    kernel = np.zeros((1, 4 * units), np.float32)
    kernel[:, 2 * units : 3 * units] = 9  # what is added; gates, i, f and o, read no clip
    bias = np.repeat(np.array([9, 9, 0, 0], np.float32), units)  # let all in, forget nothing
    recurrent = np.random.default_rng(0).normal(0, 0.1, (units, 4 * units))
    lstm.set_weights([kernel, recurrent, bias])
    clip = np.where(np.arange(30) < 20, 1, -1).astype(np.float32).reshape(1, 30, 1)
    path = tmp_path / "fused.tflite"
    path.write_bytes(convert(model, "float16", clip, "fused_lstm").content)
    np.testing.assert_allclose(load(path).predict(clip), model(clip), atol=0.005)


def test_an_export_says_that_the_file_keeps_its_state(
    model: Any, clips: np.ndarray, tmp_path: Path
):
    report = export(
        model,
        tmp_path,
        calibration=clips,
        test_x=clips,
        test_y=np.eye(3, dtype=np.float32)[np.arange(12) % 3],
        classes=CLASSES,
        settings=ExportSettings(
            recurrent="fused_lstm",
            formats=("int8",),
            budget=500_000,
            on_fail="report",
            latency_runs=1,
            repeat=False,
        ),
    ).report
    entry = report["files"]["int8"]
    assert (entry["form"], entry["recurrent"]) == ("full_int8", "fused_lstm")
    assert entry["keeps_state"] and entry["failed_forms"] == []
    (check,) = [check for check in report["checks"] if check["name"] == "stateless"]
    assert check["verdict"] == "passed"
    assert "reset_all_variables() before each" in check["message"]
    without = entry["without_fusing"]
    assert (without["form"], without["recurrent"]) == ("full_int8", "int8_loop")
    assert without["bytes"] > entry["bytes"]
    assert without["gzip_bytes"] > entry["gzip_bytes"]
    assert without["agreement"] > 0.9
    said = Exported(tmp_path, Export.of(report)).lines()
    assert any(line.startswith(f"int8 without fusing: {without['bytes']:,} bytes") for line in said)
