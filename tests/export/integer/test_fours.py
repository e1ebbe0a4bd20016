"""Kernels of 4 bits against the same integers in 8."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kerasnas.export import load
from kerasnas.export.convert.program import convert
from kerasnas.export.flatbuffer.facts import read_facts
from kerasnas.export.flatbuffer.graph import Scale, TfliteFile
from kerasnas.export.integer.fours import with_int4_weights
from kerasnas.export.integer.writer import IntegerWriter
from kerasnas.export.keras_model.recurrent import Range

from ..conftest import SHAPE, Trained


def _in_8_bits(content: bytes) -> bytes:
    """Return a file whose kernels of 4 bits are the same numbers in 8."""
    file = TfliteFile(content)
    names = vars(file.schema.TensorType)
    for graph in file.graphs:
        for tensor in graph.t.tensors:
            if tensor.type == names["INT4"]:
                pairs = np.asarray(file.model.buffers[tensor.buffer].data, np.uint8)
                values = np.stack([pairs & 15, pairs >> 4], axis=-1).reshape(-1).astype(np.int8)
                values = np.where(values > 7, values - 16, values).astype(np.int8)
                tensor.buffer = file.buffer(values[: int(np.prod(tensor.shape))].tobytes())
                tensor.type = names["INT8"]
        for operator in graph.t.operators:
            name = graph.name_of(operator)
            if name in ("CONV_2D", "FULLY_CONNECTED"):
                version = 3 if name == "CONV_2D" else 4
                operator.opcodeIndex = file.operator_code(name, version)
    return file.content()


def _scores(content: bytes, x: np.ndarray) -> np.ndarray:
    """By the runtime's own kernels: XNNPACK, which takes 8 bits alone, breaks ties differently."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    kernels = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    interpreter = Interpreter(model_content=content, experimental_op_resolver_type=kernels)
    interpreter.allocate_tensors()
    (source,), (sink,) = interpreter.get_input_details(), interpreter.get_output_details()
    scores = []
    for example in x:
        interpreter.set_tensor(source["index"], example[None])
        interpreter.invoke()
        scores.append(interpreter.get_tensor(sink["index"])[0])
    return np.array(scores)


def _recurrent() -> Any:
    import keras
    from keras import layers

    inputs = keras.Input((10, 9))
    x = layers.GRU(16, return_sequences=True)(inputs)
    x = layers.LSTM(16)(x)
    return keras.Model(inputs, layers.Dense(20, activation="softmax")(x))


@pytest.mark.slow
def test_a_runtime_computes_with_4_bits_as_with_the_same_numbers_in_8(
    trained: Trained, tmp_path: Path
):
    import keras

    keras.utils.set_random_seed(1)
    images = trained.test_x.reshape(-1, *SHAPE)
    frames = np.random.default_rng(1).normal(size=(24, 10, 9)).astype(np.float32)
    for model, x, recurrent in (
        (trained.model, images, None),
        (_recurrent(), frames, "int8_loop"),
    ):
        whole = convert(model, "full_int8", x[:16], recurrent).content
        content = convert(model, "int4", x[:16], recurrent).content
        path = tmp_path / "int4.tflite"
        path.write_bytes(content)
        np.testing.assert_array_equal(_scores(content, x), _scores(_in_8_bits(content), x))
        scores = load(path).predict(x)
        facts = read_facts(path)
        assert facts.float_operators == {}
        assert facts.minimum_runtime == "2.11.0"
        assert 0 < facts.quarters // 2 < len(whole) - len(content) + 100
        expected = model.predict(x, verbose=0)
        assert np.abs(scores - expected).mean() < 0.1 * np.ptp(expected)
        assert convert(model, "int4", x[:16], recurrent).content == content


def _dense(rng: np.random.Generator, size: int) -> tuple[TfliteFile, np.ndarray]:
    """A file of one product, and its kernel `(size, size)` in float, as the file has it."""
    file = TfliteFile()
    writer = IntegerWriter(file.main)
    x = file.main.tensor((1, size), "int8", Scale(0.02))
    kernel = rng.normal(size=(size, size)).astype(np.float32)
    output = writer.dense(x, kernel, rng.normal(size=size), Range(-9, 9), 1)
    file.main.t.inputs, file.main.t.outputs = [x.place], [output.place]
    stored = file.main.t.tensors[file.main.t.operators[0].inputs[1]]
    data = bytes(bytearray(file.model.buffers[stored.buffer].data))
    integers = np.frombuffer(data, np.int8).reshape(size, size)
    return file, integers * float(stored.quantization.scale[0])


@pytest.mark.parametrize("size", [16, 17])  # an even and an odd number of scalars
def test_a_kernel_has_the_step_of_least_squares(size: int):
    file, kernel = _dense(np.random.default_rng(3), size)
    assert with_int4_weights(file) == 1
    whole = TfliteFile(_in_8_bits(file.content())).main
    stored = whole.t.tensors[whole.t.operators[0].inputs[1]]
    data = bytes(bytearray(whole.file.model.buffers[stored.buffer].data))
    integers = np.frombuffer(data, np.int8).reshape(size, size)
    assert np.abs(integers).max() == 7
    error = np.sum((integers * float(stored.quantization.scale[0]) - kernel) ** 2)
    reach = np.abs(kernel).max() / 7
    assert error < 0.9 * np.sum((np.round(kernel / reach) * reach - kernel) ** 2)


def test_small_kernels_stay_in_8_bits():
    file, _ = _dense(np.random.default_rng(3), 15)
    before = file.content()
    assert with_int4_weights(file) == 0
    assert file.content() == before
