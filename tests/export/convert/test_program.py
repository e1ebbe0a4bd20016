"""Forms of files of plain networks."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kerasnas.export import ExportError, load
from kerasnas.export.convert.program import convert
from kerasnas.export.flatbuffer.facts import read_facts

from ..conftest import Trained


@pytest.mark.slow
def test_int16_between_layers_is_finer_than_int8_and_all_integer(tmp_path: Path, trained: Trained):
    x = trained.test_x.reshape(-1, *trained.test_x.shape[2:])
    expected = trained.model.predict(x, verbose=0)
    errors = {}
    for form in ("full_int8", "int16"):
        path = tmp_path / f"{form}.tflite"
        path.write_bytes(convert(trained.model, form, x[:16]).content)
        assert read_facts(path).float_operators == {}
        errors[form] = float(np.sqrt(np.mean((load(path).predict(x) - expected) ** 2)))
    assert errors["int16"] < 0.5 * errors["full_int8"]
    sizes = {form: (tmp_path / f"{form}.tflite").stat().st_size for form in errors}
    assert sizes["int16"] < 1.2 * sizes["full_int8"]


def _with_one_loud_channel() -> Any:
    """Convolutions between which one channel is far beyond the others, and weighed down again."""
    import keras
    from keras import layers

    inputs = keras.Input((12, 12, 2))
    x = layers.Conv2D(8, 3, activation="relu")(inputs)
    x = layers.Conv2D(8, 3, activation="relu", name="loud")(x)
    x = layers.Conv2D(8, 3, activation="relu", name="after")(x)
    x = layers.MaxPooling2D()(layers.Conv2D(8, 1, activation="relu")(x))
    x = layers.Conv2D(16, 3, activation="relu")(x)
    x = layers.Dense(16, activation="tanh")(layers.Flatten()(x))
    model = keras.Model(inputs, layers.Dense(4, activation="softmax")(x))
    for name, place, factor in (("loud", np.s_[..., 0], 500), ("after", np.s_[:, :, 0], 1 / 500)):
        kernel, bias = model.get_layer(name).get_weights()
        kernel[place] *= factor
        model.get_layer(name).set_weights([kernel, bias])
    return model


@pytest.mark.slow
def test_a_few_operators_in_float_mend_what_rounding_breaks(tmp_path: Path):
    import keras

    keras.utils.set_random_seed(2)
    model = _with_one_loud_channel()
    x = np.random.default_rng(2).normal(size=(32, 12, 12, 2)).astype(np.float32)
    expected = model.predict(x, verbose=0)
    errors, facts = {}, {}
    for form, floats in (("full_int8", 0), ("mixed", 1), ("float16", 0)):
        path = tmp_path / f"{form}.tflite"
        path.write_bytes(convert(model, form, x[:16], floats=floats).content)
        errors[form] = float(np.sqrt(np.mean((load(path).predict(x) - expected) ** 2)))
        facts[form] = read_facts(path)
    assert errors["mixed"] < 0.3 * errors["full_int8"]
    assert facts["full_int8"].bytes < facts["mixed"].bytes < facts["float16"].bytes
    # The one that reads the loud layer, and that, of five convolutions and two dense layers.
    assert facts["mixed"].float_operators == {"CONV_2D": 2}
    assert facts["mixed"].halves == 2 * 9 * 8 * 8
    again = convert(model, "mixed", x[:16], floats=1).content
    assert again == (tmp_path / "mixed.tflite").read_bytes()
    with pytest.raises(ExportError, match="8 operators in float are not few of"):
        convert(model, "mixed", x[:16], floats=8)
