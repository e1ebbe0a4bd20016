from typing import Any

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter

from kerasnas.export.convert.stock import convert_stock
from kerasnas.export.flatbuffer.graph import Scale, TfliteFile
from kerasnas.export.flatbuffer.pack import SharingBuilder
from kerasnas.export.integer.writer import UNIT, IntegerWriter
from kerasnas.export.keras_model.recurrent import Range

from ..conftest import SHAPE, Trained


def _written(builder: flatbuffers.Builder, model: Any) -> bytes:
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _plain(value: Any) -> Any:
    """A model's objects as dictionaries, to be compared."""
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, list):
        return [_plain(entry) for entry in value]
    if hasattr(value, "__dict__"):
        return {name: _plain(entry) for name, entry in vars(value).items()}
    return value


def _file() -> TfliteFile:
    """Operators with much that is equal, and tables that differ only in what they point to."""
    rng = np.random.default_rng(0)
    file = TfliteFile()
    writer = IntegerWriter(file.main)
    x = file.main.tensor((1, 6), "int8", Scale(0.1, 3))
    file.main.t.inputs = [x.place]
    for scale in (0.5, 0.5, 0.25):
        kernel = rng.normal(size=(6, 6)).astype(np.float32)
        x = writer.dense(x, kernel, np.ones(6, np.float32), Range(-scale, scale), 1)
    wide = writer.widen(x)
    x = writer.narrow(writer.binary("ADD", wide, wide, UNIT), Scale(0.1, 3))
    file.main.t.outputs = [x.place]
    return file


def test_a_shared_file_reads_like_one_that_is_not():
    model = _file().model
    shared, plain = _written(SharingBuilder(), model), _written(flatbuffers.Builder(), model)
    read = [schema.ModelT.InitFromObj(schema.Model.GetRootAs(data)) for data in (shared, plain)]
    assert _plain(read[0]) == _plain(read[1])
    assert len(shared) < 0.85 * len(plain)


def test_data_are_aligned_as_the_schema_asks():
    content = _file().content()
    model = schema.Model.GetRootAs(content)
    whole = np.frombuffer(content, np.uint8).__array_interface__["data"][0]
    for buffer in (model.Buffers(i) for i in range(model.BuffersLength())):
        if not buffer.DataIsNone():
            begin = buffer.DataAsNumpy().__array_interface__["data"][0]
            assert (begin - whole) % 16 == 0


def test_the_same_file_has_the_same_bytes():
    assert _file().content() == _file().content()


@pytest.mark.slow
@pytest.mark.parametrize("form", ["float16", "full_int8"])
def test_a_file_is_smaller_than_the_stock_one_and_computes_the_same_bits(trained: Trained, form):
    examples = trained.test_x.reshape(-1, *SHAPE)[:12]
    stock = convert_stock(trained.model, form, (examples,))
    ours = TfliteFile(stock).content()
    assert len(ours) < (0.75 if form == "full_int8" else 0.9) * len(stock)
    np.testing.assert_array_equal(_scores(ours, examples), _scores(stock, examples))


def _scores(content: bytes, examples: np.ndarray) -> np.ndarray:
    interpreter = Interpreter(model_content=content, num_threads=1)
    interpreter.allocate_tensors()
    (source,), (sink,) = interpreter.get_input_details(), interpreter.get_output_details()
    assert source["name"] == "features"
    scores = []
    for example in examples:
        interpreter.set_tensor(source["index"], example[None])
        interpreter.invoke()
        scores.append(interpreter.get_tensor(sink["index"])[0])
    return np.array(scores)
