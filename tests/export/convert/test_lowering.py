from typing import Any

import numpy as np
import pytest
from random_weights import randomize

from kerasnas.export import ExportError, ExportSettings
from kerasnas.export.convert.lowering import candidates, require_lstm
from kerasnas.export.convert.program import convert
from kerasnas.export.keras_model.recurrent import recurrent_layers


def _mixed(recurrent: str) -> list[str]:
    """What is tried between integers alone and int8 weights."""
    name = f"mixed with {recurrent}" if recurrent else "mixed"
    return [f"{name}, {n} in float" for n in ("1 operator", "2 operators", "4 operators")] + [
        f"{name}, 8 operators in float"
    ]


def _model(frames: int, recurrent: bool = True) -> Any:
    import keras
    from keras import layers

    inputs = keras.Input((frames, 4))
    layer = layers.Bidirectional(layers.GRU(2)) if recurrent else layers.GlobalMaxPooling1D()
    return keras.Model(inputs, layers.Dense(2)(layer(inputs)))


@pytest.mark.parametrize(
    ("format_", "recurrent", "frames", "expected"),
    [
        ("float16", "auto", 60, ["float16 with while"]),
        ("float16", "auto", 20, ["float16 with while", "float16 with unroll"]),
        ("float16", "auto", 1, ["float16 with unroll", "float16 with while"]),
        ("float16", "int8_loop", 60, ["float16 with while"]),
        ("float16", "unroll", 60, ["float16 with unroll"]),
        (
            "int8",
            "auto",
            60,
            ["full_int8 with int8_loop", *_mixed("int8_loop"), "int8_weights with while"],
        ),
        (
            "int8",
            "auto",
            20,
            [
                "full_int8 with int8_loop",
                "full_int8 with unroll",
                *_mixed("int8_loop"),
                "int8_weights with while",
            ],
        ),
        (
            "int8",
            "auto",
            1,
            [
                "full_int8 with unroll",
                "full_int8 with int8_loop",
                *_mixed("unroll"),
                "int8_weights with while",
            ],
        ),
        ("int8", "int8_loop", 20, ["full_int8 with int8_loop"]),
        ("int8", "while", 20, ["int8_weights with while"]),
        ("int8", "step", 20, ["full_int8 with step", "int8_weights with step"]),
    ],
)
def test_forms_from_best_to_last(format_: Any, recurrent: Any, frames: int, expected: list[str]):
    settings = ExportSettings(recurrent=recurrent)
    assert [str(c) for c in candidates(_model(frames), format_, settings)] == expected


def test_a_step_is_asked_of_networks_without_recurrent_layers_too():
    import keras

    inputs = keras.Input((4, 3))
    model = keras.Model(inputs, keras.layers.GlobalAveragePooling1D()(inputs))
    tried = candidates(model, "int8", ExportSettings(recurrent="step"))
    assert [str(each) for each in tried] == ["full_int8 with step", "int8_weights with step"]


@pytest.mark.slow
@pytest.mark.parametrize(("frames", "kind"), [(1, "GRU"), (2, "LSTM")])
def test_of_files_that_compute_alike_the_smaller_is_tried_first(frames: int, kind: str):
    import keras
    from keras import layers

    inputs = keras.Input((frames, 8))
    x = layers.Bidirectional(layers.GRU(6))(inputs) if kind == "GRU" else layers.LSTM(6)(inputs)
    model = keras.Model(inputs, layers.Dense(2)(x))
    rng = np.random.default_rng(0)
    randomize(model, rng)
    examples = rng.normal(size=(2, frames, 8)).astype(np.float32)
    for format_ in ("float16", "int8"):
        tried = candidates(model, format_, ExportSettings())[:2]
        assert {candidate.form for candidate in tried} == {tried[0].form}
        first, second = (len(convert(model, c.form, examples, c.recurrent).content) for c in tried)
        assert first < second


def test_loops_come_first_where_they_are_hardly_larger():
    import keras
    from keras import layers

    inputs = keras.Input((10, 64))
    x = layers.GRU(512, return_sequences=True)(inputs)
    model = keras.Model(inputs, layers.Dense(2)(layers.Flatten()(x)))
    forms = [str(candidate) for candidate in candidates(model, "float16", ExportSettings())]
    assert forms == ["float16 with while", "float16 with unroll"]


def test_loops_come_first_where_their_bytes_cannot_be_predicted():
    import keras
    from keras import layers

    inputs = keras.Input((1, 4))
    model = keras.Model(inputs, layers.SimpleRNN(2)(inputs))
    forms = [str(candidate) for candidate in candidates(model, "float16", ExportSettings())]
    assert forms == ["float16 with while", "float16 with unroll"]


def test_of_a_recurrent_layer_inside_another_no_steps_are_written_out():
    import keras
    from keras import layers

    inputs = keras.Input((3, 10, 4))
    x = layers.Flatten()(layers.TimeDistributed(layers.GRU(2))(inputs))
    model = keras.Model(inputs, layers.Dense(2)(x))
    forms = [str(candidate) for candidate in candidates(model, "int8", ExportSettings())]
    assert forms[0] == "full_int8 with int8_loop"
    assert not any("unroll" in form for form in forms)


def test_a_recurrent_layer_may_have_a_mask_and_be_called_twice():
    import keras
    from keras import layers

    inputs = keras.Input((20, 4))
    layer = layers.GRU(4, return_sequences=True)
    x = layers.Flatten()(layer(layer(layers.Masking()(inputs))))
    model = keras.Model(inputs, layers.Dense(2)(x))
    forms = [str(candidate) for candidate in candidates(model, "float16", ExportSettings())]
    assert forms == ["float16 with while", "float16 with unroll"]


def test_fused_lstm_is_for_lstm_layers_alone_and_only_where_asked_for():
    import keras
    from keras import layers

    inputs = keras.Input((60, 4))
    x = layers.Bidirectional(layers.LSTM(2, return_sequences=True))(
        layers.LSTM(2, return_sequences=True)(inputs)
    )
    model = keras.Model(inputs, layers.Flatten()(x))
    settings = ExportSettings(recurrent="fused_lstm")
    forms = [str(candidate) for candidate in candidates(model, "int8", settings)]
    assert forms == ["full_int8 with fused_lstm", "int8_weights with fused_lstm"]
    assert [str(c) for c in candidates(model, "float16", settings)] == ["float16 with fused_lstm"]
    with pytest.raises(ExportError, match=r"'bidirectional.*' \(GRU\) is no LSTM layer.*auto"):
        require_lstm(recurrent_layers(_model(60)))
    with pytest.raises(ExportError, match="no LSTM layer for fused_lstm: leave .* at auto"):
        require_lstm(recurrent_layers(_model(60, recurrent=False)))
    for format_ in ("float16", "int8"):
        found = candidates(model, format_, ExportSettings())
        assert "fused_lstm" not in {candidate.recurrent for candidate in found}


def test_a_network_without_recurrent_layers_has_forms_without_loops():
    model = _model(20, recurrent=False)
    settings = ExportSettings(recurrent="unroll")
    assert [str(c) for c in candidates(model, "int8", settings)] == [
        "full_int8",
        "int16",
        *_mixed(""),
        "int8_weights",
    ]
    micro = settings.model_copy(update={"target": "tflm"})
    assert "mixed" not in {candidate.form for candidate in candidates(model, "int8", micro)}
    assert [str(c) for c in candidates(model, "float16", settings)] == ["float16"]


def test_kernels_of_4_bits_are_tried_first_where_asked_for():
    settings = ExportSettings(int4=True)
    for model, first in (
        (_model(60), "int4 with int8_loop"),
        (_model(20, recurrent=False), "int4"),
    ):
        plain = candidates(model, "int8", ExportSettings())
        forms = candidates(model, "int8", settings)
        assert str(forms[0]) == first and forms[1:] == plain
        assert candidates(model, "float16", settings) == candidates(
            model, "float16", ExportSettings()
        )
