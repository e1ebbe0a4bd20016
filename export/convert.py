"""Conversion of a `.keras` file to one `.tflite` file: a program, run in a process of its own.

`TFLiteConverter` leaks memory, and some networks kill it; see `kerasnas.export.child`. Usage:
`python -m kerasnas.export.convert REQUEST ERROR`. The same model gives the same bytes: nodes of the
graph are numbered, which also makes the names of tensors short (some 40 bytes less for each).
"""

from __future__ import annotations

import json
import string
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kerasnas.export.child import REFUSED
from kerasnas.export.errors import ExportError
from kerasnas.export.model_file import check_model, load_keras
from kerasnas.export.size import Form

if TYPE_CHECKING:
    import keras

INPUT_NAME = "features"


def convert(model: keras.Model, form: Form, calibration: np.ndarray | None = None) -> bytes:
    """A `.tflite` file of a functional model, with a batch of one.

    Args:
        model: One input of known shape.
        form: `float16` stores constants in float16 and computes in float32. `full_int8` computes
            in integers alone; the input and the output stay float32, so that an application
            hands over features and reads scores without knowing scales.
        calibration: For `full_int8`, `(examples, *input shape)`.

    Raises:
        ExportError: The converter has no such operators.
    """
    import tensorflow as tf

    converter = tf.lite.TFLiteConverter.from_concrete_functions([_freeze(model)])
    if form != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if form == "float16":
        converter.target_spec.supported_types = [tf.float16]
    elif form == "full_int8":
        assert calibration is not None
        converter.representative_dataset = lambda: _batches(calibration)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        # Runtimes before 2.17 accept dense layers with a scale a channel, by their version number,
        # and compute them wrongly (tflite-micro 2602 tells of it): one scale a tensor.
        converter._experimental_disable_per_channel_quantization_for_dense_layers = True
    try:
        return bytes(converter.convert())
    except Exception as error:  # the converter's own types are private
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        reason = next((line for line in lines if "error:" in line), lines[0] if lines else "")
        raise ExportError(f"the converter refuses it: {reason}") from error


def _batches(calibration: np.ndarray) -> Iterator[list[np.ndarray]]:
    for example in calibration:
        yield [example[None]]


def _freeze(model: keras.Model) -> Any:
    """The model in inference as a function of constants, whose nodes have short names."""
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import (
        convert_variables_to_constants_v2,
    )

    shape = (1, *model.inputs[0].shape[1:])
    function = tf.function(
        lambda features: model(features, training=False),
        input_signature=[tf.TensorSpec(shape, tf.float32, name=INPUT_NAME)],
        autograph=False,
    )
    frozen = convert_variables_to_constants_v2(function.get_concrete_function())
    graph = frozen.graph.as_graph_def()
    names = _shorten(graph)
    result = names[frozen.outputs[0].op.name]
    wrapped = tf.compat.v1.wrap_function(lambda: tf.graph_util.import_graph_def(graph, name=""), [])
    return wrapped.prune([f"{INPUT_NAME}:0"], [f"{result}:0"])


def _shorten(graph: Any) -> dict[str, str]:
    """Number the nodes of a graph definition in place; returns the new names by the old."""
    names: dict[str, str] = {}
    for node in graph.node:
        names[node.name] = INPUT_NAME if node.name == INPUT_NAME else _number(len(names))
    for node in graph.node:
        node.name = names[node.name]
        inputs = [_renamed(name, names) for name in node.input]
        del node.input[:]
        node.input.extend(inputs)
        node.attr.pop("_class", None)  # colocation hints, which hold names
    return names


def _renamed(name: str, names: dict[str, str]) -> str:
    control = "^" if name.startswith("^") else ""
    node, colon, output = name.removeprefix("^").partition(":")
    return f"{control}{names[node]}{colon}{output}"


def _number(value: int) -> str:
    """`value` to the base 36."""
    digits = string.digits + string.ascii_lowercase
    text = digits[value % 36]
    while value := value // 36:
        text = digits[value % 36] + text
    return text


def main(request: Path, error: Path) -> int:
    """Convert as `request` says; 0, or `REFUSED` when the file `error` says why not.

    Args:
        request: JSON of `model` (a `.keras` file), `form`, `output` (the `.tflite` file to write)
            and `calibration` (a `.npy` file of float32 `(examples, *input shape)`, or null).
        error: Text file.
    """
    todo = json.loads(request.read_text(encoding="utf-8"))
    path = Path(todo["model"])
    try:
        model = load_keras(path)
        check_model(model, "the model")
        calibration = np.load(todo["calibration"]) if todo["calibration"] else None
        content = convert(model, todo["form"], calibration)
    except ExportError as refusal:
        error.write_text(f"{path} as {todo['form']}: {refusal}", encoding="utf-8")
        return REFUSED
    Path(todo["output"]).write_bytes(content)
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
