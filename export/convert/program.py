"""Conversion of a `.keras` file to one `.tflite` file: a program, run in a process of its own.

`TFLiteConverter` leaks memory, and some networks kill it; see `process.child`. Usage:
`python -m kerasnas.export.convert.program REQUEST ERROR`.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..errors import ExportError
from ..flatbuffer.graph import TfliteFile
from ..forms import Form, Recurrent
from ..integer.fours import with_int4_weights
from ..integer.operators import with_integer_operators
from ..integer.weights import with_int8_weights
from ..keras_model.custom import CustomCode
from ..keras_model.model_file import check_model, load_keras
from ..keras_model.recurrent import unrolled, without_recurrent_dropout
from ..keras_model.step import STATE_NAME, step_calibration, stepwise
from ..process.child import REFUSED
from .loops import convert_integers
from .stock import Converted, convert_stock

if TYPE_CHECKING:
    import keras


def convert(
    model: keras.Model,
    form: Form,
    calibration: np.ndarray | None = None,
    recurrent: Recurrent | None = None,
    floats: int = 0,
) -> Converted:
    """Return a `.tflite` file of a functional model, with a batch of one.

    What the converter writes is written again without what no runtime reads (see
    `kerasnas.export.flatbuffer.graph`), which changes no result.

    Args:
        model: One input of known shape.
        form: `float16` stores constants in float16 and computes in float32; `int8_weights` stores
            weights in int8 and computes products with the larger ones in int8, all else in
            float32.
            `full_int8` computes in integers alone; the input and the output stay float32, so that
            an application hands over features and reads scores without knowing scales. `int16`
            does so with outputs of int16 between its layers, whose weights are int8: 256 times
            finer, for networks without recurrent layers; XNNPACK takes none of its operators.
            `mixed` is `full_int8` but for some operators in float, with weights in float16;
            `int4` is `full_int8` with kernels of 4 bits.
        calibration: For forms of integers, `(examples, *input shape)`.
        recurrent: How recurrent layers compute, where there are any: step after step written out
            (`unroll`), one step alone (`step`, see `keras_model.step`), by the runtime's own
            operator, which keeps its state (`fused_lstm`, see `convert.fused`), or else in
            a loop, the converter's (`while`) or, in `full_int8` and `mixed`, of which the converter
            dies, one of integers (`int8_loop`).
        floats: Of the form `mixed`, how many operators compute in float, beside those that write
            what they read; see `convert.mixed`.

    Raises:
        ExportError: The converter has no such operators.
    """
    model = without_recurrent_dropout(model)
    if recurrent == "step":
        return _convert_step(model, form, calibration)
    if recurrent == "fused_lstm":
        from .fused import convert_fused

        return convert_fused(model, form, calibration)
    if recurrent == "unroll":
        model = unrolled(model)
    if form not in ("full_int8", "mixed", "int4"):
        stock = convert_stock(model, form, () if calibration is None else (calibration,))
        file = TfliteFile(stock)
        if form == "int8_weights":
            with_int8_weights(file)
        return Converted(file.content(), len(stock))
    assert calibration is not None
    made = convert_integers(model, calibration, loops=recurrent != "unroll", floats=floats)
    return _with_int4(made) if form == "int4" else made


def _with_int4(made: Converted) -> Converted:
    file = TfliteFile(made.content)
    if not with_int4_weights(file):
        raise ExportError("there is no kernel that 4 bits would make smaller by much")
    return Converted(file.content(), made.stock_bytes)


def _convert_step(model: keras.Model, form: Form, calibration: np.ndarray | None) -> Converted:
    step = stepwise(model)
    inputs = step_calibration(step, calibration) if calibration is not None else ()
    stock = convert_stock(step, form, inputs)
    file = TfliteFile(stock)
    with_integer_operators(file)
    if form == "int8_weights":
        with_int8_weights(file)
    for ends in (file.main.t.inputs[1:], file.main.t.outputs[1:]):
        for number, index in enumerate(ends):
            file.main.t.tensors[index].name = f"{STATE_NAME}{number}"
    return Converted(file.content(), len(stock))


def main(request: Path, error: Path) -> int:
    """Convert as `request` says; 0, or `REFUSED` when the file `error` says why not.

    Args:
        request: JSON of `model` (a `.keras` file), its `name` for messages, `custom` (code that
            it needs beside Keras's own), `form`, `recurrent` (null for a network without such
            layers), `floats`, `output` (the `.tflite` file to write),
            `stock` (the JSON file to write, with `Converted.stock_bytes`) and `calibration` (a
            `.npy` file of float32 `(examples, *input shape)`, or null).
        error: Text file.
    """
    todo = json.loads(request.read_text(encoding="utf-8"))
    path = Path(todo["model"])
    if todo["recurrent"] == "fused_lstm":
        os.environ["TF_USE_LEGACY_KERAS"] = "1"  # before TensorFlow is imported
    custom = CustomCode.from_json(todo["custom"])
    try:
        model = load_keras(path, todo["name"], custom)
        check_model(model, "the model")
        calibration = np.load(todo["calibration"]) if todo["calibration"] else None
        with custom.imported():  # copies of the model are made, too
            content, stock = convert(
                model, todo["form"], calibration, todo["recurrent"], todo["floats"]
            )
    except ExportError as refusal:
        error.write_text(f"{todo['name']} as {todo['form']}: {refusal}", encoding="utf-8")
        return REFUSED
    Path(todo["output"]).write_bytes(content)
    Path(todo["stock"]).write_text(json.dumps(stock), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
