"""Layers that are not Keras's own: where they are found, and what is said where they are not."""

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from kerasnas.export import ExportError, ExportSettings, export
from kerasnas.export.check.interpreter import open_keras
from kerasnas.export.keras_model.custom import CustomCode
from kerasnas.export.keras_model.model_file import load_keras

MODULE = "layers_of_a_stranger"
SOURCE = """
import keras
from keras import layers


@keras.saving.register_keras_serializable("audio")
class Gain(layers.Layer):
    def build(self, shape):
        self.gain = self.add_weight(shape=(shape[-1],), initializer="random_normal")

    def call(self, x):
        return x * self.gain


class Halving(layers.Layer):
    def call(self, x):
        return 0.5 * x
"""


@pytest.fixture
def strangers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    import keras

    (tmp_path / f"{MODULE}.py").write_text(SOURCE)
    monkeypatch.syspath_prepend(tmp_path)
    yield importlib.import_module(MODULE)
    del sys.modules[MODULE]
    keras.saving.get_custom_objects().pop("audio>Gain", None)


def _model(*layers_: Any) -> Any:
    import keras
    from keras import layers

    keras.utils.set_random_seed(1)
    return keras.Sequential(
        [keras.Input((6, 4)), *layers_, layers.Flatten(), layers.Dense(3, activation="softmax")]
    )


def test_an_unknown_layer_is_named_with_the_remedy(tmp_path: Path, strangers: ModuleType):
    import keras

    path = tmp_path / "model.keras"
    _model(strangers.Halving()).save(path)
    with pytest.raises(ExportError, match=r"class 'Halving'.* custom_objects={'Halving': \.\.\.}"):
        load_keras(path)
    _model(strangers.Gain()).save(path)
    del keras.saving.get_custom_objects()["audio>Gain"]
    with pytest.raises(ExportError, match=r"class 'audio>Gain', .* registers it in modules="):
        load_keras(path)


def test_what_is_given_and_what_is_registered_are_told_to_other_processes(
    tmp_path: Path, strangers: ModuleType
):
    path = tmp_path / "model.keras"
    model = _model(strangers.Gain(), strangers.Halving())
    model.save(path)
    given = CustomCode.of({"Halving": strangers.Halving}, [MODULE])
    custom = open_keras(path, custom=given).custom
    assert custom.modules == (MODULE,)
    assert sorted(custom.objects) == [
        ("Halving", MODULE, "Halving"),
        ("audio>Gain", MODULE, "Gain"),
    ]
    x = np.ones((2, 6, 4), np.float32)
    opened = load_keras(path, custom=CustomCode.from_json(custom.to_json()))
    np.testing.assert_array_equal(opened(x), model(x))


def test_code_that_other_processes_cannot_import_is_refused(strangers: ModuleType):
    class Local:
        pass

    main = type("Main", (), {"__module__": "__main__"})
    again = type("Halving", (), {"__module__": MODULE})
    for name, each, message in [
        ("Local", Local, r"is defined in .*<locals>\.Local, which other processes cannot import"),
        ("Main", main, "is defined in the program itself"),
        ("Halving", again, rf"is not {MODULE}\.Halving, as it calls itself"),
        ("number", 3, "is 3: a class or function is needed"),
    ]:
        with pytest.raises(ExportError, match=f"custom object '{name}' {message}"):
            CustomCode.of({name: each}, ())
    with pytest.raises(ExportError, match="module 'not_here' .* cannot be imported"):
        CustomCode.of(None, ["not_here"])


@pytest.mark.slow
@pytest.mark.usefixtures("processes")
def test_a_model_of_custom_layers_is_converted_in_another_process(
    tmp_path: Path, strangers: ModuleType
):
    result = export(
        _model(strangers.Gain(), strangers.Halving()),
        tmp_path / "files",
        custom_objects={"Halving": strangers.Halving},
        settings=ExportSettings(formats=("float16",), repeat=False, latency_runs=1),
    )
    assert result.verdict == "passed"
    assert result.report["files"]["float16"]["agreement"] == 1
