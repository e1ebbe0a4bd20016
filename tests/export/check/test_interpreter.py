import struct
from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from kerasnas.export import ExportError, load
from kerasnas.export.convert.program import convert

from ..conftest import SHAPE, Exported, Trained

pytestmark = pytest.mark.slow


def test_both_kinds_of_file_are_run_alike(trained: Trained, exported: Exported):
    x = trained.test_x[:, 0]
    keras, tflite = load(trained.path), load(exported.directory / "model_float16.tflite")
    assert keras.input_shape == tflite.input_shape == SHAPE
    assert keras.outputs == tflite.outputs == 3
    np.testing.assert_allclose(tflite.predict(x), keras.predict(x), atol=0.01)
    assert tflite.predict(x[:0]).shape == (0, 3)


def test_clips_do_not_influence_each_other(trained: Trained, exported: Exported):
    network = load(exported.directory / "model_int8.tflite")
    a, b = trained.test_x[0, :1], trained.test_x[1, :1]
    first, _, again = network.predict(np.concatenate([a, b, a]))
    np.testing.assert_array_equal(first, again)


def test_another_shape_is_refused(exported: Exported):
    network = load(exported.directory / "model_int8.tflite")
    with pytest.raises(ExportError, match=r"takes examples of \(12, 9, 1\), not \(9, 12, 1\)"):
        network.predict(np.zeros((1, 9, 12, 1), np.float32))


def _cut(content: bytes) -> bytes:
    return content[: len(content) // 2]


def _without_end(content: bytes) -> bytes:
    return content[:-16]


def _identifier_only(content: bytes) -> bytes:
    return content[:8] + bytes(500)


def _empty(content: bytes) -> bytes:
    return b""


def _text(content: bytes) -> bytes:
    return b"not a model at all"


def _name_that_is_no_text(content: bytes) -> bytes:
    """The output's, which nothing reads that only runs the file."""
    graph = schema.Model.GetRootAs(content).Subgraphs(0)
    name = graph.Tensors(graph.Outputs(0)).Name()
    place = content.index(struct.pack("<I", len(name)) + name + b"\0") + 4
    return content[:place] + b"\x88" + content[place + 1 :]


@pytest.mark.parametrize(
    "damage",
    [_cut, _without_end, _identifier_only, _empty, _text, _name_that_is_no_text],
)
def test_a_damaged_tflite_file_is_one_error(exported: Exported, tmp_path: Path, damage):
    path = tmp_path / "model.tflite"
    path.write_bytes(damage((exported.directory / "model_int8.tflite").read_bytes()))
    with pytest.raises(ExportError, match=r"model\.tflite is damaged"):
        load(path)


@pytest.mark.usefixtures("processes")
def test_a_file_that_kills_the_runtime_is_one_error(exported: Exported, tmp_path: Path):
    path = tmp_path / "model.tflite"
    path.write_bytes(_huge_scale((exported.directory / "model_int8.tflite").read_bytes()))
    with pytest.raises(ExportError, match=r"(?s)model\.tflite is damaged, and kills .*died of SIG"):
        load(path)


def _huge_scale(content: bytes) -> bytes:
    """The first convolution's weights get a scale of 1e30, of which LiteRT 2.3 aborts."""
    model = schema.Model.GetRootAs(content)
    graph = model.Subgraphs(0)
    for operator in (graph.Operators(i) for i in range(graph.OperatorsLength())):
        code = model.OperatorCodes(operator.OpcodeIndex())
        if code.BuiltinCode() == schema.BuiltinOperator.CONV_2D:
            scales = graph.Tensors(operator.Inputs(1)).Quantization().ScaleAsNumpy()
            place = content.index(scales.tobytes())
            return content[:place] + struct.pack("<f", 1e30) + content[place + 4 :]
    raise AssertionError("the network has a convolution")


@pytest.mark.parametrize("damage", [_cut, _empty, _text])
def test_a_damaged_keras_file_is_one_error(trained: Trained, tmp_path: Path, damage):
    path = tmp_path / "model.keras"
    path.write_bytes(damage(trained.path.read_bytes()))
    with pytest.raises(ExportError, match=r"model\.keras is damaged"):
        load(path)


def test_a_missing_file_is_named(tmp_path: Path):
    with pytest.raises(ExportError, match=r"nothing\.tflite does not exist"):
        load(tmp_path / "nothing.tflite")


def test_two_inputs_are_refused(tmp_path: Path):
    import keras
    from keras import layers

    first, second = keras.Input((4,)), keras.Input((4,))
    model = keras.Model([first, second], layers.Dense(2)(layers.Add()([first, second])))
    model.save(tmp_path / "model.keras")
    with pytest.raises(ExportError, match="has 2 inputs and 1 output:"):
        load(tmp_path / "model.keras")


def test_convert_names_what_the_converter_lacks():
    import keras
    from keras import layers, ops

    class Sort(layers.Layer):
        def call(self, x):
            return ops.erfinv(x)

    inputs = keras.Input((4,))
    model = keras.Model(inputs, layers.Dense(2)(Sort()(inputs)))
    with pytest.raises(ExportError, match="the converter refuses it: .*Erfinv"):
        convert(model, "float16")
