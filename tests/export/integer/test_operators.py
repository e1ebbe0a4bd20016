"""What the converter leaves in float between integers becomes integers, with the same results."""

from pathlib import Path

import numpy as np

from kerasnas.export.flatbuffer.facts import read_facts
from kerasnas.export.flatbuffer.graph import Scale, TfliteFile
from kerasnas.export.integer.operators import with_integer_operators


def _split_in_float() -> TfliteFile:
    """Float to int8, then a SPLIT in float of which the second of three parts is not used."""
    file = TfliteFile()
    main, scale = file.main, Scale(0.1, 3)
    given, found = main.tensor((1, 6), "float32"), main.tensor((1, 4), "float32")
    whole, floats = main.tensor((1, 6), "int8", scale), main.tensor((1, 6), "float32")
    parts = [main.tensor((1, 2), "float32") for _ in range(3)]
    first, last = (main.tensor((1, 2), "int8", scale) for _ in range(2))
    joined = main.tensor((1, 4), "int8", scale)
    axis = main.constant(np.array(-1, np.int32))
    options, joins = file.schema.SplitOptionsT(), file.schema.ConcatenationOptionsT()
    options.numSplits, joins.axis = 3, 1
    main.operator("QUANTIZE", 1, (given,), (whole,))
    main.operator("DEQUANTIZE", 2, (whole,), (floats,))
    main.operator("SPLIT", 1, (axis, floats), parts, options)
    main.operator("QUANTIZE", 1, (parts[0],), (first,))
    main.operator("QUANTIZE", 1, (parts[2],), (last,))
    main.operator("CONCATENATION", 2, (first, last), (joined,), joins)
    main.operator("DEQUANTIZE", 2, (joined,), (found,))
    main.t.inputs, main.t.outputs = [given.place], [found.place]
    return file


def _run(content: bytes, x: np.ndarray) -> np.ndarray:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=content)
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], x)
    interpreter.invoke()
    return interpreter.get_tensor(interpreter.get_output_details()[0]["index"])


def test_a_split_with_an_unused_part_is_integer_too(tmp_path: Path):
    x = np.array([[-1.3, 0.2, 5, 6, 1.1, 2.4]], np.float32)
    file, path = _split_in_float(), tmp_path / "split.tflite"
    stock = file.content()
    path.write_bytes(stock)
    assert read_facts(path).float_operators == {"SPLIT": 1}
    with_integer_operators(file)
    path.write_bytes(file.content())
    facts = read_facts(path)
    assert facts.float_operators == {} and facts.operators["SPLIT:2"] == 1
    np.testing.assert_array_equal(_run(path.read_bytes(), x), _run(stock, x))
    np.testing.assert_allclose(_run(stock, x), x[:, [0, 1, 4, 5]], atol=0.05)
