from typing import Any

import pytest

from kerasnas.export import ExportSettings
from kerasnas.export.lowering import candidates


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
        ("float16", "int8_loop", 60, ["float16 with while"]),
        ("float16", "unroll", 60, ["float16 with unroll"]),
        ("int8", "auto", 60, ["full_int8 with int8_loop", "int8_weights with while"]),
        (
            "int8",
            "auto",
            20,
            ["full_int8 with int8_loop", "full_int8 with unroll", "int8_weights with while"],
        ),
        ("int8", "int8_loop", 20, ["full_int8 with int8_loop"]),
        ("int8", "while", 20, ["int8_weights with while"]),
    ],
)
def test_forms_from_best_to_last(format_: Any, recurrent: Any, frames: int, expected: list[str]):
    settings = ExportSettings(recurrent=recurrent)
    assert [str(c) for c in candidates(_model(frames), format_, settings)] == expected


def test_a_recurrent_layer_may_have_a_mask_and_be_called_twice():
    import keras
    from keras import layers

    inputs = keras.Input((20, 4))
    layer = layers.GRU(4, return_sequences=True)
    x = layers.Flatten()(layer(layer(layers.Masking()(inputs))))
    model = keras.Model(inputs, layers.Dense(2)(x))
    forms = [str(candidate) for candidate in candidates(model, "float16", ExportSettings())]
    assert forms == ["float16 with while", "float16 with unroll"]


def test_a_network_without_recurrent_layers_has_forms_without_loops():
    model = _model(20, recurrent=False)
    settings = ExportSettings(recurrent="unroll")
    assert [str(c) for c in candidates(model, "int8", settings)] == ["full_int8", "int8_weights"]
    assert [str(c) for c in candidates(model, "float16", settings)] == ["float16"]
